#!/usr/bin/env bash
# usage: rootfs/image/tree.sh NAME
#
# Prints a tar file with a Debian system for the target NAME: systemd, D-Bus, udev, varlinkctl, gpiod, i2c-tools, Python and a shell, unpacked from packages
# without running anything of theirs. It has no kernel, no users but root, and nothing of Halberd. Cached by the versions of the packages.
set -euo pipefail
cd "$(dirname "$0")/../.."
. rootfs/image/lib.sh

suite=trixie
packages=(systemd systemd-sysv udev kmod dbus dash bash coreutils util-linux mount login passwd base-files base-passwd grep sed procps
	libpam-modules libnss-systemd i2c-tools gpiod iproute2 hostname busybox-static python3 less gawk ncurses-base)
# What a board of a product would not have either.
left_out=(./usr/share/{doc,man,locale,i18n,zoneinfo,zsh,fish,lintian,info} ./usr/lib/udev/hwdb.d ./var/cache)

unpack() {
	mkdir -p "$work/debs/partial" "$work/tree"/usr/{bin,sbin,lib}
	apt-get -qq -y -o Dir::Cache::archives="$work/debs/" --download-only install "${packages[@]}" >&2 ||
		die "the packages of $suite for $debian could not be fetched"
	for link in bin sbin lib; do ln -s "usr/$link" "$work/tree/$link"; done
	for package in "$work"/debs/*.deb; do
		dpkg-deb --fsys-tarfile "$package" |
			tar -C "$work/tree" -x -p --keep-directory-symlink --no-same-owner "${left_out[@]/#/--exclude=}"
		rm "$package"
	done
}

# settle: what the packages' own scripts would have done, as far as it is needed.
settle() {
	local tree=$work/tree
	cp "$tree/usr/share/base-passwd/passwd.master" "$tree/etc/passwd"
	cp "$tree/usr/share/base-passwd/group.master" "$tree/etc/group"
	sed -i 's/^root:\*:/root::/' "$tree/etc/passwd"
	printf 'passwd: files systemd\ngroup: files systemd\nshadow: files\n' >"$tree/etc/nsswitch.conf"
	mkdir -p "$tree"/{proc,sys,dev,run,tmp,root,mnt,var/tmp} "$tree/etc/pam.d"
	chmod 1777 "$tree/tmp" "$tree/var/tmp"
	echo 'auth sufficient pam_unix.so nullok' >"$tree/etc/pam.d/common-auth"
	for kind in account password session; do
		echo "$kind sufficient pam_unix.so" >"$tree/etc/pam.d/common-$kind"
	done
	cp "$tree/etc/pam.d/common-session" "$tree/etc/pam.d/common-session-noninteractive"
	[ -e "$tree/usr/bin/awk" ] || ln -s gawk "$tree/usr/bin/awk"
}

[ $# = 1 ] || { sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2; }
enter "$1"
lists "$debian" "$suite"
versions=$(apt-get -s -y install "${packages[@]}" | grep '^Inst ') || die "$suite for $debian is not complete just now"
name=tree-$1-$(echo "$versions" | key rootfs/image/{tree.sh,lib.sh})
if [ -e "$cache/$name" ]; then
	echo "$cache/$name"
else
	echo "making a system of $suite for $1 ($(wc -l <<<"$versions") packages)" >&2
	unpack
	settle
	tar -C "$work/tree" -c --owner=0 --group=0 --numeric-owner -f "$work/new" .
	keep "$name"
fi
