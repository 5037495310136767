package gpio

import (
	"fmt"
	"strings"
	"testing"
	"unsafe"

	gpiocdev "github.com/warthog618/go-gpiocdev/uapi"
	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal/sim"
	"github.com/halberd-io/halberd/hal/sim/simtest"
	"github.com/halberd-io/halberd/hal/uapi"
)

// setter is a kernel that writes down what is set, as mask=values, and lets one of these calls fail.
type setter struct {
	*sim.Kernel
	sets []string
	fail int // the call that fails, from 1
	all  bool
}

func (k *setter) Ioctl(fd int, request uint, argument unsafe.Pointer) error {
	if request == uapi.GPIOLineSetValues {
		v := (*gpiocdev.LineValues)(argument)
		k.sets = append(k.sets, fmt.Sprintf("%b=%b", v.Mask, v.Bits))
		if k.fail == len(k.sets) || k.all && k.fail > 0 && k.fail < len(k.sets) {
			return unix.EIO
		}
	}
	return k.Kernel.Ioctl(fd, request, argument)
}

func TestSetMany(t *testing.T) {
	for _, c := range []struct {
		name, in, want string
		sets, events   string
		a, b, c        int // logical, from 0 1 0
	}{
		{"one", `"c":1`, `{}`, "1=1", "c=1", 0, 1, 1},
		{"what is so already", `"c":0`, `{}`, "1=0", "", 0, 1, 0},
		{"a group at once", `"a":1,"b":0`, `{}`, "11=1", "a=1 b=0", 1, 0, 0},
		{"a group in another order", `"b":0,"a":1`, `{}`, "11=1", "b=0 a=1", 1, 0, 0},
		{"a part of a group", `"b":0`, `{}`, "10=0", "b=0", 0, 0, 0},
		{"what deactivates first", `"c":1,"b":0`, `{}`, "10=0 1=1", "b=0 c=1", 0, 0, 1},
		{"a group between", `"c":1,"a":1,"b":0`, `{}`, "11=1 1=1", "a=1 b=0 c=1", 1, 0, 1},
		{"what deactivates before a group", `"a":1,"c":0,"b":0`, `{}`, "1=0 11=1", "a=1 b=0", 1, 0, 0},
		{"an input among them", `"a":1,"in":1,"c":1`, `NotSupported{"feature":"output"}`, "", "", 0, 1, 0},
		{"a line that is not there", `"a":1,"x":1`, `NoSuchDevice{"class":"Gpio","device":"x"}`, "", "", 0, 1, 0},
		{"2", `"a":1,"c":2`, `InvalidParameter{"parameter":"values.c"}`, "", "", 0, 1, 0},
		{"twice", `"a":1,"a":0`, `InvalidParameter{"parameter":"values.a"}`, "", "", 0, 1, 0},
		{"nothing", ``, `InvalidParameter{"parameter":"values"}`, "", "", 0, 1, 0},
	} {
		everyValve(t, func(t *testing.T, chip string, sim *sim.Kernel) {
			k := &setter{Kernel: sim}
			b := simtest.Open(t, Driver(), k, true, append(valves(chip), declare("in", `{"chip":"`+chip+`","line":3,"direction":"input"}`))...)
			w := b.Watch("Watch", `{"lines":["a","b","c"]}`)
			w.Events()
			b.Expect("SetMany", `{"values":{`+c.in+`}}`, c.want)
			if got := strings.Join(k.sets, " "); got != c.sets {
				t.Errorf("%s: the kernel was told %s, want %s", c.name, got, c.sets)
			}
			b.Expect("GetMany", `{"lines":["a","b","c"]}`, fmt.Sprintf(`{"values":{"a":%d,"b":%d,"c":%d}}`, c.a, c.b, c.c))
			if got := short(w); got != c.events {
				t.Errorf("%s: the watch told %q, want %q", c.name, got, c.events)
			}
		})
	}
}

// short writes events as a=1 b=0.
func short(w *simtest.Watch) string {
	r := strings.NewReplacer(`{"line":"`, "", `","value":`, "=", "}", "", "\n", " ")
	return r.Replace(w.Events())
}

// TestSetManyWritesBack: after an error everything is as it was, as far as the kernel lets it.
func TestSetManyWritesBack(t *testing.T) {
	for _, c := range []struct {
		name, in     string
		fail         int
		all          bool
		sets, events string
		a, b, c, d   int // from 0 1 0 1
	}{
		{"the first", `"d":0,"c":1`, 1, false, "1=0", "", 0, 1, 0, 1},
		{"the second", `"d":0,"c":1`, 2, false, "1=0 1=1 1=1", "", 0, 1, 0, 1},
		{"the last of three", `"c":1,"a":1,"b":0,"d":0`, 3, false, "1=0 11=1 1=1 11=10 1=1", "", 0, 1, 0, 1},
		{"a group, which may be set in part", `"d":0,"a":1,"b":0`, 2, false, "1=0 11=1 11=10 1=1", "", 0, 1, 0, 1},
		{"and the writing back", `"d":0,"c":1`, 2, true, "1=0 1=1 1=1", "d=0", 0, 1, 0, 0},
	} {
		everyValve(t, func(t *testing.T, chip string, sim *sim.Kernel) {
			k := &setter{Kernel: sim}
			d := declare("d", `{"chip":"`+chip+`","line":3,"direction":"output","initial":1}`)
			b := simtest.Open(t, Driver(), k, true, append(valves(chip), d)...)
			w := b.Watch("Watch", `{"lines":["a","b","c","d"]}`)
			w.Events()
			k.fail, k.all = c.fail, c.all
			b.Expect("SetMany", `{"values":{`+c.in+`}}`, `System{"origin":"linux","errno":5,"errnoName":"EIO"}`)
			if got := strings.Join(k.sets, " "); got != c.sets {
				t.Errorf("%s: the kernel was told %s, want %s", c.name, got, c.sets)
			}
			b.Expect("GetMany", `{"lines":["a","b","c","d"]}`, fmt.Sprintf(`{"values":{"a":%d,"b":%d,"c":%d,"d":%d}}`, c.a, c.b, c.c, c.d))
			if got := short(w); got != c.events {
				t.Errorf("%s: the watch told %q, want %q", c.name, got, c.events)
			}
			if logged := strings.Contains(b.Log.String(), "cannot set an output back"); logged != c.all {
				t.Errorf("%s: the log: %s", c.name, b.Log.String())
			}
		})
	}
}

// TestSetManyOfLinesThatAreNotHeld: a line that somebody else had at the start is requested as it is first, so that it can be set back.
func TestSetManyOfLinesThatAreNotHeld(t *testing.T) {
	k := valveChips()
	release := take(t, k, "gpiochip0", 2)
	b := simtest.Open(t, Driver(), k, true, valves("near")...)
	b.Expect("SetMany", `{"values":{"a":1,"c":0}}`, `Busy{"class":"Gpio","device":"c","holder":"gpioset"}`)
	if got := levels(k, "near"); got != "001" {
		t.Errorf("the levels are %s, want 001", got)
	}
	release()
	b.Expect("SetMany", `{"values":{"a":1,"c":0}}`, `{}`)
	if got := levels(k, "near"); got != "100" {
		t.Errorf("the levels are %s, want 100", got)
	}
}

// TestSetManyOnSeveralBuses: lines of fast chips go with those of one slow bus, and no two slow buses go together.
func TestSetManyOnSeveralBuses(t *testing.T) {
	k := valveChips()
	k.AddChip(sim.Chip{Label: "other", Under: "platform/i2c@9=platform/i2c-9=i2c/9-0020", Lines: []sim.Line{{}}})
	near, far := valves("near"), valves("far")
	b := simtest.Open(t, Driver(), k, true, near[0], near[1], near[3], declare("far", far[0].Keys), declare("other", `{"chip":"other","line":0,"direction":"output"}`))
	b.Expect("SetMany", `{"values":{"far":1,"b":0,"a":1}}`, `{}`)
	if got := levels(k, "near") + levels(k, "far"); got != "111101" {
		t.Errorf("the levels are %s, want 111101", got)
	}
	b.Expect("SetMany", `{"values":{"far":0,"other":1}}`, `InvalidParameter{"parameter":"values"}`)
	if k.Value("other/0") != 0 || k.Value("far/0") != 1 {
		t.Error("a line was set")
	}
}
