# Halberd. Go and GNU make are all that `make` and `make run` need; `make help` lists the rest.

SHELL   := /bin/bash
PREFIX  ?= /usr
FUZZTIME ?= 60s

# TARGET=arm64 makes `make install` take that target's programs.
programs := build$(addprefix /,$(TARGET))
bin      := $(DESTDIR)$(PREFIX)/bin
units    := $(DESTDIR)$(PREFIX)/lib/systemd/system
complete := $(DESTDIR)$(PREFIX)/share/bash-completion/completions
defaults := $(abspath $(DESTDIR))/usr/lib/halberd

.PHONY: build cross run test fuzz check install clean help

build: ## both programs for this machine, into build/
	cross/build.sh host

cross: ## both programs, static, for every target of cross/targets, into build/TARGET/
	cross/build.sh all

run: build ## the daemon with a simulated board, in the foreground; ARGS="…" are passed on
	build/halberd -sim $(ARGS)

test: check ## the whole suite: here with the race detector, then on emulated arm64 and armv7
	cross/test.sh

fuzz: ## every fuzz target for FUZZTIME (60s)
	FUZZTIME=$(FUZZTIME) cross/fuzz.sh

check: ## gofmt and go vet
	@files=$$(gofmt -l .) && { test -z "$$files" || { echo "gofmt would change:" $$files; false; }; }
	go vet ./...

# Builds nothing that is there already, so that `make` and `sudo make install` are two steps.
install: $(programs)/halberd build/halctl ## programs, units, completions and defaults, below DESTDIR; PREFIX=/usr, TARGET=this machine
	@install -D -m 0755 -t $(bin) $(programs)/halberd $(programs)/halctl
	@install -d $(units)
	@for unit in init/systemd/*.{socket,service}; do \
		sed 's|/usr/bin/|$(PREFIX)/bin/|' $$unit | install -m 0644 /dev/stdin $(units)/$${unit##*/} || exit; done
	@if build/halctl completion bash >build/halctl.bash; then install -D -m 0644 build/halctl.bash $(complete)/halctl; fi
	@if cd rootfs/usr/lib/halberd 2>/dev/null; then find . -type f -exec install -D -m 0644 {} $(defaults)/{} \; ; fi

$(programs)/halberd build/halctl &:
	cross/build.sh host $(TARGET)

clean: ## removes build/
	rm -rf build

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
