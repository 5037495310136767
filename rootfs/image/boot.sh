#!/usr/bin/env bash
# usage: rootfs/image/boot.sh NAME
#        rootfs/image/boot.sh NAME MODE PROGRAM [ARGUMENT]...
#
# The first form boots the image of the target NAME with its console here. The second is for `go test -exec`: it boots the image, runs the test
# program in it as root, prints what that prints, and exits as it does. MODE is `enabled` or `disabled`: whether halberd.service is enabled. The console
# goes to build/boot-test/NAME-MODE.log. A boot that does not end is ended after BOOT_SECONDS (420). The disk is left as it was.
# HALBERD_SOAK is handed on to the tests.
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
if [ $# -ge 3 ]; then
	program=$(realpath "$3")
fi
cd "$top"
. rootfs/image/lib.sh

[ $# = 1 ] || [ $# -ge 3 ] || { sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2; }
enter "$1"
set_machine
image=build/image/$1
[ -e "$image/disk" ] || die "there is no image of $1: make image"

quiet="console=ttyAMA0 quiet loglevel=4 panic=-1"
run=("${machine[@]}" -no-reboot -nodefaults -display none -kernel "$image/vmlinuz" -initrd "$image/initrd" -dtb "$image/board.dtb"
	-drive "if=none,id=root,file=$image/disk,format=raw,snapshot=on" -device virtio-blk-device,drive=root,serial=root)

if [ $# = 1 ]; then
	"${run[@]}" -append "$quiet" -serial mon:stdio
	exit
fi

target=$1
mode=$2
shift 3
case $mode in
enabled) append="$quiet systemd.show_status=0 systemd.wants=boot-test.service systemd.wants=first-reply.service" ;;
disabled) append="$quiet systemd.show_status=0 systemd.wants=boot-test.service halberd.disabled" ;;
*) die "there is no mode $mode" ;;
esac
append+=${HALBERD_SOAK:+ systemd.setenv=HALBERD_SOAK=$HALBERD_SOAK}
mkdir -p "$work/disk" build/boot-test
cp "$program" "$work/disk/test"
chmod 0755 "$work/disk" "$work/disk/test"
printf '%s\n' "$@" >"$work/disk/arguments"
mke2fs -q -F -t ext4 -O ^has_journal -m 0 -L boot-test -d "$work/disk" "$work/test" 64M >/dev/null
log=build/boot-test/$target-$mode.log

timeout --foreground "${BOOT_SECONDS:-420}" "${run[@]}" -append "$append" -serial "file:$log" \
	-drive "if=none,id=test,file=$work/test,format=raw,snapshot=on" -device virtio-blk-device,drive=test \
	-device virtio-serial-device -chardev file,id=test,path=/dev/stdout -device virtserialport,chardev=test,name=boot-test </dev/null |
	tr -d '\r' | awk -v console="$log" '
		/^boot-test: exit / { status = $3; ended = 1; next }
		{ print; fflush() }
		END { if (!ended) { print "the boot ended before its tests did; the console is in " console; status = 1 } exit status }'
