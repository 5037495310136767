package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/service/attack"
	"github.com/halberd-io/halberd/service/peer"
	"github.com/halberd-io/halberd/service/servicetest"
)

const getPump = `{"method":"io.halberd.Gpio.Get","parameters":{"line":"relay-pump"}}`

// raw connects with a bare socket.
func raw(t *testing.T, kind peer.Transport, name string) *servicetest.Raw {
	t.Helper()
	r, err := servicetest.Dial(kind, name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// answers expects that a call is answered.
func answers(t *testing.T, r *servicetest.Raw, call, want string) {
	t.Helper()
	if got, err := r.Call(call); err != nil || !strings.HasPrefix(got, want) {
		t.Fatalf("%s: got %q, %v, want %s", call, got, err, want)
	}
}

func descriptorsOf(t *testing.T, p *process) int {
	t.Helper()
	all, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// TestFullTable: a daemon without a descriptor left turns connections away, does not spin, serves those it has, and serves new ones when there is room again.
func TestFullTable(t *testing.T) {
	p := startPrey(t, "connections-per-uid = 1000\n")
	kept := raw(t, peer.Seqpacket, p.name)
	answers(t, kept, attack.VictimCall, attack.VictimReply)
	before := descriptorsOf(t, p.process)
	few := unix.Rlimit{Cur: uint64(before + 20), Max: uint64(before + 20)}
	if err := unix.Prlimit(p.Process.Pid, unix.RLIMIT_NOFILE, &few, nil); err != nil {
		t.Skipf("prlimit: %v", err)
	}
	var open []*servicetest.Raw
	const full = "cannot accept a connection"
	for i := 0; i < 200 && !strings.Contains(p.stderr.String(), full); i++ {
		r, err := servicetest.Dial(connections[i%2], p.name)
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, r)
		_, _ = r.Call(attack.VictimCall) // answered, or turned away
	}
	p.stderr.await(t, full)
	for range 200 {
		answers(t, kept, attack.VictimCall, attack.VictimReply)
	}
	if n := strings.Count(p.stderr.String(), full); n > 50 {
		t.Errorf("it tried %d times to accept a connection", n)
	}
	for _, r := range open {
		r.Close()
	}
	attack.Settled(t, "descriptors", before, func() int { return descriptorsOf(t, p.process) })
	eventually(t, "there is room again", func() bool {
		r, err := servicetest.Dial(peer.Stream, p.name)
		if err != nil {
			return false
		}
		defer r.Close()
		got, err := r.Call(attack.VictimCall)
		return err == nil && got == attack.VictimReply
	})
	p.terminate(t)
}

var connections = transports[:2]

// eventually waits until f holds.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !f(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not after 30 s: %s", what)
		}
	}
}

// TestColdStart: what waits at the sockets when the daemon is started, as much as there is room for, is answered, every call of it.
func TestColdStart(t *testing.T) {
	servicetest.SkipUnlessRoot(t)
	at := name()
	var files []*os.File
	for _, kind := range transports {
		files = append(files, bind(t, kind, at))
	}
	dir := folder(t, map[string]string{"policy.d/10.toml": attack.Policy, "halberd.toml": "[limits]\nconnections = 2000\nconnections-per-uid = 2000\n"})
	const waiting, calls = 250, 4
	var open []*servicetest.Raw
	for range waiting {
		for _, kind := range connections {
			r := raw(t, kind, at)
			for range calls {
				if err := r.Write(attack.VictimCall); err != nil {
					t.Fatal(err)
				}
			}
			open = append(open, r)
		}
	}
	sender, datagrams := raw(t, peer.Datagram, at), 0
	for unix.Sendto(sender.FD, []byte(attack.VictimCall), unix.MSG_DONTWAIT, &unix.SockaddrUnix{Name: at}) == nil {
		datagrams++
	}
	p := passed(t, []string{"-config", dir}, files, "LISTEN_FDS=3")
	for i, r := range open {
		for range calls {
			if got, err := r.Read(); got != attack.VictimReply || err != nil {
				t.Fatalf("connection %d: got %q, %v", i, got, err)
			}
		}
	}
	for range datagrams {
		if got, err := sender.Read(); got != attack.VictimReply || err != nil {
			t.Fatalf("a datagram: got %q, %v", got, err)
		}
	}
	t.Logf("%d connections with %d calls each, and %d datagrams waited", len(open), calls, datagrams)
	p.terminate(t)
}

// TestDiedBeforeAccept: what a process sent that is gone when its connection is accepted is done in its name: what it may do, and nothing else.
func TestDiedBeforeAccept(t *testing.T) {
	for _, kind := range transports {
		t.Run(kind.String(), func(t *testing.T) {
			p := startPrey(t, "")
			p.signal(t, unix.SIGSTOP)
			o := attack.Leave(t, p.target, kind, oneway(attack.SetLine("relay-pump", 1)), oneway(attack.SetLine("relay-up", 1)))
			p.signal(t, unix.SIGCONT)
			if o != "" {
				t.Error(o)
			}
			r := raw(t, peer.Seqpacket, p.name)
			eventually(t, "what it may do is done", func() bool {
				got, err := r.Call(getPump)
				return err == nil && got == `{"parameters":{"value":1}}`
			})
			p.stderr.await(t, "decision=denied method=io.halberd.Gpio.Set verb=control uid=4711")
			answers(t, r, `{"method":"io.halberd.Gpio.Get","parameters":{"line":"relay-up"}}`, attack.VictimReply)
			p.terminate(t)
		})
	}
}

func oneway(call string) string { return strings.TrimSuffix(call, "}") + `,"oneway":true}` }

// TestUnmapped: in a user namespace that does not know the caller's uid, the caller is nobody, whom no grant covers, whatever range it has.
func TestUnmapped(t *testing.T) {
	servicetest.SkipUnlessRoot(t)
	at := name()
	dir := folder(t, map[string]string{"policy.d/10.toml": `[[grant]]
id = "all"
users = ["0-61183", "65520-65533", "65535-4294967294"]
methods = ["io.halberd.*"]
devices = ["*"]
`})
	cmd := daemon(t, append([]string{"-sim", "-config", dir}, everywhere(at)...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER, UidMappings: []syscall.SysProcIDMap{{HostID: 0, Size: 1}}, GidMappings: []syscall.SysProcIDMap{{HostID: 0, Size: 1}}}
	p := start(t, cmd)
	p.stdout.await(t, serving)
	for _, kind := range transports {
		answers(t, raw(t, kind, at), getPump, `{"parameters":`)
		for call, want := range map[string]string{getPump: `{"error":"org.varlink.service.PermissionDenied"`, `{"method":"io.halberd.Policy.WhoAmI"}`: `{"parameters":{"uid":65534,"gid":65534,`} {
			if got := attack.CallAs(t, attack.Attacker, kind, at, call); !strings.HasPrefix(got, want) {
				t.Errorf("%s: %s: got %s, want %s", kind, call, got, want)
			}
		}
	}
	p.terminate(t)
}

// TestEarlyDatagrams: what was sent before the daemon's socket reports credentials has none, and is not carried out; the next one is.
func TestEarlyDatagrams(t *testing.T) {
	servicetest.SkipUnlessRoot(t)
	at := name()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrUnix{Name: at})
	}
	if err != nil {
		t.Fatal(err)
	}
	early := file(t, fd, at)
	r := raw(t, peer.Datagram, at)
	for range 3 {
		if err := r.Write(attack.SetLine("relay-pump", 1)); err != nil {
			t.Fatal(err)
		}
	}
	p := passed(t, nil, []*os.File{early}, "LISTEN_FDS=1")
	for range 3 {
		if got, err := r.Read(); err != nil || !strings.HasPrefix(got, `{"error":"org.varlink.service.PermissionDenied"`) {
			t.Errorf("got %q, %v, want it denied", got, err)
		}
	}
	answers(t, r, getPump, `{"parameters":{"value":0}}`)
	answers(t, r, attack.SetLine("relay-pump", 1), `{"parameters":{}}`)
	p.terminate(t)
}

// badFiles are what somebody could put in the place of a file of the policy. The daemon reads none of them, waits for none, and stays as it is.
var badFiles = []struct {
	name string
	make func(path string) error
}{
	{"a FIFO", func(path string) error { return unix.Mkfifo(path, 0o644) }},
	{"a folder", func(path string) error { return os.Mkdir(path, 0o755) }},
	{"a socket", func(path string) error {
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		return unix.Bind(fd, &unix.SockaddrUnix{Name: path})
	}},
	{"a device", func(path string) error { return unix.Mknod(path, unix.S_IFCHR|0o644, int(unix.Mkdev(1, 5))) }},
	{"a link to a device", func(path string) error { return os.Symlink("/dev/zero", path) }},
	{"a link to nowhere", func(path string) error { return os.Symlink("/nowhere/at/all", path) }},
	{"a link to itself", func(path string) error { return os.Symlink(path, path) }},
	{"a link to a folder", func(path string) error { return os.Symlink("/", path) }},
	{"a link to what is no policy", func(path string) error { return os.Symlink("/proc/self/status", path) }},
	{"a link through a folder of another", func(path string) error {
		dir := filepath.Join(filepath.Dir(filepath.Dir(path)), "others")
		return errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(dir+"/grants", nil, 0o644), os.Chown(dir, 4711, 4711), os.Symlink(dir+"/grants", path))
	}},
	{"of another owner", func(path string) error { return errors.Join(os.WriteFile(path, nil, 0o644), os.Chown(path, 4711, 0)) }},
	{"its group may write", withMode(0o664)},
	{"everybody may write", withMode(0o646)},
	{"a grant without an end", withText("[[grant]]\nid = \"half\n")},
	{"NUL bytes", withText(attack.GrantVictim + "\x00")},
	{"nothing but NUL bytes", withMany("", "\x00", 4096, "")},
	{"bad UTF-8", withText("# \xff\xfe\n")},
	{"UTF-16", withText("\xff\xfe[\x00[\x00")},
	{"carriage returns", withText("[[grant]]\rid = 1")},
	{"a huge line", withMany("# ", "x", 20<<20, "")},
	{"a huge number of grants", withMany("", "[[grant]]\n", 200_000, "")},
	{"many grants", withMany("", "[[grant]]\n", 2_000, "")},
	{"deep arrays", withMany("a = ", "[", 100_000, "")},
	{"deep tables", withMany("[", "a.", 100_000, "a]\n")},
	{"the same id", withText(attack.GrantVictim)},
	{"another file's table", withText("[limits]\nconnections = 2\n")},
	{"everything for everybody, in other letters", withText("[[Grant]]\nid = \"x\"\nusers = [\"0-4294967294\"]\nmethods = [\"io.halberd.*\"]\ndevices = [\"*\"]\n")},
}

func withMode(mode os.FileMode) func(string) error {
	return func(path string) error { return errors.Join(os.WriteFile(path, nil, 0o644), os.Chmod(path, mode)) }
}

func withText(text string) func(string) error {
	return func(path string) error { return os.WriteFile(path, []byte(text), 0o644) }
}

// withMany makes its text when it is wanted: this program is the daemon, too, whose memory is looked at.
func withMany(before, text string, n int, after string) func(string) error {
	return func(path string) error { return withText(before + strings.Repeat(text, n) + after)(path) }
}

const reload = `{"method":"io.halberd.Policy.Reload"}`

// TestBadFiles: whatever stands where a file of the policy should, a reload says that it cannot be and everything stays as it is; a victim notices nothing.
func TestBadFiles(t *testing.T) {
	p := startPrey(t, "")
	r := raw(t, peer.Stream, p.name)
	answers(t, r, reload, `{"parameters":`)
	before := descriptorsOf(t, p.process)
	attack.Beside(t, p.target, "bad files", func() {
		for _, row := range badFiles {
			t.Run(row.name, func(t *testing.T) {
				path := filepath.Join(p.dir, "policy.d/20.toml")
				if err := row.make(path); err != nil {
					t.Skip(err)
				}
				answers(t, r, reload, `{"error":"io.halberd.BadConfiguration"`)
				p.signal(t, unix.SIGHUP)
				answers(t, r, attack.VictimCall, attack.VictimReply)
				if err := os.RemoveAll(path); err != nil {
					t.Fatal(err)
				}
				answers(t, r, reload, `{"parameters":`)
			})
		}
	})
	attack.Settled(t, "descriptors", before, func() int { return descriptorsOf(t, p.process) })
	p.terminate(t)
}

// TestReloadStorm: reloads without a pause, of policies that differ, keep nobody from what both permit, and leave nothing behind.
func TestReloadStorm(t *testing.T) {
	p := startPrey(t, "")
	r := raw(t, peer.Stream, p.name)
	answers(t, r, reload, `{"parameters":`)
	before := descriptorsOf(t, p.process)
	policies := []string{attack.Policy, servicetest.GrantAll(0) + attack.GrantVictim, attack.Policy + "[[grant]]\nid = 7\n"}
	attack.Beside(t, p.target, "reloads", func() {
		for i := range 300 {
			write(t, p.dir, map[string]string{"next": policies[i%3]})
			if err := os.Rename(p.dir+"/next", p.dir+"/policy.d/10.toml"); err != nil { // a file that is half written would be a policy of its own
				t.Fatal(err)
			}
			p.signal(t, unix.SIGHUP)
			if got, err := r.Call(reload); err != nil || strings.HasPrefix(got, `{"error":"io.halberd.BadConfiguration"`) != (i%3 == 2) {
				t.Fatalf("reload %d: got %q, %v", i, got, err)
			}
		}
	})
	answers(t, r, `{"method":"io.halberd.Policy.Status"}`, `{"parameters":{"version":`)
	attack.Settled(t, "descriptors", before, func() int { return descriptorsOf(t, p.process) })
	p.terminate(t)
}

// TestNowhereToLog: a daemon whose records cannot be written, since the disk is full or nobody has the other end of the pipe any more, goes on.
func TestNowhereToLog(t *testing.T) {
	servicetest.SkipUnlessRoot(t)
	for name, open := range map[string]func(*testing.T) *os.File{
		"a full disk":            func(t *testing.T) *os.File { return openFile(t, "/dev/full") },
		"a pipe that nobody has": brokenPipe,
	} {
		t.Run(name, func(t *testing.T) { servesWithout(t, open(t)) })
	}
}

func brokenPipe(t *testing.T) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	t.Cleanup(func() { w.Close() })
	return w
}

// servesWithout expects that a daemon with such a standard error serves, and ends well.
func servesWithout(t *testing.T, stderr *os.File) {
	at, dir := name(), folder(t, map[string]string{"policy.d/10.toml": attack.Policy})
	cmd := daemon(t, append([]string{"-sim", "-config", dir}, everywhere(at)...)...)
	cmd.Stderr = stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := cmd.Process.Signal(unix.SIGTERM); err != nil {
			t.Error(err)
		}
		defer time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() }).Stop() // one that stands still does not hear
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}()
	var r *servicetest.Raw
	eventually(t, "it serves", func() (ok bool) {
		var err error
		r, err = servicetest.Dial(peer.Stream, at)
		return err == nil
	})
	defer r.Close()
	for range 3 {
		if got := attack.CallAs(t, attack.Attacker, peer.Stream, at, attack.SetLine("relay-up", 1)); !strings.Contains(got, "PermissionDenied") {
			t.Fatal(got)
		}
		answers(t, r, attack.VictimCall, attack.VictimReply)
	}
}

func openFile(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}
