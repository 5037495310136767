#!/usr/bin/env bash
# Prints the path of a varlinkctl that runs here: the system's own, or one taken from Debian trixie's packages for this architecture
# and run with trixie's own C library. It is kept in the user's cache under a name made from the package versions; delete that folder
# to fetch newer ones. Nothing is installed, and root is not needed.
set -euo pipefail

suite=trixie
packages=(systemd libsystemd-shared libc6 libacl1 libaudit1 libblkid1 libcap2 libcap-ng0 libcrypt1 libmount1 libpam0g
	libpcre2-8-0 libseccomp2 libselinux1 libssl3t64 libzstd1 zlib1g)
here=$(cd "$(dirname "$0")" && pwd)
cache=${XDG_CACHE_HOME:-~/.cache}/halberd
work=

die() { echo "cannot provide varlinkctl: $*" >&2; exit 1; }

runs() { [ -x "$1" ] && "$1" --version >/dev/null 2>&1; }

# copy_libraries ROOT FOLDER: varlinkctl, the loader and every library that it names, into one flat folder.
copy_libraries() {
	local root=$1 folder=$2 loader library
	library=$(dirname "$root"/usr/lib/*-linux-gnu*/libc.so.6)
	loader=$(echo "$library"/ld-linux*.so.*)
	[ -f "$loader" ] || die "libc6 of $suite has no loader where it was looked for"
	mkdir -p "$folder"
	cp "$root/usr/bin/varlinkctl" "$folder/varlinkctl.bin"
	cp -L "$loader" "$folder/ld.so"
	"$loader" --library-path "$library:$library/systemd" --list "$root/usr/bin/varlinkctl" >"$work/list" ||
		die "its libraries are not complete: $(grep 'not found' "$work/list" | xargs)"
	awk -v root="$root/" 'index($3, root) == 1 { print $3 }' "$work/list" | xargs -I{} cp -L {} "$folder/"
}

# write_wrapper FOLDER HOME: the program that callers run, for a FOLDER that will be moved to HOME.
write_wrapper() {
	cat >"$1/varlinkctl" <<-END
		#!/bin/sh
		exec "$2/ld.so" --argv0 varlinkctl --library-path "$2" "$2/varlinkctl.bin" "\$@"
	END
	chmod 0755 "$1/varlinkctl"
}

fetch() {
	local architecture config key home
	architecture=$(dpkg --print-architecture)
	work=$(mktemp -d "$cache/.varlinkctl.XXXXXX")
	trap 'rm -rf "$work"' EXIT
	config=$("$here/aptroot.sh" "$work/apt" "$architecture" "$suite") || die "no package lists of $suite"
	mkdir "$work/debs" "$work/root" "$work/new"
	(cd "$work/debs" && APT_CONFIG=$config apt-get -qq download "${packages[@]}") >&2 || die "a package could not be fetched"
	key=$(cd "$work/debs" && printf '%s\n' *.deb | sha256sum | cut -c1-12)
	for package in "$work"/debs/*.deb; do
		dpkg-deb -x "$package" "$work/root"
	done
	home=$cache/varlinkctl-$architecture-$key
	copy_libraries "$work/root" "$work/new"
	write_wrapper "$work/new" "$home"
	chmod 0755 "$work/new"
	mv -T "$work/new" "$home" 2>/dev/null || [ -d "$home" ] || die "$home cannot be written"
	ln -s "$home" "$work/link" && mv -T "$work/link" "$cache/varlinkctl"
}

if command -v varlinkctl; then exit 0; fi
if ! runs "$cache/varlinkctl/varlinkctl"; then
	if ! { command -v apt-get && command -v dpkg-deb; } >/dev/null; then
		die "it is not installed (it comes with systemd 255), and without apt-get and dpkg-deb it cannot be taken from Debian"
	fi
	mkdir -p "$cache" || die "$cache cannot be made"
	fetch
	runs "$cache/varlinkctl/varlinkctl" || die "what was made from $suite's packages does not run here"
fi
readlink -f "$cache/varlinkctl/varlinkctl"
