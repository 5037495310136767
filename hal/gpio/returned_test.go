package gpio

import (
	"fmt"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal/haltest"
	"github.com/halberd-io/halberd/hal/sim"
	"github.com/halberd-io/halberd/hal/sim/simtest"
	"github.com/halberd-io/halberd/hal/uapi"
)

// TestLeasesAreNoted until the lines are free in fact, outputs and inputs, held by board.toml or not: as soon as the kernel tells so, and without asking it now and then.
func TestLeasesAreNoted(t *testing.T) {
	everyLender(t, func(t *testing.T, chip string, k *sim.Kernel) {
		b := simtest.Open(t, Driver(), k, true, append(valves(chip), declare("in", `{"chip":"`+chip+`","line":3,"direction":"input"}`))...)
		n := b.Ledger()
		one, two := rent(b, k, `"in","c"`), rent(b, k, `"b","a"`)
		n.Expect("leased", "+in +c +a +b", "in c a b")
		for _, l := range b.Leases.All() {
			if l.Holder != b.Holder() {
				t.Errorf("%s is noted for somebody else", l.Device.ID())
			}
		}
		one.close()
		n.Expect("one descriptor closed early", "", "in c a b")
		b.Hangup()
		b.Loop.Turn()
		n.Expect("the end of the connection", "-in -c", "a* b*")
		b.Loop.Advance(calm) // what Halberd did itself is told too
		if n := b.Loop.Timers(); n != 0 || b.Loop.Polled() != 1 {
			t.Errorf("%d timers and %d descriptors, want 0 and 1: the chip tells", n, b.Loop.Polled())
		}
		two.configure(out)
		b.Loop.Advance(time.Second)
		n.Expect("the holder goes on", "", "a* b*")
		two.close()
		b.Loop.Turn()
		n.Expect("the holder has closed it", "-a -b", "")
		b.Expect("SetMany", `{"values":{"a":1,"b":0}}`, `{}`)
		b.Expect("Get", `{"line":"in"}`, `{"value":0}`)
		b.Loop.Advance(calm)
		if n := b.Loop.Timers() + b.Loop.Polled(); n != 0 {
			t.Errorf("%d timers and descriptors are left", n)
		}
	})
}

// TestInputThatIsKept: nothing of an input has to be held again, and so nothing but the kernel tells that its holder has it still.
func TestInputThatIsKept(t *testing.T) {
	everyLender(t, func(t *testing.T, chip string, k *sim.Kernel) {
		b := simtest.Open(t, Driver(), k, true)
		n := b.Ledger()
		line := chip + "/3"
		if chip == "near" {
			line = "near/3"
		}
		h := rent(b, k, `"`+line+`"`)
		b.Hangup()
		b.Loop.Turn()
		n.Expect("the end of the connection", "+"+line, line+"*")
		b.Expect("Get", `{"line":"`+line+`"}`, `Busy{"class":"Gpio","device":"`+line+`","holder":"halberd"}`)
		n.Expect("somebody reads it", "", line+"*")
		h.close()
		b.Loop.Advance(calm)
		n.Expect("the holder has closed it", "-"+line, "")
		b.Expect("Get", `{"line":"`+line+`"}`, `{"value":0}`)
	})
}

// TestLineThatAnotherProcessTakes: it is returned, though Halberd cannot hold it until that process lets go of it.
func TestLineThatAnotherProcessTakes(t *testing.T) {
	everyLender(t, func(t *testing.T, chip string, k *sim.Kernel) {
		name := map[string]string{"near": "gpiochip0", "far": "gpiochip1"}[chip]
		b := simtest.Open(t, Driver(), k, true, released(chip, `,"initial":0,"safe":0`)...)
		n := b.Ledger()
		h := rent(b, k, `"a"`)
		b.Hangup()
		b.Loop.Turn()
		h.close()
		letGo := take(t, k, name, 0)
		b.Loop.Turn()
		n.Expect("another process has it", "+a -a", "")
		b.Expect("Set", `{"line":"a","value":1}`, `Busy{"class":"Gpio","device":"a","holder":"gpioset"}`)
		b.Loop.Advance(time.Second)
		letGo()
		b.Loop.Turn()
		if consumer, output := k.Consumer(chip + "/0"); consumer != "halberd" || !output {
			t.Errorf("the line is with %q, output %v; want halberd, true", consumer, output)
		}
	})
}

// watched counts the lines that are watched.
type watched struct {
	*sim.Kernel
	begun, now int
}

func (k *watched) Ioctl(fd int, request uint, argument unsafe.Pointer) error {
	err := k.Kernel.Ioctl(fd, request, argument)
	switch {
	case err != nil:
	case request == uapi.GPIOWatchLine:
		k.begun++
		k.now++
	case request == uapi.GPIOUnwatchLine:
		k.now--
	}
	return err
}

// TestLeasedAnew: a line whose holder has let go of it may be leased before the chip was asked, and the first lease is over then.
func TestLeasedAnew(t *testing.T) {
	everyLender(t, func(t *testing.T, chip string, k *sim.Kernel) {
		counted := &watched{Kernel: k}
		b := simtest.Open(t, Driver(), counted, true, declare("in", `{"chip":"`+chip+`","line":3,"direction":"input"}`))
		n := b.Ledger()
		first := rent(b, k, `"in"`)
		b.Hangup()
		b.Loop.Turn()
		b.Expect("Lease", `{"lines":["in"]}`, `Busy{"class":"Gpio","device":"in","holder":"halberd"}`)
		n.Expect("the holder has it still", "+in", "in*")
		first.close()
		second := rent(b, k, `"in"`)
		n.Expect("leased anew", "-in +in", "in")
		b.Loop.Advance(time.Second)
		n.Expect("a while later", "", "in")
		b.Hangup()
		second.close()
		b.Loop.Advance(calm)
		n.Expect("the end", "-in", "")
		if n := b.Loop.Timers() + b.Loop.Polled(); n != 0 || counted.begun == 0 || counted.now != 0 {
			t.Errorf("%d timers and descriptors are left, %d lines are watched still, %d were", n, counted.now, counted.begun)
		}
	})
}

// TestRestlessHolder: one that changes its lines as fast as it can wakes the loop a hundred times in a second at most, and the changes that the kernel drops hide nothing.
func TestRestlessHolder(t *testing.T) {
	k := &readings{Kernel: lender()}
	b := simtest.Open(t, Driver(), k, true, released("near", `,"initial":0,"safe":0`)...)
	n := b.Ledger()
	h := rent(b, k.Kernel, `"a"`)
	b.Hangup()
	const rounds = 50
	for range rounds {
		for range 3 * maxChanges {
			h.configure(out)
		}
		b.Loop.Turn()
	}
	if k.chips != 1 {
		t.Errorf("the chip was read %d times in no time, want once", k.chips)
	}
	for range rounds {
		for range 3 * maxChanges {
			h.configure(out)
		}
		b.Loop.Advance(calm)
	}
	if k.chips > 2*rounds || k.chips < rounds/2 {
		t.Errorf("the chip was read %d times in %d times %v", k.chips, rounds, calm)
	}
	for range 2 * maxChanges {
		h.configure(in)
	}
	h.close()
	b.Loop.Advance(2 * calm)
	n.Expect("at the end", "+a -a", "")
}

// readings counts how often a chip is read.
type readings struct {
	*sim.Kernel
	chips int
}

func (k *readings) Read(fd int, p []byte) (int, error) {
	if len(p) >= uapi.GPIOLineChangeSize*maxChanges {
		k.chips++
	}
	return k.Kernel.Read(fd, p)
}

// deaf is a kernel whose chips do not tell of changes.
type deaf struct{ *sim.Kernel }

func (k deaf) Ioctl(fd int, request uint, argument unsafe.Pointer) error {
	if request == uapi.GPIOWatchLine {
		return unix.EINVAL
	}
	return k.Kernel.Ioctl(fd, request, argument)
}

// TestKernelThatTellsNothing: then it is asked, at least once in a second.
func TestKernelThatTellsNothing(t *testing.T) {
	everyLender(t, func(t *testing.T, chip string, k *sim.Kernel) {
		b := simtest.Open(t, Driver(), deaf{k}, true, released(chip, `,"initial":0,"safe":0`)...)
		n := b.Ledger()
		a, in := rent(b, k, `"a"`), rent(b, k, `"in"`)
		b.Hangup()
		b.Loop.Advance(time.Minute)
		n.Expect("the holder has them", "+a +in", "a* in*")
		a.close()
		in.close()
		b.Loop.Advance(time.Second)
		n.Expect("the holder has closed them", "-a -in", "")
		if n := b.Loop.Timers() + b.Loop.Polled(); n != 0 {
			t.Errorf("%d timers and descriptors are left", n)
		}
	})
}

// TestFaultsWhileALineIsKept: whatever call of the kernel fails at the end of a lease, it is seen that the holder has the line, and that it has it no more.
func TestFaultsWhileALineIsKept(t *testing.T) {
	everyLender(t, func(t *testing.T, chip string, _ *sim.Kernel) {
		for at, done := 1, false; !done; at++ {
			for _, errno := range []unix.Errno{unix.EIO, unix.EMFILE, unix.ENOMEM} {
				k := lender()
				faulty := haltest.FailAt(k, 0, 0)
				b := simtest.Open(t, Driver(), faulty, true, append(valves(chip), declare("in", `{"chip":"`+chip+`","line":3,"direction":"input"}`))...)
				n := b.Ledger()
				h := rent(b, k, `"in","c"`)
				faulty.Arm(at, errno)
				b.Hangup()
				b.Loop.Advance(time.Minute)
				failed := faulty.Failed()
				name := fmt.Sprintf("call %d (%s) fails with %v", at, failed, errno)
				n.Expect(name, "+in +c", "in* c*")
				faulty.Arm(0, 0)
				h.close()
				b.Loop.Advance(time.Minute)
				n.Expect(name+", closed", "-in -c", "")
				b.Expect("Set", `{"line":"c","value":1}`, `{}`)
				if n := b.Loop.Timers() + b.Loop.Polled(); n != 0 {
					t.Errorf("%s: %d timers and descriptors are left", name, n)
				}
				b.Close()
				done = failed == ""
			}
		}
	})
}

// TestChipThatGoesWhileALineIsKept: the lease ends with it, also where nobody tells that it is gone, and the loop comes to rest.
func TestChipThatGoesWhileALineIsKept(t *testing.T) {
	everyLender(t, func(t *testing.T, chip string, _ *sim.Kernel) {
		for _, told := range []bool{false, true} {
			k := lender()
			b := simtest.Open(t, Driver(), k, true, released(chip, `,"initial":0,"safe":0`)...)
			n := b.Ledger()
			h := rent(b, k, `"a"`)
			b.Hangup()
			b.Loop.Turn()
			k.Unplug(map[string]string{"near": "gpiochip0", "far": "gpiochip1"}[chip])
			if told && (b.Class.Rescan() || b.Loop.Polled() != 0) {
				t.Error("the loop waits for a descriptor that is closed")
			}
			b.Loop.Turn()
			n.Expect("unplugged", "+a -a", "")
			b.Loop.Advance(time.Second)
			if n := b.Loop.Timers() + b.Loop.Polled(); n != 0 {
				t.Errorf("told %t: %d timers and descriptors are left", told, n)
			}
			h.close()
		}
	})
}
