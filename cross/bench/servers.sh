# shellcheck shell=bash
# Starts and ends the servers of the benchmark; sourced by bench.sh, which sets out, bin and idle.

declare -A pid=() # of a server, by its name: the processes whose time is counted, separated by commas
started=()        # every process, to be ended

# in_background COMMAND...: starts it and remembers it.
in_background() {
	"$@" >>"$out/servers.log" 2>&1 </dev/null &
	started+=($!)
}

end_all() {
	[ ${#started[@]} = 0 ] || kill "${started[@]}" 2>/dev/null || true
	started=()
}

# wait_for ADDRESS: until somebody serves there, 10 s at most.
wait_for() {
	local name=${1#*:}
	for _ in $(seq 200); do
		! grep -qF -- "$name" /proc/net/unix || return 0
		sleep 0.05
	done
	echo "cannot start a server at $1; $out/servers.log may say why" >&2
	return 1
}

# c_server NAME CPUS KIND ADDRESS
c_server() {
	in_background taskset -c "$2" "$bin/server" "$3" "$4"
	pid[$1]=$!
}

# halberd NAME CPUS CONFIG PREFIX: a daemon with a simulated board, at PREFIX for each type of socket.
halberd() {
	in_background taskset -c "$2" build/halberd -sim -config "$3" -listen "stream:$4" -listen "seqpacket:$4" -listen "dgram:$4"
	pid[$1]=$!
	wait_for "dgram:$4"
}

# write_config FOLDER GRANTS: of these grants half are the caller's, for other devices, and the last one is what permits the calls. A file has
# 2,000 of them: a longer one would be refused.
write_config() {
	rm -rf "$1" && mkdir -p "$1/policy.d"
	printf '[limits]\nconnections = 30000\nconnections-per-uid = 30000\n' >"$1/halberd.toml"
	awk -v count="$2" -v uid="$(id -u)" -v folder="$1/policy.d" '
		function grant(id, user, methods, devices) {
			printf "[[grant]]\nid = \"%s\"\nusers = [%d]\nmethods = [\"%s\"]\ndevices = [\"%s\"]\n\n", id, user, methods, devices >file
		}
		BEGIN {
			for (i = 1; i < count; i++) {
				file = sprintf("%s/%02d.toml", folder, i / 2000)
				grant("other-" i, i % 2 ? uid : 20000 + i, "io.halberd.Gpio.*", "line-" i)
			}
			file = folder "/99.toml"
			grant("own", uid, "io.halberd.*", "*")
		}'
}

# dbus_daemon NAME CPUS: with a service on it.
dbus_daemon() {
	local at=$PWD/$out/$1.sock bus
	in_background taskset -c "$2" dbus-daemon --config-file=/usr/share/dbus-1/session.conf --address="unix:path=$at" --nofork
	bus=$!
	bus_service "$1" "$2" "$at" "$bus"
}

# bus_service NAME CPUS PATH PID,…: the service, once the bus is there.
bus_service() {
	wait_for ":$3" || return
	in_background taskset -c "$2" "$bin/bus" serve "unix:path=$3"
	pid[$1]=$4,$!
	bus_ready "$3"
}

bus_ready() {
	for _ in $(seq 40); do
		! "$bin/bus" call "unix:path=$1" 1 "$$" >/dev/null 2>&1 || return 0
		sleep 0.05
	done
	return 1
}

# dbus_broker NAME CPUS: its launcher wants the journal's socket, and a bus to ask for units, so it gets the first one's, and a mount
# namespace of its own. The service's connection starts it.
dbus_broker() {
	local at=$PWD/$out/$1.sock launcher
	[ "$(id -u)" = 0 ] || return 1
	mkdir -p "$out/run"
	in_background env XDG_RUNTIME_DIR="$PWD/$out/run" DBUS_SESSION_BUS_ADDRESS="unix:path=$PWD/$out/daemon1.sock" \
		unshare -m taskset -c "$2" cross/bench/broker.sh "$at"
	launcher=$!
	bus_service "$1" "$2" "$at" "$launcher" || return
	pid[$1]=$(pgrep -P "$launcher" -x dbus-broker),${pid[$1]#*,}
}
