# shellcheck shell=bash disable=SC2034
# Reads the target table; sourced by the other scripts here.
targets=${BASH_SOURCE[0]%/*}/targets

# all_targets: the names, one a line.
all_targets() {
	awk '!/^#/ && NF { print $1 }' "$targets"
}

# tested_targets: the names whose last column is yes.
tested_targets() {
	awk '!/^#/ && $7 == "yes" { print $1 }' "$targets"
}

# find_target NAME: sets goarch, goarm, qemu, debian and triplet; fails for an unknown name.
find_target() {
	local row
	row=$(awk -v name="$1" '!/^#/ && $1 == name' "$targets")
	[ -n "$row" ] || return 1
	read -r _ goarch goarm qemu debian triplet _ <<<"$row"
	[ "$goarm" != - ] || goarm=
}
