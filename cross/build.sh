#!/usr/bin/env bash
# usage: cross/build.sh all | (host | NAME)...
#
# Builds both programs as static binaries that carry no path and no build identifier: for this machine into build/, for the targets of
# the table into build/NAME/. VERSION overrides what `git describe` says.
set -euo pipefail
cd "$(dirname "$0")/.."
. cross/target.sh

version=${VERSION:-$(git describe --tags --always --dirty 2>/dev/null || echo devel)}

# Functions of what no call goes through are not inlined: 0.26 MB of the daemon for armv7. For each package the last pattern holds.
module=$(go list -m)
compile=()
for cold in "$module"/{hal,init,cmd,service/config,service/sandbox,service/keep,service/claim,service/audit,service/listen,service/state}/... reflect fmt encoding/base64 path/filepath os/user github.com/BurntSushi/toml/... encoding/json log/slog time flag; do
	compile+=("-gcflags=$cold=-l")
done
for hot in "$module"/hal{,/wire,/gpio,/kernel}; do
	compile+=("-gcflags=$hot=")
done

# build FOLDER: for the platform that the environment names.
build() {
	mkdir -p "$1"
	CGO_ENABLED=0 go build -trimpath -buildvcs=false "${compile[@]}" -ldflags "-s -w -buildid= -X main.version=$version" \
		-o "$1/" ./cmd/halberd ./cmd/halctl
}

# build_target NAME
build_target() {
	if [ "$1" = host ]; then build build; return; fi
	find_target "$1" || { echo "cannot build for $1: cross/targets has no such name" >&2; return 2; }
	GOOS=linux GOARCH=$goarch GOARM=$goarm build "build/$1"
	stat -c '%n %s bytes' "build/$1/halberd" "build/$1/halctl"
}

[ $# -gt 0 ] || { sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2; }
names=("$@")
if [ "$1" = all ]; then mapfile -t names < <(all_targets); fi
for name in "${names[@]}"; do build_target "$name"; done
