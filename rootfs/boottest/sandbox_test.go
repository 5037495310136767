//go:build boot

package boottest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/service/sandbox"
)

// forbiddenCalls has the test binary be a child that tries what a sandbox forbids.
const forbiddenCalls = "try-what-is-forbidden"

// TestSandbox: the daemon that serves every test here runs without capabilities, filtered, and away from the network.
func TestSandbox(t *testing.T) {
	must(t, app, "gpio", "get", "button")
	pid := property(t, "halberd.service", "MainPID")
	status := read(t, "/proc/"+pid+"/status")
	for _, want := range []string{`CapEff:\s+0{16}\n`, `CapPrm:\s+0{16}\n`, `CapBnd:\s+0{16}\n`, `NoNewPrivs:\s+1\n`, `Seccomp:\s+2\n`, `Uid:\s+0\s+0`} {
		if !regexp.MustCompile(want).MatchString(status) {
			t.Errorf("there is no %s in\n%s", want, status)
		}
	}
	for _, space := range []string{"net", "mnt", "ipc"} {
		own, err1 := os.Readlink("/proc/self/ns/" + space)
		its, err2 := os.Readlink("/proc/" + pid + "/ns/" + space)
		if err1 != nil || err2 != nil || own == its {
			t.Errorf("the %s namespace is %s, and everybody's is %s", space, its, own)
		}
	}
	rss := regexp.MustCompile(`VmRSS:\s+(\d+) kB`).FindStringSubmatch(status)
	anonymous := regexp.MustCompile(`RssAnon:\s+(\d+) kB`).FindStringSubmatch(status)
	if rss == nil || anonymous == nil {
		t.Fatalf("the kernel does not tell the memory:\n%s", status)
	}
	measured(t, "resident memory of the daemon: %s kB, of it its own %s kB", rss[1], anonymous[1])
}

// TestThreadsInSandbox: the daemon put each of its threads into its own sandbox, inside of what systemd made of its unit, and nothing was missing for that.
func TestThreadsInSandbox(t *testing.T) {
	must(t, app, "gpio", "get", "button")
	pid := property(t, "halberd.service", "MainPID")
	tasks, err := filepath.Glob("/proc/" + pid + "/task/*/status")
	if err != nil || len(tasks) < 2 {
		t.Fatalf("it has the threads %q, %v", tasks, err)
	}
	for _, task := range tasks {
		status := read(t, task)
		for _, want := range []string{`CapEff:\s+0{16}\n`, `CapPrm:\s+0{16}\n`, `NoNewPrivs:\s+1\n`, `Seccomp:\s+2\n`} {
			if !regexp.MustCompile(want).MatchString(status) {
				t.Errorf("%s has no %s in\n%s", task, want, status)
			}
		}
	}
	const entered = "in the sandbox layers="
	var layers string
	eventually(t, "the journal has the layers of the sandbox", func() bool {
		for line := range strings.Lines(run(t, "journalctl", "-b", "-q", "-o", "cat", "_PID="+pid)) {
			if strings.Contains(line, "the sandbox has a gap") {
				t.Error(line)
			}
			if at := strings.Index(line, entered); at >= 0 {
				layers = strings.TrimSpace(line[at+len(entered):])
			}
		}
		return layers != ""
	})
	measured(t, "layers of the sandbox: %s", layers)
	if !regexp.MustCompile(`^no_new_privs, Landlock \d+, no capabilities, seccomp \(kill\)$`).MatchString(layers) {
		t.Errorf("the layers are %q", layers)
	}
}

// forbidden is what the test binary tries in a sandbox like the daemon's, and how it fails there. That nothing of it is fatal in itself, whoever reads this makes sure.
var forbidden = []struct {
	name string
	want unix.Errno
	try  func() error
}{
	{"read root's files", unix.EACCES, func() error { _, err := os.ReadDir("/root"); return err }},
	{"read what others keep", unix.EACCES, func() error { _, err := os.ReadDir("/var/lib"); return err }},
	{"write a program", unix.EACCES, func() error { return os.WriteFile("/usr/bin/none-such", nil, 0o755) }},
	{"write a setting of the kernel", unix.EACCES, func() error { return os.WriteFile("/proc/sys/kernel/core_pattern", nil, 0) }},
	{"become another program", unix.ENOSYS, func() error { return unix.Exec("/bin/true", []string{"true"}, nil) }},
	{"take part in the network", unix.EPERM, func() error { _, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0); return err }},
	{"trace a process", unix.ENOSYS, func() error { return unix.PtraceAttach(os.Getpid()) }},
	{"mount", unix.ENOSYS, func() error { return unix.Mount("", "/mnt", "none-such", 0, "") }},
	{"leave the namespaces", unix.ENOSYS, func() error { return unix.Unshare(unix.CLONE_NEWUTS) }},
	{"change a mode", unix.ENOSYS, func() error { return unix.Chmod("/run/halberd", 0o755) }},
	{"signal a process", unix.EPERM, func() error { return unix.Kill(os.Getppid(), 0) }},
	{"run what it writes", unix.EPERM, func() error {
		_, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_EXEC, unix.MAP_ANON|unix.MAP_PRIVATE)
		return err
	}},
}

// tryForbidden is a child: it goes into a sandbox like the daemon's, and tries everything on two threads that were there before and on one that was not.
func tryForbidden() error {
	const before = 2
	work, done := make(chan bool), make(chan bool)
	try := func() {
		runtime.LockOSThread()
		done <- true
		<-work
		for _, f := range forbidden {
			errno, _ := errors.AsType[unix.Errno](f.try())
			fmt.Printf("%s: %d\n", f.name, int(errno))
		}
		done <- true
	}
	for range before {
		go try()
		<-done
	}
	report := sandbox.Enter(sandbox.Config{Paths: []sandbox.Path{{Name: "/etc", Access: sandbox.Read}, {Name: "/proc", Access: sandbox.Read},
		{Name: "/dev", Access: sandbox.Read | sandbox.Write | sandbox.Control}, {Name: "/sys", Access: sandbox.Read}}})
	go try()
	<-done
	for range before + 1 {
		work <- true
		<-done
	}
	return errors.Join(report.Missing...)
}

// TestForbidden: on this kernel and architecture each layer holds, on all threads.
func TestForbidden(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	out := run(t, self, forbiddenCalls)
	for _, f := range forbidden {
		want := fmt.Sprintf("%s: %d", f.name, int(f.want))
		if got := strings.Count(out+"\n", want+"\n"); got != 3 {
			t.Errorf("%q came %d times, want it of 3 threads; all that came:\n%s", want, got, out)
		}
	}
}

// TestExposure: of the units as systemd has them loaded, with every class above working.
func TestExposure(t *testing.T) {
	for _, unit := range []string{"halberd.service", "halberd-safe.service"} {
		report := run(t, "systemd-analyze", "security", "--no-pager", unit)
		score := regexp.MustCompile(`Overall exposure level for \S+: ([0-9.]+)`).FindStringSubmatch(report)
		if score == nil {
			t.Fatalf("no score in %s", report)
		}
		measured(t, "exposure of %s: %s", unit, score[1])
		if n, err := strconv.ParseFloat(score[1], 64); err != nil || n > 1.5 {
			t.Errorf("the exposure of %s is %s, want at most 1.5", unit, score[1])
		}
	}
}

// TestUnprivilegedAppHasNoDevice: what is driven through Halberd here cannot be reached by the apps themselves.
func TestUnprivilegedAppHasNoDevice(t *testing.T) {
	for _, path := range []string{"/dev/gpiochip0", "/dev/gpiochip1", "/sys/class/leds/blue:front/brightness"} {
		o := start(t, app, nil, "/bin/sh", "-c", ": >>"+path)
		if o.status == 0 || !strings.Contains(o.stderr, "Permission denied") {
			t.Errorf("an app can open %s: exit status %d, %s", path, o.status, o.all())
		}
	}
}
