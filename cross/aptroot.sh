#!/usr/bin/env bash
# usage: cross/aptroot.sh FOLDER ARCHITECTURE SUITE...
#
# Makes a private apt state in FOLDER for one Debian architecture, fetches the package lists of the suites, and prints the path of
# its configuration: `APT_CONFIG=that apt-get download …` then works without root and never touches this machine's own packages.
# The mirror and the transport settings (proxy, retries) are those of this machine.
set -euo pipefail

die() { echo "cannot make an apt state: $*" >&2; exit 1; }

[ $# -ge 3 ] || die "usage: cross/aptroot.sh FOLDER ARCHITECTURE SUITE..."
mkdir -p "$1"
root=$(cd "$1" && pwd)
architecture=$2
shift 2

# mirror: the address of the Debian archive in this machine's apt sources; its label is known only once lists were fetched.
mirror() {
	# shellcheck disable=SC2016
	apt-get indextargets --format '$(LABEL)|$(REPO_URI)' 'Created-By: Packages' |
		awk -F'|' '$1 == "Debian" { print $2; found = 1; exit }
			$2 ~ /\/debian\/?$/ && guess == "" { guess = $2 }
			END { if (!found && guess != "") print guess }'
}

keyring() {
	local file
	for file in /usr/share/keyrings/debian-archive-keyring.{gpg,pgp}; do
		[ -e "$file" ] && echo "$file" && return
	done
}

transport() {
	apt-config dump | grep -E '^Acquire::(http|https|Retries|Check-|Force|Queue)' || true
}

command -v apt-get >/dev/null || die "there is no apt-get"
uri=$(mirror)
[ -n "$uri" ] || die "no Debian mirror in this machine's apt sources"
keys=$(keyring) || true
[ -n "$keys" ] || die "the package debian-archive-keyring is missing"

mkdir -p "$root"/etc/apt/{preferences.d,apt.conf.d,trusted.gpg.d} "$root"/var/lib/apt/lists/partial \
	"$root"/var/cache/apt/archives/partial "$root"/var/lib/dpkg
: >"$root/var/lib/dpkg/status"
printf "deb [signed-by=$keys] $uri %s main\n" "$@" >"$root/etc/apt/sources.list"
cat >"$root/apt.conf" <<END
Dir "$root";
Dir::State::status "$root/var/lib/dpkg/status";
Dir::Etc "$root/etc/apt";
APT::Architecture "$architecture";
APT::Architectures { "$architecture"; };
APT::Install-Recommends "false";
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::GzipIndexes "true";
$(transport)
END
APT_CONFIG=$root/apt.conf apt-get -qq -eany update >&2 || die "the package lists could not be fetched from $uri"
echo "$root/apt.conf"
