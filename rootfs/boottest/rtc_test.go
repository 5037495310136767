//go:build boot

package boottest

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// rtcWakes are what io.halberd.Rtc.Wakes tells.
type rtcWakes struct {
	Clock string
	Wakes []struct {
		Name   string
		AtUSec int64
	}
}

func wakes(t testing.TB) (w rtcWakes) {
	t.Helper()
	decode(t, must(t, 0, "call", "io.halberd.Rtc.Wakes"), &w)
	return w
}

// wakingClock is the kernel's clock whose alarm Halberd uses. board.toml may have named it.
func wakingClock(t testing.TB) string {
	t.Helper()
	id := wakes(t).Clock
	paths, _ := filepath.Glob("/sys/class/rtc/rtc*/wakealarm")
	if len(paths) == 0 || id == "" {
		t.Fatalf("no clock can wake this board: %q, %q", paths, id)
	}
	for _, p := range paths {
		if name := filepath.Base(filepath.Dir(p)); name == id {
			return name
		}
	}
	return filepath.Base(filepath.Dir(paths[0]))
}

// TestRtcGet: every clock shows what the kernel says.
func TestRtcGet(t *testing.T) {
	names, _ := filepath.Glob("/sys/class/rtc/rtc*")
	seen := 0
	for _, path := range names {
		o := halctl(t, 0, "-j", "rtc", "get", filepath.Base(path))
		if strings.Contains(o.stderr, "NotSupported") || strings.Contains(o.stderr, "NoSuchDevice") {
			t.Logf("%s: %s", path, o.stderr) // without a time, or named by board.toml
			continue
		}
		var got struct{ TimeUSec int64 }
		if err := json.Unmarshal([]byte(o.stdout), &got); o.status != 0 || err != nil {
			t.Fatalf("%s: %s, %v", path, o.all(), err)
		}
		seen++
		if now := int64(number(t, path+"/since_epoch")); got.TimeUSec/1_000_000 > now || got.TimeUSec/1_000_000 < now-60 {
			t.Errorf("%s shows %d µs, and the kernel says %d s", path, got.TimeUSec, now)
		}
	}
	if seen == 0 {
		t.Errorf("none of %q can be read", names)
	}
}

// TestRtcWake: the alarm of a real clock is set, comes, and the wake leaves the queue; on a PL031 its interrupt is seen.
func TestRtcWake(t *testing.T) {
	clock := wakingClock(t)
	folder := "/sys/class/rtc/" + clock
	at := int64(number(t, folder+"/since_epoch")) + 20
	before := alarmInterrupts(t)
	must(t, 0, "rtc", "wake", "boot-test", fmt.Sprint(at*1_000_000))
	must(t, 0, "rtc", "wake", "boot-test-later", fmt.Sprint((at+86_400)*1_000_000))
	if got := read(t, folder+"/wakealarm"); got != "" && got != strconv.FormatInt(at, 10) {
		t.Errorf("the alarm is set to %s, want %d", got, at)
	}
	eventually(t, "the wake has come and the next one is set", func() bool {
		w := wakes(t)
		return len(w.Wakes) == 1 && w.Wakes[0].Name == "boot-test-later" && read(t, folder+"/wakealarm") == strconv.FormatInt(at+86_400, 10)
	})
	if now := int64(number(t, folder+"/since_epoch")); now < at {
		t.Errorf("it came at %d, want it at %d", now, at)
	}
	if after := alarmInterrupts(t); strings.Contains(read(t, folder+"/name"), "pl031") && after <= before {
		t.Errorf("the clock interrupted %d times before and %d times after", before, after)
	}
	refused(t, 0, "io.halberd.OutOfRange", "rtc", "wake", "boot-test", fmt.Sprint(at*1_000_000))
	run(t, "systemctl", "restart", "halberd.service")
	if w := wakes(t); len(w.Wakes) != 1 || w.Wakes[0].AtUSec != (at+86_400)*1_000_000 {
		t.Errorf("after a restart the wakes are %+v", w.Wakes)
	}
	must(t, 0, "rtc", "cancel-wake", "boot-test-later")
	if got := read(t, folder+"/wakealarm"); got != "" {
		t.Errorf("the alarm is at %s after the wake was cancelled", got)
	}
}

// alarmInterrupts counts the interrupts of PL031 clocks.
func alarmInterrupts(t testing.TB) (n int) {
	t.Helper()
	text, err := os.ReadFile("/proc/interrupts")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if !strings.Contains(line, "pl031") {
			continue
		}
		for _, word := range strings.Fields(line)[1:] {
			count, err := strconv.Atoi(word)
			if err != nil {
				break
			}
			n += count
		}
	}
	return n
}

// TestRtcSetIsNotPermitted: the shipped unit has no CAP_SYS_TIME, and says so.
func TestRtcSetIsNotPermitted(t *testing.T) {
	refused(t, 0, "io.halberd.NotSupported", "rtc", "set", wakes(t).Clock, "1000000000000000")
}
