# shellcheck shell=bash
# Makes sure that programs are there; sourced by the other scripts here.

absent=()

# install_packages PACKAGE...: with apt, as root; the lists are fetched only when the install fails without.
install_packages() {
	local options=(-qq -o DPkg::Lock::Timeout=120)
	[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
	export DEBIAN_FRONTEND=noninteractive
	echo "installing $*" >&2
	apt-get "${options[@]}" install -y --no-install-recommends "$@" >/dev/null 2>&1 && return
	apt-get "${options[@]}" update >&2 &&
		apt-get "${options[@]}" install -y --no-install-recommends "$@" >/dev/null
}

# present COMMAND[|COMMAND]: prints the path of the first one that is there.
present() {
	local command
	for command in ${1//|/ }; do
		command -v "$command" && return
	done
	return 1
}

# need COMMAND[|COMMAND] PACKAGE[,PACKAGE] LOSS: installs the packages when no such command is there. What stays away is remembered in
# `absent`, with what cannot be done without it.
need() {
	present "$1" >/dev/null && return
	# shellcheck disable=SC2086
	install_packages ${2//,/ } && present "$1" >/dev/null && return
	absent+=("${1//|/ or } is missing (Debian package ${2//,/, }): skipped: $3")
	return 1
}
