# Reads build/bench/raw.tsv and draws the medians of p50, of one client and one CPU, as bars on a logarithmic scale: an SVG for the README. It has no
# style of its own for dark pages: the text is grey, which both show.
BEGIN { FS = "\t"; left = 330; width = 820; bar = 18; step = 26; top = 44 }

$1 == 1 && $2 ~ /, 1 client$/ {
	key = $2 SUBSEP $3
	if (!(key in runs)) { keys[++count] = key }
	value[key, ++runs[key]] = $4 + 0
}

$1 == "figure" && $2 == "date" { date = $3 }
$1 == "figure" && $2 == "cpu" { cpu = $3 }

function median(key,    i, j, n, t, list) {
	n = runs[key]
	for (i = 1; i <= n; i++) {
		list[i] = value[key, i]
		for (j = i; j > 1 && list[j - 1] > list[j]; j--) { t = list[j]; list[j] = list[j - 1]; list[j - 1] = t }
	}
	return n % 2 ? list[(n + 1) / 2] : (list[n / 2] + list[n / 2 + 1]) / 2
}

function x(us) { return left + (width - left - 80) * log(us) / log(1000) }
function text(at, y, anchor, s) { printf "<text x=\"%.0f\" y=\"%.0f\" text-anchor=\"%s\">%s</text>\n", at, y, anchor, s }

function draw(key, y,    part, us, name) {
	split(key, part, SUBSEP)
	us = median(key)
	name = part[2]
	sub(/, 1 client$/, "", part[1])
	if (name ~ /^(C, blocking|C, epoll|Halberd)$/) { name = name ", " part[1] }
	text(left - 8, y + bar - 5, "end", name)
	printf "<rect x=\"%d\" y=\"%.0f\" width=\"%.1f\" height=\"%d\" fill=\"%s\"/>\n", left, y, x(us) - left, bar, (part[2] == "Halberd" ? "#c0392b" : "#95a5a6")
	text(x(us) + 6, y + bar - 5, "start", sprintf(us < 100 ? "%.1f µs" : "%.0f µs", us))
}

function grid(height,    us) {
	for (us = 1; us <= 1000; us *= 10) {
		printf "<line x1=\"%.0f\" y1=\"%d\" x2=\"%.0f\" y2=\"%d\" stroke=\"#cccccc\"/>\n", x(us), top - 6, x(us), height - 10
		text(x(us), top - 12, "middle", us " µs")
	}
}

END {
	height = top + count * step + 10
	printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" font-family=\"sans-serif\" font-size=\"12\" fill=\"#777777\">\n", width, height
	text(8, 16, "start", "One call, median, one client, one CPU; " cpu ", " date)
	grid(height)
	for (i = 1; i <= count; i++) { draw(keys[i], top + (i - 1) * step) }
	print "</svg>"
}
