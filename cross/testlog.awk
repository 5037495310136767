# Reads what `go test -v` prints and shows what people read: go test's own closing line of each package, the messages of each failed
# test, and whatever is no test's (compile errors, panics). Set platform; the count of skipped tests, by reason, goes to the file `skips`.

function trimmed(s) { sub(/^ +/, "", s); return s }

/^=== (RUN|CONT|NAME) / {
	current = $3
	if ($2 == "RUN") { said[current] = reason[current] = "" }
	next
}
/^=== PAUSE / { current = ""; next }

/^ *--- (PASS|SKIP|FAIL): / {
	test = $3
	tests++
	if ($2 == "SKIP:") {
		why = reason[test] == "" ? "no reason given" : reason[test]
		if (!(why in count)) { order[++reasons] = why }
		count[why]++
		skipped++
	}
	if ($2 == "FAIL:") { printf "%s\n%s", $0, said[test] }
	current = ""
	next
}

/^(ok|FAIL|\?) *\t/ {
	if ($1 == "FAIL" && current != "" && !dying) { printf "ended within %s\n%s", current, said[current] }
	print
	dying = 0
	current = ""
	next
}
/^(PASS|FAIL)$/ { next }
/^(panic:|fatal error:|unexpected fault|SIG[A-Z]+:|signal:|qemu: )/ { dying = 1; if (current != "") { printf "%s", said[current] } }
dying || current == "" { print; next }

{
	said[current] = said[current] $0 "\n"
	if ($0 ~ /^ +[^ :]+\.go:[0-9]+: /) {
		reason[current] = trimmed($0)
		sub(/^[^:]+:[0-9]+: /, "", reason[current])
	}
}

END {
	printf "%s: %d of %d tests skipped\n", platform, skipped, tests > skips
	for (i = 1; i <= reasons; i++) { printf "%6d  %s\n", count[order[i]], order[i] > skips }
}
