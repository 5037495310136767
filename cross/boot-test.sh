#!/usr/bin/env bash
# usage: cross/boot-test.sh [NAME]...
#
# Makes the images of the tested targets (or those named), boots each under a system emulator, and runs the tests of rootfs/boottest in it: twice, with halberd.service
# disabled, where the first call starts the daemon, and enabled. Everything that go test said is kept in build/boot-test/, with the consoles.
# What is missing is installed where that can be done (root and apt-get) and named otherwise. There is a deadline of BOOT_TEST_SECONDS (1800) for the boots.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
. cross/target.sh

logs=build/boot-test
failed=()
deadline=$((SECONDS + ${BOOT_TEST_SECONDS:-1800}))

# boot NAME MODE [GO TEST ARGUMENT]...
boot() {
	local left=$((deadline - SECONDS)) name=$1 mode=$2 began=$SECONDS
	shift 2
	if [ $left -le 0 ]; then
		echo "no time is left for $name, $mode"
		failed+=("$name-$mode")
		return
	fi
	printf '\n== %s booted, halberd.service %s\n' "$name" "$mode"
	BOOT_SECONDS=$((left < 780 ? left : 780)) CGO_ENABLED=0 GOOS=linux GOARCH=$goarch GOARM=$goarm \
		go test -vet=off -count=1 -timeout 30m -v -tags boot -exec "$PWD/rootfs/image/boot.sh $name $mode" "$@" ./rootfs/boottest 2>&1 |
		tee "$logs/$name-$mode.txt" | awk -v platform="$name, $mode" -v skips="$logs/$name-$mode.skips" -f cross/testlog.awk
	[ "${PIPESTATUS[0]}" = 0 ] || failed+=("$name-$mode")
	grep -h 'measured: ' "$logs/$name-$mode.txt" | sed 's/^ *[^ ]*: //'
	echo "$((SECONDS - began)) s"
}

[ $# -gt 0 ] && names=("$@") || mapfile -t names < <(tested_targets)
mkdir -p "$logs"
rm -f "$logs"/*.skips
rootfs/image/image.sh "${names[@]}" || exit
for name in "${names[@]}"; do
	find_target "$name" || exit
	boot "$name" disabled -skip '^TestEnabled'
	boot "$name" enabled -run '^TestEnabled'
done
printf '\n== skipped\n'
cat "$logs"/*.skips 2>/dev/null
[ ${#failed[@]} = 0 ] || { printf '\nFAILED: %s; the consoles are in %s\n' "${failed[*]}" "$logs"; exit 1; }
