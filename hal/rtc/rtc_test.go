package rtc

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sim"
	"github.com/halberd-io/halberd/hal/sim/simtest"
)

// newYear is when the simulated clocks begin: 2026, in s since 1970.
const newYear = 1767225600

// disk is a hal.State that can fail.
type disk struct {
	data map[string][]byte
	err  error
}

func (d *disk) Load(name string) ([]byte, error) { return d.data[name], d.err }

func (d *disk) Save(name string, data []byte) error {
	if d.err == nil {
		d.data[name] = slices.Clone(data)
	}
	return d.err
}

// board is one with clocks in the loop's time, and a disk.
type board struct {
	*simtest.Bench
	sim    *sim.Kernel
	kernel hal.Kernel // what the class is opened on
	disk   *disk
	before time.Duration // what had passed when the class was opened last
}

func newBoard(t *testing.T, clocks ...sim.RTC) *board {
	t.Helper()
	k := sim.New(sim.Options{Bare: true})
	for _, c := range clocks {
		k.AddRTC(c)
	}
	b := &board{sim: k, kernel: k, disk: &disk{data: map[string][]byte{}}}
	b.start(t)
	return b
}

// start opens the class anew, as a daemon does. The board's time goes on from where it was.
func (b *board) start(t *testing.T, entries ...simtest.Entry) {
	t.Helper()
	if b.Bench != nil {
		b.Close()
		b.before += b.Loop.Now()
	}
	bench, err := simtest.TryOpenIn(t, Driver(), &hal.Env{Kernel: b.kernel, State: b.disk}, entries...)
	if err != nil {
		t.Fatal(err)
	}
	b.Bench = bench
	before := b.before
	b.sim.SetClock(func() time.Duration { return before + bench.Loop.Now() })
	b.Loop.Turn()
}

// wakeAt calls Wake for so many seconds after the beginning of the clocks.
func (b *board) wakeAt(name string, seconds int, want string) {
	b.Helper()
	b.Expect("Wake", fmt.Sprintf(`{"name":"%s","atUSec":%d}`, name, int64(newYear+seconds)*1_000_000), want)
}

// expect compares the caller's queue, as name@seconds, and the alarm of the first clock, in seconds, "" for none.
func (b *board) expect(wakes, alarm string) {
	b.Helper()
	_, list, _ := strings.Cut(b.Call("Wakes", `{}`), `"wakes":[`)
	var got []string
	for _, w := range strings.Split(list, "{")[1:] {
		var name string
		var at int64
		if _, err := fmt.Sscanf(strings.NewReplacer(`"`, " ", ",", " ", "}", " ").Replace(w), " name : %s  atUSec :%d", &name, &at); err != nil {
			b.Fatalf("%s: %v", w, err)
		}
		got = append(got, fmt.Sprintf("%s@%d", name, at/1_000_000-newYear))
	}
	if joined, set := strings.Join(got, " "), b.alarm("rtc0"); joined != wakes || set != alarm {
		b.Errorf("got %q with the alarm at %q, want %q at %q", joined, set, wakes, alarm)
	}
}

// alarm reads a clock's alarm.
func (b *board) alarm(clock string) string {
	b.Helper()
	text := simtest.Cat(b.T, b.sim, "/sys/class/rtc/"+clock+"/wakealarm")
	if text == "" {
		return ""
	}
	at, err := strconv.Atoi(text)
	if err != nil {
		b.Fatal(err)
	}
	return fmt.Sprint(at - newYear)
}

// setAlarm sets a clock's alarm, as others would.
func (b *board) setAlarm(clock string, seconds int) {
	b.Helper()
	simtest.Echo(b.T, b.sim, "/sys/class/rtc/"+clock+"/wakealarm", fmt.Sprint(newYear+seconds))
}

func TestGet(t *testing.T) {
	b := newBoard(t, sim.RTC{}, sim.RTC{NoAlarm: true, Last: 1 << 40}, sim.RTC{Invalid: true})
	b.Loop.Advance(90 * time.Second)
	b.setAlarm("rtc0", 100)
	for clock, want := range map[string]string{
		"rtc0": `{"timeUSec":1767225690000000,"minimumUSec":0,"maximumUSec":4294967295000000,"canWake":true,"alarmUSec":1767225700000000}`,
		"rtc1": `{"timeUSec":1767225690000000,"minimumUSec":0,"maximumUSec":253402300799000000,"canWake":false}`,
		"rtc2": `NotSupported{"feature":"time"}`,
		"rtc3": `NoSuchDevice{"class":"Rtc","device":"rtc3"}`,
	} {
		b.Expect("Get", `{"clock":"`+clock+`"}`, want)
	}
}

// TestSet: what a clock takes, read back from it.
func TestSet(t *testing.T) {
	for _, c := range []struct{ name, time, want, shows string }{
		{"a second", "1700000000000000", `{}`, "1700000000000000"},
		{"just under half a second", "1700000000499999", `{}`, "1700000000000000"},
		{"half a second", "1700000000500000", `{}`, "1700000001000000"},
		{"the last one", "4294967295000000", `{}`, "4294967295000000"},
		{"one too many", "4294967296000000", `OutOfRange{"parameter":"timeUSec","minimum":0,"maximum":4294967295000000}`, "1767225600000000"},
		{"a leap day", "1709164800000000", `{}`, "1709164800000000"},
		{"before 1970", "-1", `InvalidParameter{"parameter":"timeUSec"}`, "1767225600000000"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, under := range []string{sim.OnPlatform, sim.OnI2C} {
				b := newBoard(t, sim.RTC{Under: under})
				held := b.sim.Opened()
				b.Expect("Set", `{"clock":"rtc0","timeUSec":`+c.time+`}`, c.want)
				if got := b.Call("Get", `{"clock":"rtc0"}`); !strings.HasPrefix(got, `{"timeUSec":`+c.shows+`,`) {
					t.Errorf("got %s, want %s", got, c.shows)
				}
				if n := b.sim.Opened(); n != held {
					t.Errorf("%d descriptors are open, want %d: others could not set the clock", n, held)
				}
			}
		})
	}
}

// TestSetRefused: another process has the clock, Halberd may not set it, or it has no power.
func TestSetRefused(t *testing.T) {
	b := newBoard(t, sim.RTC{}, sim.RTC{Invalid: true})
	fd, err := b.sim.Open("/dev/rtc0", unix.O_RDONLY)
	if err != nil {
		t.Fatal(err)
	}
	b.Expect("Set", `{"clock":"rtc0","timeUSec":1700000000000000}`, `Busy{"class":"Rtc","device":"rtc0"}`)
	b.wakeAt("meanwhile", 10, `{}`)
	b.expect("meanwhile@10", "10")
	if err := b.sim.Close(fd); err != nil {
		t.Fatal(err)
	}
	b.Expect("Set", `{"clock":"rtc1","timeUSec":1700000000000000}`, `{}`)
	if got := b.Call("Get", `{"clock":"rtc1"}`); !strings.HasPrefix(got, `{"timeUSec":1700000000000000,`) {
		t.Errorf("a clock without power was set, and shows %s", got)
	}
	b.kernel = &broken{Kernel: b.sim, request: unix.RTC_SET_TIME, err: unix.EACCES}
	b.start(t)
	b.Expect("Set", `{"clock":"rtc0","timeUSec":1700000000000000}`, `NotSupported{"feature":"set"}`)
}

// TestQueue: the alarm is at the first wake, whoever's that is, and at the next one when that has come; each user has names of its own.
func TestQueue(t *testing.T) {
	for _, under := range []string{sim.OnPlatform, sim.OnI2C} {
		t.Run(under, func(t *testing.T) {
			b := newBoard(t, sim.RTC{Under: under})
			kiosk := b.Connect("kiosk")
			b.wakeAt("late", 300, `{}`)
			b.expect("late@300", "300")
			b.wakeAt("early", 100, `{}`)
			b.expect("early@100 late@300", "100")
			b.Connect("logger")
			b.expect("", "100")
			b.wakeAt("late", 200, `{}`)
			b.wakeAt("other", 200, `{}`)
			b.expect("late@200 other@200", "100")
			b.Expect("CancelWake", `{"name":"early"}`, `NoSuchDevice{"class":"Rtc","device":"early"}`)
			b.Loop.Advance(101 * time.Second)
			b.expect("late@200 other@200", "200")
			b.Use(kiosk)
			b.expect("late@300", "200")
			b.Loop.Advance(100 * time.Second)
			b.expect("late@300", "300")
			b.Loop.Advance(100 * time.Second)
			b.expect("", "")
			if n := b.sim.Alarms("rtc0"); n != 3 || b.Loop.Timers() != 0 {
				t.Errorf("%d alarms came, and %d timers run, want 3 and none", n, b.Loop.Timers())
			}
			for _, want := range []string{"wake=early owner=kiosk at=2026-01-01T00:01:40", "wake=late owner=logger", "wake=other owner=logger", "wake=late owner=kiosk"} {
				if strings.Count(b.Log.String(), want) != 1 {
					t.Errorf("the log does not say once %q:\n%s", want, b.Log.String())
				}
			}
		})
	}
}

// TestReplaceAndCancel: a name is used once, and the alarm follows.
func TestReplaceAndCancel(t *testing.T) {
	b := newBoard(t, sim.RTC{})
	b.wakeAt("a", 100, `{}`)
	b.wakeAt("b", 200, `{}`)
	b.wakeAt("a", 300, `{}`)
	b.expect("b@200 a@300", "200")
	b.wakeAt("a", 50, `{}`)
	b.expect("a@50 b@200", "50")
	b.Expect("CancelWake", `{"name":"a"}`, `{}`)
	b.expect("b@200", "200")
	b.Hangup() // what is queued belongs to the user, not to the connection
	b.expect("b@200", "200")
	b.Expect("CancelWake", `{"name":"b"}`, `{}`)
	b.expect("", "")
	b.Expect("CancelWake", `{"name":"b"}`, `NoSuchDevice{"class":"Rtc","device":"b"}`)
	b.Loop.Advance(time.Hour)
	if n := b.sim.Alarms("rtc0"); n != 0 || b.Loop.Timers() != 0 {
		t.Errorf("%d alarms came of wakes that were cancelled, and %d timers run", n, b.Loop.Timers())
	}
}

func TestWakeRefused(t *testing.T) {
	b := newBoard(t, sim.RTC{})
	b.Loop.Advance(100 * time.Second)
	past := `OutOfRange{"parameter":"atUSec","minimum":1767225701000000,"maximum":4294967295000000}`
	for _, c := range []struct{ name, wake, at, want string }{
		{"over", "a", "1767225600000000", past},
		{"this second", "a", "1767225700000000", past},
		{"a part of the next one", "a", "1767225700000001", `{}`},
		{"beyond the clock", "a", "4294967296000000", past},
		{"without a name", "", "1767229200000000", `InvalidParameter{"parameter":"name"}`},
		{"with a space", "a b", "1767229200000000", `InvalidParameter{"parameter":"name"}`},
	} {
		b.Expect("Wake", `{"name":"`+c.wake+`","atUSec":`+c.at+`}`, c.want)
	}
	b.expect("a@101", "101")
	for i := range maxPerUser - 1 {
		b.wakeAt(fmt.Sprint("n", i), 1000+i, `{}`)
	}
	b.wakeAt("more", 2000, `LimitExceeded{"limit":"wakes-per-uid","maximum":32}`)
	b.wakeAt("a", 2000, `{}`)
	b.Expect("CancelWake", `{"name":""}`, `InvalidParameter{"parameter":"name"}`)
	for user := range maxWakes/maxPerUser - 1 {
		b.Connect(hal.Owner(fmt.Sprint("user ", user)))
		for i := range maxPerUser {
			b.wakeAt(fmt.Sprint("n", i), 1000+i, `{}`)
		}
	}
	b.Connect("one more")
	b.wakeAt("a", 2000, `LimitExceeded{"limit":"wakes","maximum":512}`)
	if n := len(b.disk.data[stateName]); n > 64<<10 {
		t.Errorf("what is saved has %d bytes", n)
	}
}

// TestRestart: wakes outlive the daemon with their users, and those that were slept through are gone.
func TestRestart(t *testing.T) {
	b := newBoard(t, sim.RTC{})
	b.Connect("kiosk")
	b.wakeAt("soon", 10, `{}`)
	b.wakeAt("later", 100, `{}`)
	b.Connect("logger")
	b.wakeAt("later", 200, `{}`)
	b.Loop.Advance(5 * time.Second)
	b.start(t)
	b.Connect("kiosk")
	b.expect("soon@10 later@100", "10")
	b.Close()
	if got := b.alarm("rtc0"); got != "10" {
		t.Errorf("a daemon that ended leaves the alarm at %q, want 10", got)
	}
	b.Loop.Advance(50 * time.Second)
	b.start(t)
	b.Connect("kiosk")
	b.expect("later@100", "100")
	b.Expect("CancelWake", `{"name":"later"}`, `{}`)
	b.start(t)
	b.Connect("kiosk")
	b.expect("", "200")
	b.Connect("logger")
	b.expect("later@200", "200")
}

// TestBadState: what is no state, or one of another version, is said and forgotten; a wake that cannot be is left out.
func TestBadState(t *testing.T) {
	for _, c := range []struct{ name, data, wakes, alarm, says string }{
		{"none", ``, "", "", "cannot read"},
		{"half of one", `{"version":1,"wakes":[{"own`, "", "", "cannot read"},
		{"of another version", `{"version":2,"wakes":[]}`, "", "", "cannot read"},
		{"with more", `{"version":1,"wakes":[],"more":1}`, "", "", "cannot read"},
		{"with a name that is none", `{"version":1,"wakes":[{"owner":"somebody","name":"a b","atSec":1767225610},{"owner":"somebody","name":"c","atSec":1767225620}]}`, "c@20", "20", ""},
		{"with a name twice", `{"version":1,"wakes":[{"owner":"somebody","name":"c","atSec":1767225630},{"owner":"somebody","name":"c","atSec":1767225620}]}`, "c@30", "30", ""},
		{"in another order", `{"version":1,"wakes":[{"owner":"somebody","name":"c","atSec":1767225630},{"owner":"somebody","name":"d","atSec":1767225620}]}`, "d@20 c@30", "20", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBoard(t, sim.RTC{})
			b.disk.data[stateName] = []byte(c.data)
			b.start(t)
			b.expect(c.wakes, c.alarm)
			if said := strings.Contains(b.Log.String(), "cannot read"); said != (c.says != "") {
				t.Errorf("the log says %q", b.Log.String())
			}
			b.wakeAt("new", 5, `{}`)
		})
	}
}
