package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/service/attack"
	"github.com/halberd-io/halberd/service/peer"
	"github.com/halberd-io/halberd/service/servicetest"
)

// failing are system calls that the daemon makes for its peers, with what the kernel may answer them. Not among them is epoll_pwait, in which the daemon is when strace leaves it: strace would give
// it another error then. EINTR the runtime itself brings about there, all day long.
var failing = []struct{ call, errnos string }{
	{"accept4", "EMFILE ENFILE ENOBUFS ENOMEM ECONNABORTED EPERM"},
	{"epoll_ctl", "ENOMEM ENOSPC"},
	{"recvmsg", "ENOMEM ENOBUFS ECONNRESET EINTR"},
	{"sendto", "ENOBUFS ENOMEM EPIPE EAGAIN EINTR"},
	{"sendmsg", "ENOBUFS ENOMEM EPIPE EAGAIN EINTR"},
	{"getsockopt", "ENOMEM ENOPROTOOPT"},
	{"setsockopt", "ENOMEM EPERM"},
	{"ioctl", "ENOMEM"},
	{"shutdown", "ENOTCONN"},
	{"openat", "EMFILE ENFILE ENOMEM EIO EINTR"},
	{"fcntl", "EMFILE"},
	{"read", "EINTR"},
}

// patterns are which of the calls fail, as strace says it: each thread's first one, and then every second, third or seventh.
var patterns = []string{"1", "1+2", "2+3", "3+7"}

// TestEachSystemCallFails lets system calls of a daemon fail while it is called. Whoever calls is answered or loses the connection, and nobody waits for ever; when nothing fails any more all is as
// before.
func TestEachSystemCallFails(t *testing.T) {
	skipEmulated(t)
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip(err)
	}
	p := startPrey(t, "")
	r := raw(t, peer.Stream, p.name)
	answers(t, r, attack.VictimCall, attack.VictimReply)
	answers(t, r, reload, `{"parameters":`)
	r.Close()
	before := descriptorsOf(t, p.process)
	total := 0
	for _, row := range failing {
		hits := 0
		for _, errno := range strings.Fields(row.errnos) {
			for _, when := range patterns[:some()] {
				t.Run(row.call+" "+errno+" "+when, func(t *testing.T) {
					stop := inject(t, strace, p, fmt.Sprintf("inject=%s:error=%s:when=%s", row.call, errno, when))
					for i := range 6 {
						tried(t, p, connections[i%2])
					}
					hits += stop()
					healthy(t, p)
				})
			}
		}
		if hits == 0 {
			t.Logf("%s was not called", row.call)
		}
		total += hits
	}
	t.Logf("%d system calls failed", total)
	if total == 0 {
		t.Error("no system call failed")
	}
	attack.Settled(t, "descriptors", before, func() int { return descriptorsOf(t, p.process) })
	p.terminate(t)
}

// some is how many of the patterns there is time for.
func some() int {
	if os.Getenv("HALBERD_SOAK") != "" {
		return len(patterns)
	}
	return 2
}

// inject attaches strace to the daemon, with all its threads, until stop, which says how many calls failed.
func inject(t *testing.T, strace string, p *prey, what string) (stop func() int) {
	t.Helper()
	call, _, _ := strings.Cut(strings.TrimPrefix(what, "inject="), ":")
	log := filepath.Join(t.TempDir(), "calls")
	cmd := exec.Command(strace, "-f", "-p", fmt.Sprint(p.Process.Pid), "-e", "trace="+call, "-e", what, "-o", log)
	said, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(said)
	if !lines.Scan() || !strings.Contains(lines.Text(), "attached") {
		_ = cmd.Wait()
		t.Skipf("strace: %s", lines.Text())
	}
	go func() {
		for lines.Scan() { // each thread
		}
	}()
	return func() int {
		if err := cmd.Process.Signal(unix.SIGINT); err != nil {
			t.Error(err)
		}
		_ = cmd.Wait() // it was interrupted
		text, err := os.ReadFile(log)
		if err != nil {
			t.Error(err)
		}
		return strings.Count(string(text), "(INJECTED)")
	}
}

// openPort has a reply with a descriptor.
const openPort = `{"method":"io.halberd.Serial.Open","parameters":{"port":"modem","baud":9600}}`

// tried connects and calls, in every way that must not hang. Whether it is answered is the same.
func tried(t *testing.T, p *prey, kind peer.Transport) {
	t.Helper()
	r, err := servicetest.Dial(kind, p.name)
	if err != nil {
		return
	}
	defer r.Close()
	for _, call := range []string{attack.VictimCall, attack.SetLine("relay-pump", 1), reload, openPort, openPort, strings.Repeat("x", 70_000)} {
		got, err := r.Call(call)
		if err == unix.EAGAIN {
			t.Fatalf("%s: nothing came in ten seconds", call)
		}
		if err != nil || got == "" {
			return
		}
	}
}

// healthy expects that everything works.
func healthy(t *testing.T, p *prey) {
	t.Helper()
	eventually(t, "it accepts again", func() bool {
		r, err := servicetest.Dial(peer.Stream, p.name)
		if err != nil {
			return false
		}
		defer r.Close()
		got, err := r.Call(attack.VictimCall)
		return err == nil && got == attack.VictimReply
	})
	for _, kind := range transports {
		answers(t, raw(t, kind, p.name), attack.VictimCall, attack.VictimReply)
	}
	answers(t, raw(t, peer.Stream, p.name), reload, `{"parameters":`)
}
