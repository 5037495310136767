#!/usr/bin/env bash
# usage: cross/fuzz.sh [NAME]
#
# Runs every fuzz target of the tree for FUZZTIME (60s), one after the other, or those with NAME in theirs (Valid: FuzzValid); exits non-zero when one of them found something.
set -euo pipefail
cd "$(dirname "$0")/.."

found=0
while IFS=: read -r file name; do
	echo "$name in ${file%/*}"
	go test </dev/null -run '^$' -fuzz "^$name\$" -fuzztime "${FUZZTIME:-60s}" "${file%/*}" || found=1
done < <(grep -roP --include='*_test.go' '^func \KFuzz\w*'"${1:-}"'\w*' . | sort)
exit $found
