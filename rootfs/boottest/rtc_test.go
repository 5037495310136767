//go:build boot

package boottest

import (
	"encoding/json"
	"fmt"
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

// TestRtcWake: the alarm of a real clock is set, and when its time comes the wake leaves the queue and the next one is set. The daemon is awake here, and often sets the next alarm before the
// clock has interrupted for the first.
func TestRtcWake(t *testing.T) {
	clock := wakingClock(t)
	folder := "/sys/class/rtc/" + clock
	at := int64(number(t, folder+"/since_epoch")) + 20
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

// TestRtcSetIsNotPermitted: the shipped unit has no CAP_SYS_TIME, and says so.
func TestRtcSetIsNotPermitted(t *testing.T) {
	refused(t, 0, "io.halberd.NotSupported", "rtc", "set", wakes(t).Clock, "1000000000000000")
}
