# shellcheck shell=bash
# What the scripts here share; sourced by them, in the folder of the project. Sets `cache`.
. cross/target.sh
. cross/tools.sh

PATH=$PATH:/usr/sbin:/sbin
cache=${XDG_CACHE_HOME:-~/.cache}/halberd
work=

die() { echo "${0##*/}: $*" >&2; exit 1; }

# enter NAME: looks the target up, and makes a work folder that goes away with the script. It is in the cache, to be renamed from.
enter() {
	find_target "$1" || die "cross/targets has no $1"
	case $debian in
	arm64) kernel=arm64 ;;
	armhf) kernel=armmp ;;
	*) die "there is no image for $1" ;;
	esac
	mkdir -p "$cache"
	work=$(mktemp -d "$cache/.work.XXXXXX")
	trap 'rm -rf "$work"' EXIT
}

# key FILE...: a name for what is made from the words on standard input and from these files of the recipe.
key() { (cat; cat "$@") | sha256sum | cut -c1-16; }

# keep NAME: puts $work/new into the cache under that name, whole or not at all, removes what it replaces, and prints its path.
keep() {
	mv -T "$work/new" "$cache/$1" 2>/dev/null || [ -e "$cache/$1" ] || die "$cache/$1 cannot be written"
	find "$cache" -mindepth 1 -maxdepth 1 -name "${1%-*}-????????????????" ! -name "$1" -mtime +7 -exec rm -rf {} +
	echo "$cache/$1"
}

# kernel_suite: the Debian suite whose 6.12 kernel was built with the compilers that this machine has, since modules are compiled for it here.
kernel_suite() {
	case $(. /etc/os-release; echo "${VERSION_CODENAME:-}") in
	bookworm) echo bookworm-backports ;;
	*) echo trixie ;;
	esac
}

# lists ARCHITECTURE SUITE...: sets APT_CONFIG to a private apt state with the package lists of the suites, at most a day old.
lists() {
	local folder
	folder=$cache/apt-$(IFS=-; echo "$*")
	if ! [ -n "$(find "$folder/fetched" -mtime -1 2>/dev/null)" ]; then
		cross/aptroot.sh "$folder" "$@" >/dev/null || [ -e "$folder/fetched" ] || die "no package lists for $*"
		touch "$folder/fetched"
	fi
	export APT_CONFIG=$folder/apt.conf
}

# as_root COMMAND...: as root, or as what looks like it to the files' owners.
as_root() {
	if [ "$(id -u)" = 0 ]; then "$@"; else unshare -r "$@"; fi
}

# set_machine: the emulated machine of the target, as a command without disks, in `machine`. Image and boot must agree about it, since its device tree is made from it.
set_machine() {
	local cpu
	case $debian in
	arm64) cpu=cortex-a53 ;;
	armhf) cpu=cortex-a15 ;;
	esac
	machine=("${qemu/qemu-/qemu-system-}" -machine virt -cpu "$cpu" -smp 2 -m 512)
}
