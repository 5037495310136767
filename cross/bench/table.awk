# Reads build/bench/raw.tsv and prints the tables: medians over the rounds. A ratio is the median of the ratios of single rounds, since what
# disturbs one round disturbs all servers in it.
#
#   CPUS  WORKLOAD  SERVER  p50  p99  p99.9  calls/s  processor time  switches
#   figure  NAME  VALUE  [VALUE]
BEGIN { FS = "\t"; split("p50 p99 p999 rate cpu switches", columns, " ") }

$1 == "figure" { figures[$2, ++times[$2]] = $3; second[$2] = $4; next }

{
	workload = $1 SUBSEP $2
	key = workload SUBSEP $3
	if (!(workload in first)) { first[workload] = key; workloads[++count] = workload }
	if (!(key in runs)) { servers[workload, ++size[workload]] = $3 }
	run = ++runs[key]
	for (i = 1; i <= 6; i++) { value[key, columns[i], run] = $(i + 3) }
}

# median sorts list[1..n], which is few.
function median(list, n,    i, j, t) {
	for (i = 2; i <= n; i++) {
		for (j = i; j > 1 && list[j - 1] > list[j]; j--) { t = list[j]; list[j] = list[j - 1]; list[j - 1] = t }
	}
	return n % 2 ? list[(n + 1) / 2] : (list[n / 2] + list[n / 2 + 1]) / 2
}

function of(key, column,    list, i) {
	for (i = 1; i <= runs[key]; i++) { list[i] = value[key, column, i] + 0 }
	return median(list, runs[key])
}

function ratio(key, base, column,    list, i, n) {
	for (i = 1; i <= runs[key] && i <= runs[base]; i++) {
		if (value[base, column, i] > 0) { list[++n] = value[key, column, i] / value[base, column, i] }
	}
	return n ? median(list, n) : 0
}

function figure(name,    list, i) {
	for (i = 1; i <= times[name]; i++) { list[i] = figures[name, i] + 0 }
	return times[name] ? median(list, times[name]) : ""
}

function number(x,    s) {
	if (x < 10) { return sprintf("%.2f", x) }
	if (x < 1000) { return sprintf("%.1f", x) }
	s = sprintf("%d", x)
	return length(s) > 3 ? substr(s, 1, length(s) - 3) "," substr(s, length(s) - 2) : s
}

function millions(x) { return x < 1e6 ? number(x) : sprintf("%.2f M", x / 1e6) }
function times_text(x) { return sprintf("%.2f×", x) }

function row(workload, server,    key, base) {
	key = workload SUBSEP server
	base = first[workload]
	printf "| %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", (server == base_name(workload) ? title(workload) : ""), server,
		number(of(key, "p50")), times_text(ratio(key, base, "p50")), number(of(key, "p99")), times_text(ratio(key, base, "p99")),
		number(of(key, "p999")), millions(of(key, "rate")), times_text(ratio(key, base, "rate")),
		(has_cpu(key) ? number(of(key, "cpu")) : "–"), (has_cpu(key) ? times_text(ratio(key, base, "cpu")) : "–"), (has_cpu(key) ? number(of(key, "switches")) : "–")
}

function has_cpu(key) { return of(key, "cpu") > 0 }
function base_name(workload) { return servers[workload, 1] }
function title(workload,    part) { split(workload, part, SUBSEP); return part[2] }

function table(cpus,    i, j, part) {
	print "| call | server | p50 µs | × | p99 µs | × | p99.9 µs | calls/s | × | CPU µs | × | switches |"
	print "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
	for (i = 1; i <= count; i++) {
		split(workloads[i], part, SUBSEP)
		if (part[1] != cpus) { continue }
		for (j = 1; j <= size[workloads[i]]; j++) { row(workloads[i], servers[workloads[i], j]) }
	}
	print ""
}

function folded(summary, cpus) {
	print "<details><summary>" summary "</summary>\n"
	table(cpus)
	print "</details>\n"
}

# target prints a row of the targets: at most the limit, or at least it where sign is -1.
function target(name, limit, unit, sign, a, b,    met) {
	met = verdict(a, limit, sign)
	if (b != "") { met = met == verdict(b, limit, sign) ? met : met " / " verdict(b, limit, sign) }
	printf "| %s | %s %s%s | %s | %s | %s |\n", name, (sign > 0 ? "≤" : "≥"), limit, unit, with_unit(a, unit), (b == "" ? "" : with_unit(b, unit)), met
}

function with_unit(x, unit) { return x == "" ? show(x) : show(x) unit }
function show(x) { return x == "" ? "not measured" : sprintf("%.2f", x) }
function verdict(x, limit, sign) { return x == "" ? "not measured" : sign * x <= sign * limit ? "met" : sprintf("missed by %d %%", 0.5 + 100 * (sign > 0 ? x / limit - 1 : 1 - x / limit)) }

function compared(cpus, workload, base, column,    key, other) {
	key = cpus SUBSEP workload SUBSEP "Halberd"
	other = cpus SUBSEP workload SUBSEP base
	return (key in runs) && (other in runs) ? ratio(key, other, column) : ""
}

function both(name, limit, sign, workload, base, column, flip,    a, b) {
	a = compared(1, workload, base, column); b = compared(2, workload, base, column)
	if (flip) { a = a == "" ? "" : 1 / a; b = b == "" ? "" : 1 / b }
	target(name, limit, "×", sign, a, b)
}

function grown(cpus,    few, many) {
	few = cpus SUBSEP "Growth" SUBSEP "10 grants, 1 connection"
	many = cpus SUBSEP "Growth" SUBSEP "10,000 grants, 10,000 idle connections"
	return (few in runs) && (many in runs) ? ratio(many, few, "p50") : ""
}

function mebibytes(x) { return x == "" ? "" : x / 1024 }
function each(total, none, n) { return total == "" ? "" : (total - none) / n }

function targets(    types, i, t) {
	print "| target | | 1 CPU | 2 CPUs | |"
	print "|---|---|--:|--:|---|"
	split("STREAM SEQPACKET DGRAM", types, " ")
	for (i = 1; i <= 3; i++) {
		t = types[i]
		both("p50, 1 client, " t ", against C blocking", i < 3 ? 1.2 : 1.1, 1, t ", 1 client", "C, blocking", "p50")
		both("p99, the same", 1.5, 1, t ", 1 client", "C, blocking", "p99")
	}
	both("faster than sd-bus over dbus-daemon", 4, -1, "STREAM, 1 client", "sd-bus over dbus-daemon", "p50", 1)
	both("64 clients, STREAM, calls/s against a C thread each", 1, -1, "STREAM, 64 clients", "C, a thread per connection", "rate")
	both("the same, CPU per call", 0.75, 1, "STREAM, 64 clients", "C, a thread per connection", "cpu")
	both("STREAM, 32 in flight, calls/s against C blocking", 0.8, -1, "STREAM, 32 in flight", "C, blocking", "rate")
	target("p50, 10,000 grants and idle peers against 10 and 1", 1.05, "×", 1, grown(1), grown(2))
	one_targets()
}

function one_targets(    n) {
	target("system calls per call, SEQPACKET", 3.2, "", 1, figure("syscalls seqpacket"), "")
	target("the same, STREAM", 3.2, "", 1, figure("syscalls stream"), "")
	target("allocations per call", 2, "", 1, figure("allocations stream"), "")
	target("resident memory, idle", 8, " MB", 1, mebibytes(figure("memory 0")), "")
	n = most_idle()
	target("own memory per idle connection (" n " of them)", 1, " kB", 1, each(second["memory " n], second["memory 0"], n), "")
	target("cold start, against a C static daemon", 4, "×", 1, figure("cold c") ? figure("cold halberd") / figure("cold c") : "", "")
	target("armv7 size, stripped", 5, " MB", 1, figure("size armv7") / 1e6, "")
	print ""
}

function most_idle(    name, part, most) {
	for (name in times) {
		if (split(name, part, " ") == 2 && part[1] == "memory" && part[2] + 0 > most + 0) { most = part[2] }
	}
	return most
}

function more(    n) {
	n = most_idle()
	print "| figure | |"
	print "|---|---|"
	printf "| cold start: connect to first reply by activation, of it C static | %.1f ms, %.1f ms |\n", figure("cold halberd") / 1e3, figure("cold c") / 1e3
	printf "| resident memory of Halberd at 0, 1,000 and %s idle connections | %.1f, %.1f, %.1f MB |\n", number(n), mebibytes(figure("memory 0")),
		mebibytes(figure("memory 1000")), mebibytes(figure("memory " n))
	printf "| of it its own | %.1f, %.1f, %.1f MB |\n", mebibytes(second["memory 0"]), mebibytes(second["memory 1000"]), mebibytes(second["memory " n])
	printf "| resident memory of the C server with 1,000 threads, of it its own | %.1f, %.1f MB |\n", mebibytes(figure("memory threads 1000")),
		mebibytes(second["memory threads 1000"])
	printf "| system calls per call on STREAM, SEQPACKET, DGRAM | %s, %s, %s |\n", show(figure("syscalls stream")), show(figure("syscalls seqpacket")),
		show(figure("syscalls dgram"))
	printf "| size: here, arm64, armv7; the C server | %.2f, %.2f, %.2f; %.2f MB |\n", figure("size .") / 1e6, figure("size arm64") / 1e6,
		figure("size armv7") / 1e6, figure("size server") / 1e6
	print ""
}

function said(name) { return figures[name, 1] }

END {
	printf "Measured on %s: %s, Linux %s, %s, gcc %s, load %s at the start, commit %s. Medians of %d interleaved rounds of %s s each.\n\n",
		said("date"), said("cpu"), said("kernel"), said("go"), said("gcc"), said("load"), said("version"), said("runs"), second["runs"]
	targets()
	more()
	folded("All rows, client and server on one CPU, as on a small board", 1)
	folded("All rows, on two CPUs", 2)
	for (i = 1; i <= times["missing"]; i++) { printf "- %s\n", figures["missing", i] }
}
