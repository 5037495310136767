package main

import (
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// manager is a service manager that is told how the daemon is.
type manager struct{ *net.UnixConn }

func startManager(t *testing.T, address string) manager {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: address, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return manager{conn}
}

// hears waits for the next message, other than those that the daemon is alive, and checks its lines: one that ends in = need only begin so.
func (m manager) hears(t *testing.T, lines ...string) {
	t.Helper()
	got := m.next(t)
	for got == "WATCHDOG=1" {
		got = m.next(t)
	}
	all := strings.Split(got, "\n")
	fits := len(all) == len(lines)
	for i := 0; fits && i < len(lines); i++ {
		prefix, open := strings.CutSuffix(lines[i], "=")
		fits = all[i] == lines[i] || open && strings.HasPrefix(all[i], prefix+"=") && len(all[i]) > len(lines[i])
	}
	if !fits {
		t.Fatalf("got %q, want %q", all, lines)
	}
}

func (m manager) next(t *testing.T) string {
	t.Helper()
	buf := make([]byte, 4096)
	if err := m.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	n, err := m.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	return string(buf[:n])
}

// TestNotify: the service manager is told that the daemon is ready, reloads and stops.
func TestNotify(t *testing.T) {
	dir := folder(t, map[string]string{"policy.d/10.toml": pumpGrant})
	for _, address := range []string{name(), filepath.Join(dir, "notify")} {
		m := startManager(t, address)
		at := "stream:" + name()
		cmd := daemon(t, "-sim", "-config", dir, "-listen", at)
		cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+address)
		p := start(t, cmd)
		m.hears(t, "READY=1", "STATUS=policy generation 1")
		whoAmI(t, at)
		p.signal(t, unix.SIGHUP)
		m.hears(t, "RELOADING=1", "MONOTONIC_USEC=")
		m.hears(t, "READY=1", "STATUS=policy generation 2")
		write(t, dir, map[string]string{"policy.d/10.toml": "nonsense"})
		p.signal(t, unix.SIGHUP)
		m.hears(t, "RELOADING=1", "MONOTONIC_USEC=")
		m.hears(t, "READY=1", "STATUS=policy generation 2")
		p.signal(t, unix.SIGTERM)
		m.hears(t, "STOPPING=1")
		p.exits(t, 0)
		write(t, dir, map[string]string{"policy.d/10.toml": pumpGrant})
	}
}

// TestKeepAlive: the manager's watchdog hears again and again that the loop goes round.
func TestKeepAlive(t *testing.T) {
	address := name()
	m := startManager(t, address)
	cmd := daemon(t, "-sim", "-listen", "stream:"+name())
	cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+address, "WATCHDOG_USEC=20000")
	p := start(t, cmd)
	for alive := 0; alive < 5; {
		if m.next(t) == "WATCHDOG=1" {
			alive++
		}
	}
	p.signal(t, unix.SIGTERM)
	m.hears(t, "STOPPING=1")
	p.exits(t, 0)
}

// TestNoManager: without a watchdog nothing is said about being alive, and a manager that is gone keeps nobody from serving.
func TestNoManager(t *testing.T) {
	address, at := name(), "stream:"+name()
	cmd := daemon(t, "-sim", "-listen", at)
	cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+address, "WATCHDOG_USEC=20000")
	p := start(t, cmd)
	p.stderr.await(t, "cannot notify the service manager")
	whoAmI(t, at)
	p.terminate(t)
}
