#!/usr/bin/env bash
# Runs every fuzz target of the tree for FUZZTIME (60s), one after the other; exits non-zero when one of them found something.
set -euo pipefail
cd "$(dirname "$0")/.."

found=0
while IFS=: read -r file name; do
	echo "$name in ${file%/*}"
	go test -run '^$' -fuzz "^$name\$" -fuzztime "${FUZZTIME:-60s}" "${file%/*}" || found=1
done < <(grep -roP --include='*_test.go' '^func \KFuzz\w+' . | sort)
exit $found
