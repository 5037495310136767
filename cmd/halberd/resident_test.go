package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/service/peer"
	"github.com/halberd-io/halberd/service/servicetest"
)

const (
	mostIdle   = 40 << 20 // bytes that are resident with 10,000 idle connections
	mostBusy   = 64 << 20 // and whatever peers do, with the limits that are the default
	whoAmICall = `{"method":"io.halberd.Policy.WhoAmI"}`
)

// resident gives what of a process is in memory now and was at most, in bytes.
func (p *process) resident(t *testing.T) (now, most int) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) != 3 || fields[2] != "kB" {
			continue
		}
		n, err := strconv.Atoi(fields[1])
		if err != nil {
			t.Fatal(err)
		}
		switch fields[0] {
		case "VmRSS:":
			now = n << 10
		case "VmHWM:":
			most = n << 10
		}
	}
	if now == 0 || most == 0 {
		t.Fatalf("the kernel does not tell what is resident: %s", text)
	}
	return now, most
}

// skipUnlessMeasurable skips a test of memory where something else than the daemon would be measured, too.
func (p *process) skipUnlessMeasurable(t *testing.T) {
	t.Helper()
	info, _ := debug.ReadBuildInfo()
	for _, s := range info.Settings {
		if s.Key == "-race" && s.Value == "true" {
			t.Skip("the race detector's own memory would be counted")
		}
	}
	exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", p.Process.Pid))
	if err != nil {
		t.Skip(err)
	}
	if strings.HasPrefix(filepath.Base(exe), "qemu-") {
		t.Skip("the emulator's own memory would be counted")
	}
}

// needDescriptors skips a test where this process may not have so many.
func needDescriptors(t *testing.T, count uint64) {
	t.Helper()
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if limit.Cur < count {
		t.Skipf("this process may have %d descriptors, and %d are needed (RLIMIT_NOFILE)", limit.Cur, count)
	}
}

// TestResidentIdle: 10,000 connections that were served once and are idle need little.
func TestResidentIdle(t *testing.T) {
	const connections = 10_000
	servicetest.SkipUnlessRoot(t)
	needDescriptors(t, connections+500)
	dir := folder(t, map[string]string{
		"policy.d/10.toml": grantSelf("io.halberd.Gpio.*"),
		"halberd.toml":     fmt.Sprintf("[limits]\nconnections = %d\nconnections-per-uid = %d\n", connections+100, connections+100),
	})
	at := name()
	p := startSim(t, append(everywhere(at), "-config", dir)...)
	p.skipUnlessMeasurable(t)
	empty, _ := p.resident(t)
	for i := range connections {
		r := dial(t, []peer.Transport{peer.Stream, peer.Seqpacket}[i%2], at)
		if got, err := r.Call(whoAmICall); err != nil || !strings.HasPrefix(got, `{"parameters":{"uid":0,`) {
			t.Fatalf("connection %d: got %s, %v", i, got, err)
		}
	}
	now, most := p.resident(t)
	t.Logf("%d kB are resident with %d idle connections, %d kB at most, %d kB without any", now>>10, connections, most>>10, empty>>10)
	if most > mostIdle {
		t.Errorf("%d bytes are resident, want no more than %d", most, mostIdle)
	}
}

// dial connects and closes at the end of the test.
func dial(t *testing.T, kind peer.Transport, at string) *servicetest.Raw {
	t.Helper()
	r, err := servicetest.Dial(kind, at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// push sends messages until the connection takes no more.
func push(t *testing.T, r *servicetest.Raw, msg string) {
	t.Helper()
	if err := unix.SetNonblock(r.FD, true); err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		if r.Send([]byte(msg)) != nil {
			return
		}
	}
}

// attacks are what peers do to make the daemon hold as much as they can, on as many connections of as many uids as they get.
var attacks = []struct {
	name string
	kind peer.Transport
	do   func(t *testing.T, r *servicetest.Raw)
}{
	{"replies that nobody reads", peer.Stream, func(t *testing.T, r *servicetest.Raw) { push(t, r, describeGpio+"\x00") }},
	{"packets that nobody reads", peer.Seqpacket, func(t *testing.T, r *servicetest.Raw) { push(t, r, describeGpio) }},
	{"messages that are never finished", peer.Stream, func(t *testing.T, r *servicetest.Raw) { push(t, r, `{"method":"`+strings.Repeat("x", 65_000)) }},
	{"calls of the full length", peer.Stream, func(t *testing.T, r *servicetest.Raw) {
		push(t, r, `{"method":"org.varlink.service.GetInterfaceDescription","parameters":{"interface":"`+strings.Repeat("x", 65_000)+"\"}}\x00")
	}},
	{"watches of which nobody reads the events", peer.Stream, func(t *testing.T, r *servicetest.Raw) {
		push(t, r, `{"method":"io.halberd.Gpio.Watch","parameters":{"lines":["relay-pump","button"]},"more":true}`+"\x00")
	}},
	{"datagrams of the full length", peer.Datagram, func(t *testing.T, r *servicetest.Raw) {
		push(t, r, `{"method":"io.halberd.Gpio.`+strings.Repeat("x", 65_000)+`"}`)
	}},
}

const describeGpio = `{"method":"org.varlink.service.GetInterfaceDescription","parameters":{"interface":"io.halberd.Gpio"}}`

// TestResidentUnderAttack: whatever many uids do on all connections that they get, what is resident stays bounded, and root is served.
func TestResidentUnderAttack(t *testing.T) {
	const uids, each = 20, 64 // more than there is room for
	servicetest.SkipUnlessRoot(t)
	needDescriptors(t, uids*each+500)
	dir := folder(t, map[string]string{"policy.d/10.toml": "[[grant]]\nid = \"all\"\nusers = [0, \"2000-3000\"]\nmethods = [\"io.halberd.*\"]\ndevices = [\"*\"]\n"})
	for _, attack := range attacks {
		t.Run(attack.name, func(t *testing.T) {
			at := name()
			p := startSim(t, append(everywhere(at), "-config", dir)...)
			p.skipUnlessMeasurable(t)
			for i := range uids {
				servicetest.AsUID(t, 2000+i, func() {
					for range each {
						attack.do(t, dial(t, attack.kind, at))
					}
				})
			}
			r := dial(t, peer.Seqpacket, at)
			for range 100 {
				if got, err := r.Call(`{"method":"io.halberd.Policy.Status"}`); err != nil || !strings.HasPrefix(got, `{"parameters":{"version"`) {
					t.Fatalf("root: got %s, %v", got, err)
				}
			}
			now, most := p.resident(t)
			t.Logf("%d kB are resident, %d kB at most", now>>10, most>>10)
			if most > mostBusy {
				t.Errorf("%d bytes are resident, want no more than %d", most, mostBusy)
			}
		})
	}
}
