# Halberd. Go and GNU make are all that `make` and `make run` need; `make help` lists the rest.

SHELL   := /bin/bash
PREFIX  ?= /usr
FUZZTIME ?= 60s

# TARGET=arm64 makes `make install` take that target's programs.
programs := build$(addprefix /,$(TARGET))
needed   := $(sort $(programs)/halberd build/halberd build/halctl)
bin      := $(DESTDIR)$(PREFIX)/bin
units    := $(DESTDIR)$(PREFIX)/lib/systemd/system
share    := $(DESTDIR)$(PREFIX)/share

.PHONY: build cross run test boot-test image qemu fuzz soak mutate bench plots check install clean help

build: ## both programs for this machine, into build/
	cross/build.sh host

cross: ## both programs, static, for every target of cross/targets, into build/TARGET/
	cross/build.sh all

run: build ## the daemon with a simulated board, in the foreground; ARGS="…" are passed on
	build/halberd -sim $(ARGS)

test: check ## the whole suite: here with the race detector, then on emulated arm64 and armv7
	cross/test.sh

boot-test: ## the same programs on real kernels and drivers: boots arm64 and armv7 systems and tests them from within
	cross/boot-test.sh

image: ## bootable arm64 and armv7 systems with Halberd and a simulated board, into build/image/TARGET/
	rootfs/image/image.sh $(or $(TARGET),arm64 armv7)

qemu: ## boots such a system with a login here; TARGET=armv7 takes the other one
	@[ -e build/image/$(or $(TARGET),arm64)/disk ] || rootfs/image/image.sh $(or $(TARGET),arm64)
	rootfs/image/boot.sh $(or $(TARGET),arm64)

fuzz: ## every fuzz target for FUZZTIME (60s), one after the other; NAME=Valid: only those with that in their names
	FUZZTIME=$(FUZZTIME) cross/fuzz.sh $(NAME)

soak: ## the long runs that `make test` has a cut of: tests with Soak in their names, with HALBERD_SOAK=1, one package after the other; PACKAGES=./...
	@set -o pipefail; HALBERD_SOAK=1 go test -v -vet=off -count=1 -p 1 -timeout 0 -run Soak $(or $(PACKAGES),./...) | awk '!/no test files|no tests to run|^(PASS|===)|^testing: warning/'

mutate: ## changes one thing at a time in service/policy and service/peer, or PACKAGES: a test has to notice each
	go run ./cross/mutate $(or $(PACKAGES),./service/policy ./service/peer)

bench: ## beside C servers, message buses and programs, in one run; build/bench/table.md (BENCH_SECONDS, BENCH_ROUNDS, BENCH_CPUS)
	cross/bench/bench.sh

plots: build/bench/raw.tsv ## what `make bench` found, as a drawing (cross/bench/plot.svg) and as the tables of README.md
	awk -f cross/bench/plot.awk $< >cross/bench/plot.svg
	awk -f cross/bench/table.awk $< >build/bench/table.md
	awk -v table=build/bench/table.md -f cross/bench/paste.awk README.md >build/bench/README.md && cp build/bench/README.md README.md

build/bench/raw.tsv:
	cross/bench/bench.sh

check: ## gofmt and go vet
	@files=$$(gofmt -l .) && { test -z "$$files" || { echo "gofmt would change:" $$files; false; }; }
	go vet ./... && go vet -tags boot ./rootfs/...

# Builds nothing that is there already, so that `make` and `sudo make install` are two steps. What the programs know is printed by those of this machine.
install: $(needed) ## the whole overlay, below DESTDIR; PREFIX=/usr, TARGET=this machine
	@install -D -m 0755 -t $(bin) $(programs)/halberd $(programs)/halctl
	@install -d $(units)
	@for unit in init/systemd/*.{socket,service}; do \
		sed 's|/usr/bin/|$(PREFIX)/bin/|' $$unit | install -m 0644 /dev/stdin $(units)/$${unit##*/} || exit; done
	@find rootfs/usr -type f -printf '%P\0' | xargs -0 -I{} install -D -m 0644 rootfs/usr/{} $(DESTDIR)/usr/{}
	@rm -rf build/share && mkdir -p build/share/varlink && build/halberd check -interfaces build/share/varlink
	@for shell in bash zsh fish; do build/halctl completion $$shell >build/share/halctl.$$shell || exit; done
	@install -D -m 0644 -t $(share)/varlink build/share/varlink/*
	@install -D -m 0644 build/share/halctl.bash $(share)/bash-completion/completions/halctl
	@install -D -m 0644 build/share/halctl.zsh $(share)/zsh/vendor-completions/_halctl
	@install -D -m 0644 build/share/halctl.fish $(share)/fish/vendor_completions.d/halctl.fish

$(needed) &:
	cross/build.sh host $(TARGET)

clean: ## removes build/
	rm -rf build

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
