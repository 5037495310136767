#!/usr/bin/env bash
# usage: rootfs/image/disk.sh NAME TREE MODULES FOLDER
#
# Lays the system of the tar file TREE, the kernel's MODULES, Halberd as it is built for the target NAME, and the files of the test board into
# FOLDER/root, and makes the file system FOLDER/disk of that. All files are root's: run it as root, or in a user namespace that looks like it.
set -euo pipefail
cd "$(dirname "$0")/../.."

[ $# = 4 ] || { sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2; }
root=$4/root

# lay: the system and what comes on top of it.
lay() {
	mkdir "$root"
	tar -C "$root" --no-same-owner -xpf "$2"
	cp -r "$3" "$root/usr/lib/modules"
	make -s install TARGET="$1" DESTDIR="$root"
	cp -r --preserve=mode rootfs/image/overlay/. "$root/"
	install -m 0644 service/client/python/halberd.py "$root/usr/lib/halberd-test/"
}

# settle: who is who, and which machine this is. A machine without an ID would set itself up anew at each boot.
settle() {
	cat rootfs/image/users >>"$root/etc/passwd"
	cat rootfs/image/groups >>"$root/etc/group"
	echo board >"$root/etc/hostname"
	echo 0123456789abcdef0123456789abcdef >"$root/etc/machine-id"
	touch "$root/etc/environment" "$root/etc/default/locale"
	: >"$root/etc/fstab"
}

# enable: what `systemctl enable` would do, and masks what a board without network and storage has no use for.
enable() {
	local unit target
	while read -r unit target; do
		mkdir -p "$root/etc/systemd/system/$target"
		ln -sf "/usr/lib/systemd/system/$unit" "$root/etc/systemd/system/$target/$unit"
	done < <(
		cd "$root/usr/lib/systemd/system"
		awk -F= '/^WantedBy=/ { n = split($2, t, " "); for (i = 1; i <= n; i++) print FILENAME, t[i] ".wants" }' halberd*.{socket,service} test-board.service
	)
	while read -r unit; do
		ln -sf /dev/null "$root/etc/systemd/system/$unit"
	done < <(grep -v '^#' rootfs/image/masked.txt)
}

umask 022
lay "$@"
settle
enable
mke2fs -q -F -t ext4 -O ^has_journal -m 0 -E lazy_itable_init=1 -d "$root" "$4/disk" 480M >/dev/null
