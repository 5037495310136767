//go:build boot

package boottest

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

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
