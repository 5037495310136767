#!/usr/bin/env bash
# usage: cross/base-image.sh [NAME]
#
# Makes the base image of the Dockerfile where no container registry can be reached: Debian trixie from this machine's mirror, with a C
# compiler, make, git and this machine's Go in /usr/local/go, as golang:1.26-trixie has them. NAME is localhost/halberd-go:trixie.
# Needs root, Go, buildah and mmdebstrap (Debian packages). STORAGE_DRIVER=vfs helps where overlay file systems cannot be mounted.
set -euo pipefail

suite=trixie
name=${1:-localhost/halberd-go:$suite}
here=$(cd "$(dirname "$0")" && pwd)

for program in buildah mmdebstrap go; do
	command -v "$program" >/dev/null || { echo "cannot make a base image: $program is missing" >&2; exit 1; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$here/aptroot.sh" "$work/apt" "$(dpkg --print-architecture)" "$suite" >/dev/null
mmdebstrap --quiet --variant=minbase --include=ca-certificates,gcc,libc6-dev,make,git "$suite" "$work/root.tar" \
	"$work/apt/etc/apt/sources.list"
container=$(buildah from scratch)
buildah add --quiet "$container" "$work/root.tar" / >/dev/null
buildah copy --quiet "$container" "$(go env GOROOT)" /usr/local/go >/dev/null
buildah config --env PATH=/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
	--env GOTOOLCHAIN=local --env GOPATH=/go --cmd bash "$container"
buildah commit --quiet --rm "$container" "$name" >/dev/null
echo "$name"
