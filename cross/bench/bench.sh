#!/usr/bin/env bash
# usage: cross/bench/bench.sh
#
# Halberd beside the floor and beside what it would be replaced by, in one run: every round measures each server once, so that what else goes on
# on this machine meets them all, and the table has medians over the rounds. Everything is local: Unix sockets and the loopback.
#
# BENCH_SECONDS (0.4) is how long one measurement takes, BENCH_ROUNDS (5) how often each is made, BENCH_CPUS (0,1) which processors are used where it
# is two; the last of them is the one where it is one. Leaves build/bench/raw.tsv, table.md and, with `make plots`, *.svg.
set -euo pipefail
cd "$(dirname "$0")/../.."
. cross/tools.sh

seconds=${BENCH_SECONDS:-0.4}
rounds=${BENCH_ROUNDS:-5}
two=${BENCH_CPUS:-0,1}
one=${two##*,}
out=build/bench
bin=$out/bin
raw=$out/raw.tsv
idle=10000
at=halberd-bench-$$
unset LISTEN_FDS LISTEN_PID LISTEN_FDNAMES NOTIFY_SOCKET
. cross/bench/servers.sh

compile() {
	local program=$1
	shift
	gcc -O2 -Wall -Wextra -pthread -o "$bin/$program" "$@"
}

build() {
	mkdir -p "$bin"
	need gcc gcc,libc6-dev "everything" || { printf '%s\n' "${absent[@]}" >&2; exit 1; }
	(cd cross/bench && out= bin=../../$bin &&
		compile client -static client.c measure.c socket.c &&
		compile server -static server.c measure.c socket.c &&
		compile activate -static activate.c measure.c socket.c &&
		compile tool -static tool.c)
	cross/build.sh host armv7 arm64 >"$out/sizes"
}

# build_bus: sd-bus has no static library, and what else it takes may be missing.
build_bus() {
	local loss="sd-bus over message buses"
	need dbus-daemon dbus-daemon "$loss" || return
	echo '#include <systemd/sd-bus.h>' | gcc -E - >/dev/null 2>&1 || install_packages libsystemd-dev ||
		{ absent+=("systemd/sd-bus.h is missing (Debian package libsystemd-dev): skipped: $loss"); return 1; }
	(cd cross/bench && bin=../../$bin && compile bus bus.c measure.c -lsystemd)
}

# start_servers SUFFIX CPUS: one of each, for one number of processors. The suffix is 1 or 2.
start_servers() {
	local type
	for type in stream seqpacket; do
		c_server "block-$type$1" "$2" block "$type:@$at-b$1"
		c_server "epoll-$type$1" "$2" epoll "$type:@$at-e$1"
		c_server "threads-$type$1" "$2" threads "$type:@$at-t$1"
	done
	c_server "block-dgram$1" "$2" block "dgram:@$at-b$1"
	c_server "epoll-dgram$1" "$2" epoll "dgram:@$at-e$1"
	c_server "tcp$1" "$2" block "tcp:$((20000 + $$ % 10000 + $1))"
	halberd "halberd$1" "$2" "$out/small" "@$at-h$1"
	halberd "few$1" "$2" "$out/few" "@$at-f$1"
	halberd "many$1" "$2" "$out/many" "@$at-m$1"
	in_background "$bin/client" -k -i "$idle" "stream:@$at-m$1"
}

start_buses() {
	local buses
	build_bus || return 0
	dbus_daemon daemon1 "$one" && dbus_daemon daemon2 "$two" || absent+=("dbus-daemon does not start: skipped")
	need dbus-broker dbus-broker "sd-bus over dbus-broker" && need systemd-socket-activate systemd "sd-bus over dbus-broker" || return 0
	dbus_broker broker1 "$one" && dbus_broker broker2 "$two" && return
	unset 'pid[broker1]' 'pid[broker2]'
	absent+=("dbus-broker does not start here (it needs root, and expects systemd): skipped")
}

# limits: two descriptors of two processes for each connection.
limits() {
	local most
	ulimit -n "$(ulimit -Hn)"
	most=$(ulimit -n)
	if [ "$most" != unlimited ] && [ "$most" -lt $((idle + 500)) ]; then
		idle=$((most - 500))
		absent+=("a process may have $most descriptors here: $idle idle connections instead of 10,000")
	fi
}

# row CPUS WORKLOAD SERVER COMMAND...: measures once, and appends to the raw figures.
row() {
	local cpus=$1 workload=$2 server=$3 line
	shift 3
	if line=$(taskset -c "$([ "$cpus" = 1 ] && echo "$one" || echo "$two")" "$@" 2>>"$out/servers.log"); then
		printf '%s\t%s\t%s\t%s\n' "$cpus" "$workload" "$server" "$line" >>"$raw"
	else
		echo "cannot measure $workload, $server; $out/servers.log may say why" >&2
	fi
}

# calls CPUS WORKLOAD SERVER NAME ADDRESS [OPTION]...
calls() {
	local cpus=$1 workload=$2 server=$3 name=$4 address=$5
	shift 5
	row "$cpus" "$workload" "$server" "$bin/client" -t "$msec" -p "${pid[$name]}" "$@" "$address"
}

# clients CPUS TYPE COUNT: what to compare with is the first one.
clients() {
	local c=$1 type=$2 count=$3 workload
	workload="${type^^}, $count client$([ "$count" = 1 ] || echo s)"
	if [ "$count" = 1 ] || [ "$type" = dgram ]; then
		calls "$c" "$workload" "C, blocking" "block-$type$c" "$type:@$at-b$c" -c "$count"
	else
		calls "$c" "$workload" "C, a thread per connection" "threads-$type$c" "$type:@$at-t$c" -c "$count"
	fi
	calls "$c" "$workload" "C, epoll" "epoll-$type$c" "$type:@$at-e$c" -c "$count"
	calls "$c" "$workload" "Halberd" "halberd$c" "$type:@$at-h$c" -c "$count"
}

pipelined() {
	local c=$1 type=$2 workload="${2^^}, 32 in flight"
	calls "$c" "$workload" "C, blocking" "block-$type$c" "$type:@$at-b$c" -d 32
	calls "$c" "$workload" "C, epoll" "epoll-$type$c" "$type:@$at-e$c" -d 32
	calls "$c" "$workload" "Halberd" "halberd$c" "$type:@$at-h$c" -d 32
}

# others CPUS: what one would use instead, beside the first row of STREAM with one client.
others() {
	local c=$1 workload="STREAM, 1 client" bus
	calls "$c" "$workload" "C, blocking, TCP on the loopback, 16 bytes" "tcp$c" "tcp:$((20000 + $$ % 10000 + c))"
	for bus in daemon broker; do
		[ -z "${pid[$bus$c]:-}" ] ||
			row "$c" "$workload" "sd-bus over dbus-$bus" "$bin/bus" call "unix:path=$PWD/$out/$bus$c.sock" "$msec" "${pid[$bus$c]}"
	done
	row "$c" "$workload" "fork and exec of a static tool" "$bin/client" -t "$msec" "exec:$bin/tool"
}

# slow CPUS: a device on a slow bus is the worker's of that bus, so a call is handed over twice.
slow() {
	local c=$1
	calls "$c" "Sensor.Get" "on the loop" "halberd$c" "stream:@$at-h$c" -m '{"method":"io.halberd.Sensor.Get","parameters":{"sensor":"supply"}}'
	calls "$c" "Sensor.Get" "through a bus's worker" "halberd$c" "stream:@$at-h$c" -m '{"method":"io.halberd.Sensor.Get","parameters":{"sensor":"board"}}'
}

growth() {
	local c=$1
	calls "$c" "Growth" "10 grants, 1 connection" "few$c" "stream:@$at-f$c"
	calls "$c" "Growth" "10,000 grants, 10,000 idle connections" "many$c" "stream:@$at-m$c"
}

round() {
	local c type
	for c in 1 2; do
		for type in stream seqpacket dgram; do
			clients "$c" "$type" 1
			[ "$type" != stream ] || others "$c"
		done
		growth "$c"
		slow "$c"
		for type in stream seqpacket dgram; do
			clients "$c" "$type" 8
			clients "$c" "$type" 64
			[ "$type" = dgram ] || pipelined "$c" "$type"
		done
	done
}

# figure NAME VALUE...
figure() { (IFS=$'\t'; echo "figure	$*" >>"$raw"); }

memory() {
	local count
	halberd memory "$two" "$out/small" "@$at-r"
	for count in 0 1000 "$idle"; do
		figure "memory $count" "$("$bin/client" -i "$count" -p "${pid[memory]}" "stream:@$at-r")"
	done
	c_server memory-threads "$two" threads "stream:@$at-rt"
	wait_for "stream:@$at-rt"
	figure "memory threads 1000" "$("$bin/client" -i 1000 -p "${pid[memory-threads]}" "stream:@$at-rt")"
}

# cold: activation by the first connection, in turns.
cold() {
	for _ in $(seq 3); do
		"$bin/activate" 8 "stream:@$at-a" "$bin/server" block "stream:@$at-a" | sed 's/^/figure\tcold c\t/' >>"$raw"
		"$bin/activate" 8 "stream:@$at-a" build/halberd -sim -config "$out/small" | sed 's/^/figure\tcold halberd\t/' >>"$raw"
	done
}

# system_calls TYPE: of the daemon per call, one client.
system_calls() {
	local tracer count line
	strace -f -c -o "$out/strace" -p "${pid[halberd1]}" 2>/dev/null &
	tracer=$!
	for _ in $(seq 100); do
		grep -q '^TracerPid:[[:space:]]*0$' "/proc/${pid[halberd1]}/status" || break
		sleep 0.05
	done
	sleep 0.3
	line=$(taskset -c "$one" "$bin/client" -t 500 "$1:@$at-h1")
	kill -INT "$tracer" && wait "$tracer" || true
	count=$(awk '$NF == "total" { print ($3 ~ /^[0-9]+$/ && NF < 6) ? $3 : $4 }' "$out/strace")
	figure "syscalls $1" "$(awk -v n="$count" '{ printf "%.2f", n / ($4 * 0.5 + 20) }' <<<"$line")"
}

allocations() {
	go test -run '^$' -bench 'BenchmarkCall' -benchtime 20000x ./service |
		awk '/^BenchmarkCall/ { split($1, name, /[\/-]/); for (i = 1; i < NF; i++) { if ($(i + 1) == "allocs/op") { a = $i }; if ($(i + 1) == "ns/op") { t = $i } }
			printf "figure\tallocations %s\t%s\t%s\n", name[2], a, t }' >>"$raw"
}

sizes() {
	local name
	for name in . armv7 arm64; do
		figure "size $name" "$(stat -c %s "build/$name/halberd")"
	done
	figure "size server" "$(stat -c %s "$bin/server")"
}

environment() {
	figure "date" "$(date -u +%Y-%m-%d)"
	figure "cpu" "$(awk -F ': ' '/^model name|^Model/ { print $2; exit }' /proc/cpuinfo) × $(nproc) ($(uname -m))"
	figure "kernel" "$(uname -r)"
	figure "go" "$(go env GOVERSION)"
	figure "gcc" "$(gcc -dumpfullversion)"
	figure "load" "$(cut -d ' ' -f 1 /proc/loadavg)"
	figure "runs" "$rounds" "$seconds"
	figure "version" "$(git describe --tags --always --dirty 2>/dev/null || echo unknown)"
}

others_once() {
	memory
	cold
	sizes
	allocations
	need strace strace "system calls per call" || return 0
	for type in stream seqpacket dgram; do system_calls "$type"; done
}

main() {
	build
	rm -f "$raw" "$out/servers.log"
	msec=$(awk -v s="$seconds" 'BEGIN { printf "%d", s * 1000 }')
	trap end_all EXIT
	environment
	limits
	write_config "$out/small" 100
	write_config "$out/few" 10
	write_config "$out/many" 10000
	start_servers 1 "$one"
	start_servers 2 "$two"
	start_buses
	for i in $(seq "$rounds"); do
		echo "round $i of $rounds" >&2
		round
	done
	others_once
	for missing in "${absent[@]}"; do figure missing "$missing"; done
	awk -f cross/bench/table.awk "$raw" >"$out/table.md"
	cat "$out/table.md"
}

main
