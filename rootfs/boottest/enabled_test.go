//go:build boot

package boottest

import (
	"regexp"
	"strings"
	"testing"
)

// TestEnabledStartsAtBoot: with the service enabled the daemon runs without anybody's call, and `initial` values are written.
func TestEnabledStartsAtBoot(t *testing.T) {
	if got := read(t, "/run/boot-test/active"); got != "active" {
		t.Errorf("halberd.service was %s once the system had started, want active", got)
	}
	if got := read(t, "/run/boot-test/valve"); got != "1" {
		t.Errorf("the line of valve, whose initial value is 1, was %s", got)
	}
	measured(t, "kernel start to first reply: %s s, to an app that calls as soon as the sockets are there", read(t, "/run/boot-test/first-reply"))
}

// TestEnabledShutdownReachesSafeStates: when all services end, outputs go to their safe state before Halberd lets go of them.
func TestEnabledShutdownReachesSafeStates(t *testing.T) {
	if got := read(t, "/run/boot-test/pump"); got != "1" {
		t.Fatalf("the line of relay-pump was %s before the shutdown, want 1", got)
	}
	trace := read(t, "/sys/kernel/tracing/trace")
	for _, line := range []string{"RELAY-PUMP", "valve"} {
		number := kernelNumber(t, map[string]int{"RELAY-PUMP": 5, "valve": 20}[line])
		want := regexp.MustCompile(`gpio_value: ` + number + ` set 0`)
		if !want.MatchString(trace) {
			t.Errorf("the kernel saw no %q of %s:\n%s", want, line, tail(trace, 40))
		}
	}
}

// TestEnabledStartsAfterShutdown: and the next start of all services has it running again.
func TestEnabledStartsAfterShutdown(t *testing.T) {
	eventually(t, "halberd.service runs", func() bool {
		return start(t, 0, nil, "systemctl", "is-active", "--quiet", "halberd.service").status == 0
	})
	if before, now := read(t, "/run/boot-test/pid"), property(t, "halberd.service", "MainPID"); before == now {
		t.Errorf("the daemon is process %s as before: it never ended", now)
	}
	if got := must(t, app, "gpio", "get", "relay-pump"); got != "0" {
		t.Errorf("relay-pump is %s, want 0", got)
	}
}

func tail(text string, lines int) string {
	all := strings.Split(text, "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
