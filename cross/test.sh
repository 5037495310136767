#!/usr/bin/env bash
# usage: cross/test.sh [host | NAME]...
#
# The whole suite: on this machine with the race detector, then for each tested target of the table (or those named) under its
# user-mode emulator. Everything that go test said is kept in build/test/, and what was skipped is counted by reason at the end.
# What is missing is installed where that can be done (root and apt-get) and named otherwise; with CI set, a missing emulator fails.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
. cross/target.sh
. cross/tools.sh

logs=build/test
failed=()

# suite PLATFORM [GO TEST ARGUMENT]...: runs it in the environment given, shows the essence and keeps the rest.
suite() {
	local platform=$1
	shift
	printf '\n== %s: go test %s ./...\n' "$platform" "$*"
	go test -v -vet=off "$@" ./... 2>&1 | tee "$logs/$platform.log" |
		awk -v platform="$platform" -v skips="$logs/$platform.skips" -f cross/testlog.awk
	[ "${PIPESTATUS[0]}" = 0 ] || failed+=("$platform")
}

# on_host: with the race detector, where Go has one and there is the C compiler that it needs.
on_host() {
	case $(go env GOHOSTARCH) in
	amd64 | arm64) ;;
	*)
		echo "Go has no race detector for this machine's architecture"
		suite host
		return
		;;
	esac
	if need gcc gcc,libc6-dev "the race detector"; then
		CGO_ENABLED=1 suite host -race
	else
		suite host
	fi
}

# covered: what says who a caller is and what it may do has no statement that no test runs. Where a test was skipped, as without root or control groups, that cannot be told.
covered() {
	printf '\n== host: statements of service/policy and service/peer that tests run\n'
	go test -v -vet=off -short -cover ./service/policy ./service/peer >"$logs/coverage.log" 2>&1
	grep -E '^(ok|FAIL)' "$logs/coverage.log"
	if grep -e '--- SKIP' "$logs/coverage.log" | grep -qv Soak; then
		absent+=("a test of service/policy or service/peer is skipped here: skipped: whether tests run each of their statements")
	elif [ "$(grep -c '^ok.*coverage: 100.0% of statements' "$logs/coverage.log")" != 2 ]; then
		failed+=("statements of service/policy or service/peer that no test runs")
	fi
}

# fuzzed: 2,000 inputs for each fuzz target, beyond its seeds, which are tests like the others. A time would be no less: the go tool now and then takes its end for a finding.
fuzzed() {
	printf '\n== host: 2000 inputs for each fuzz target\n'
	FUZZTIME=2000x cross/fuzz.sh >"$logs/fuzz.log" 2>&1 || failed+=("fuzzing: see $logs/fuzz.log")
	grep -E '^(ok|FAIL|---)|Failing input' "$logs/fuzz.log"
}

# resident: how much memory the daemon takes. The race detector's own would be counted, and that of an emulator.
resident() {
	printf '\n== host: resident memory of the daemon\n'
	go test -v -vet=off -count=1 -run '^TestResident' ./cmd/halberd 2>&1 | tee "$logs/resident.log" | grep -E '^(ok|FAIL)|^ *--- (FAIL|SKIP)|_test.go'
	[ "${PIPESTATUS[0]}" = 0 ] || failed+=("resident memory of the daemon")
}

# instructions PLATFORM [GO TEST ARGUMENT]...: what a call costs there, against the committed figure. The race detector's own would be counted.
instructions() {
	local platform=$1
	shift
	printf '\n== %s: instructions of a call\n' "$platform"
	go test -v -vet=off -count=1 "$@" -run '^TestInstructions$' ./service 2>&1 | tee "$logs/$platform-instructions.log" |
		grep -E 'instructions|SKIP|FAIL|^ok|_test.go'
	[ "${PIPESTATUS[0]}" = 0 ] || failed+=("instructions of a call on $platform")
}

# plugin: compiles what counts under $qemu into $logs/count.so, for a version of the interface that this emulator takes.
plugin() {
	local version
	for version in 1 2 3 4 5 6; do
		gcc -O2 -Wall -Wextra -shared -fPIC -DPLUGIN_VERSION=$version -o "$logs/count.so" cross/bench/count.c || return
		case $("$qemu" -plugin "$logs/count.so" / 2>&1) in
		*plugin*) ;; # it complains of the plugin, and not of the folder that is no program
		*) return 0 ;;
		esac
	done
	return 1
}

# emulated_instructions NAME: the same on a target, counted by the emulator's plugin. Debian 13 has no emulator that takes one, so that is no failure.
emulated_instructions() {
	local what="instructions of a call on $1"
	if ! need gcc gcc,libc6-dev "$what" || ! need "$qemu" qemu-user "$what"; then
		[ -z "${CI:-}" ] || failed+=("$what")
	elif [[ $("$qemu" -h) != *-plugin* ]]; then
		absent+=("$qemu takes no plugins: skipped: $what")
	elif plugin; then # the test runs in the folder of its package
		HALBERD_COUNTING_EMULATOR="$qemu -plugin ../$logs/count.so" instructions "$1" -exec "$emulator"
	else
		failed+=("$what")
	fi
}

# on_target NAME: under the emulator.
on_target() {
	local emulator
	find_target "$1" || { failed+=("$1 (not in cross/targets)"); return; }
	need "$qemu-static|$qemu" qemu-user-static "the suite on $1" || { [ -z "${CI:-}" ] || failed+=("$1"); return; }
	emulator=$(present "$qemu-static|$qemu")
	local -x CGO_ENABLED=0 GOOS=linux GOARCH=$goarch GOARM=$goarm
	suite "$1" -exec "$emulator"
	emulated_instructions "$1"
}

# prepare: what some tests call for; each of them skips by itself where it is missing.
prepare() {
	need python3 python3-minimal "tests with a client in Python"
	need systemd-socket-activate systemd "tests of activation by systemd"
	need strace strace "tests with system calls that fail"
	need zsh zsh "the completion of zsh"
	need fish fish "the completion of fish"
	HALBERD_VARLINKCTL=$(cross/varlinkctl.sh) || absent+=("varlinkctl is missing (Debian 13 package systemd): skipped: tests with systemd's client")
	export HALBERD_VARLINKCTL
}

report() {
	printf '\n== skipped\n'
	for platform in "$@"; do
		cat "$logs/$platform.skips" 2>/dev/null
	done
	[ ${#absent[@]} = 0 ] || printf '%s\n' "" "== missing here" "${absent[@]}"
	[ ${#failed[@]} = 0 ] || printf '\nFAILED: %s\n' "${failed[*]}"
}

[ $# -gt 0 ] || mapfile -t names < <(echo host; tested_targets)
[ $# = 0 ] || names=("$@")
mkdir -p "$logs"
rm -f "$logs"/*.skips
prepare
for name in "${names[@]}"; do
	if [ "$name" = host ]; then on_host; covered; fuzzed; resident; instructions host; else on_target "$name"; fi
done
report "${names[@]}"
[ ${#failed[@]} = 0 ]
