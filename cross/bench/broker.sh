#!/usr/bin/env bash
# usage: unshare -m cross/bench/broker.sh SOCKET
#
# Becomes a dbus-broker that listens at SOCKET, without the systemd that it expects: with a journal that takes everything.
set -euo pipefail

mount -t tmpfs none /run/systemd
mkdir -p /run/systemd/journal
setpriv --pdeathsig KILL systemd-socket-activate -d -l /run/systemd/journal/socket cat >/dev/null 2>&1 &
until [ -S /run/systemd/journal/socket ]; do sleep 0.05; done
exec systemd-socket-activate -l "$1" -E XDG_RUNTIME_DIR -E DBUS_SESSION_BUS_ADDRESS \
	dbus-broker-launch --scope user --config-file=/usr/share/dbus-1/session.conf
