#!/usr/bin/env bash
# usage: rootfs/image/image.sh NAME...
#
# Makes a bootable system with Halberd for each target NAME in build/image/NAME/: vmlinuz, initrd, board.dtb (the simulated board of
# board.dts) and disk (ext4, by disk.sh). Debian's kernel and system come from kernel.sh and tree.sh, cached; the rest is made anew.
set -euo pipefail
cd "$(dirname "$0")/../.."
. rootfs/image/lib.sh

# pack_initrd FILE: busybox, the modules of the disk, and the script that goes on from there.
pack_initrd() {
	local folder=$work/initrd module number=100
	mkdir -p "$folder"/{bin,dev,proc,sys,new,modules}
	tar -C "$folder" --strip-components=3 -xf "$tree" ./usr/bin/busybox
	mv "$folder/busybox" "$folder/bin/"
	ln -s busybox "$folder/bin/sh"
	install -m 0755 rootfs/image/init "$folder/init"
	for module in $(modprobe -d "$linux" -S "$(<"$linux/release")" -a --show-depends virtio_mmio virtio_blk ext4 |
		awk '$1 == "insmod" && !seen[$2]++ { print $2 }'); do
		number=$((number + 1))
		cp "$module" "$folder/modules/$number-$(basename "$module")"
	done
	(cd "$folder" && find . | cpio -o -H newc --quiet -R 0:0) | gzip -1 >"$1"
}

# describe_board FILE: QEMU's own device tree and ours.
describe_board() {
	"${machine[@]}" -machine "dumpdtb=$work/virt.dtb" -nodefaults -display none 2>"$work/qemu.log" || die "$(<"$work/qemu.log")"
	dtc -q -I dtb -O dts -o "$work/board.dts" "$work/virt.dtb"
	cat rootfs/image/board.dts >>"$work/board.dts"
	dtc -q -I dts -O dtb -o "$1" "$work/board.dts"
}

make_image() {
	name=$1
	enter "$name"
	set_machine
	[ -e "build/image/$name/disk" ] || echo "making an image of $name: some minutes the first time, with 320 MB of packages" >&2
	echo "looking up the packages of the kernel for $name" >&2
	linux=$(rootfs/image/kernel.sh "$name")
	echo "looking up the packages of the system for $name" >&2
	tree=$(rootfs/image/tree.sh "$name")
	echo "putting the image of $name together" >&2
	cross/build.sh host "$name"
	mkdir -p "build/image/$name"
	cp "$linux/vmlinuz" "$work/"
	pack_initrd "$work/initrd.gz"
	describe_board "$work/board.dtb"
	as_root rootfs/image/disk.sh "$name" "$tree" "$linux/lib/modules" "$work"
	mv "$work/vmlinuz" "$work/board.dtb" "$work/disk" "build/image/$name/"
	mv "$work/initrd.gz" "build/image/$name/initrd"
	rm -rf "$work"
	echo "build/image/$name: $(du -sh "build/image/$name" | cut -f1), Linux $(<"$linux/release")"
}

[ $# -gt 0 ] || { sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2; }
need "qemu-system-aarch64" qemu-system-arm "the images" || die "${absent[*]}"
need dtc device-tree-compiler "the images" || die "${absent[*]}"
need mke2fs e2fsprogs "the images" || die "${absent[*]}"
need cpio cpio "the images" || die "${absent[*]}"
for each in "$@"; do make_image "$each"; done
