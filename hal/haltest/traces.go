package haltest

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// traces is what a class must not leave behind.
type traces struct {
	descriptors map[string]string // of the process: number to what it is of; nil without /proc
	opened      int               // of the harness's kernel
	goroutines  map[string]string // number to stack
}

func tracesOf(h *Harness) traces {
	t := traces{descriptors: descriptors(), goroutines: goroutines()}
	if h.Opened != nil {
		t.opened = h.Opened()
	}
	return t
}

// descriptors lists those of the process, without the one that lists them.
func descriptors() map[string]string {
	const dir = "/proc/self/fd"
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	all := map[string]string{}
	for _, e := range entries {
		if target, err := os.Readlink(dir + "/" + e.Name()); err == nil {
			all[e.Name()] = target
		}
	}
	return all
}

// goroutines lists those of the process, with their stacks.
func goroutines() map[string]string {
	text := make([]byte, 8<<10)
	for n := runtime.Stack(text, true); ; n = runtime.Stack(text, true) {
		if n < len(text) {
			text = text[:n]
			break
		}
		text = make([]byte, 2*len(text))
	}
	all := map[string]string{}
	for stack := range strings.SplitSeq(string(text), "\n\n") {
		number, _, _ := strings.Cut(strings.TrimPrefix(stack, "goroutine "), " ")
		all[number] = stack
	}
	return all
}

// patience is how long a goroutine may take to end once there is nothing left for it to do.
const patience = 5 * time.Second

// left says what there is more than before, once the class was closed.
func (b *bench) left() (what []string) {
	for _, path := range b.recorder.Left() {
		what = append(what, "a descriptor of "+path)
	}
	for number, target := range descriptors() {
		if b.before.descriptors[number] != target {
			what = append(what, fmt.Sprintf("descriptor %s of the process, %s", number, target))
		}
	}
	if h := &b.harness; h.Opened != nil && h.Opened() != b.before.opened {
		what = append(what, fmt.Sprintf("%d descriptors of the harness's kernel, %d before", h.Opened(), b.before.opened))
	}
	for _, l := range b.leases.All() {
		what = append(what, "a lease of "+l.Device.ID())
	}
	if n := b.loop.Timers(); n > 0 {
		what = append(what, fmt.Sprintf("%d timers", n))
	}
	if n := b.loop.Polled(); n > 0 {
		what = append(what, fmt.Sprintf("%d polled descriptors", n))
	}
	what = append(what, b.goroutinesLeft()...)
	slices.Sort(what)
	return what
}

// goroutinesLeft waits until all goroutines that are new have ended, and gives the stacks of those that do not.
func (b *bench) goroutinesLeft() (stacks []string) {
	for waited := time.Duration(0); waited <= b.patience; waited += time.Millisecond {
		stacks = nil
		for number, stack := range goroutines() {
			if b.before.goroutines[number] == "" {
				stacks = append(stacks, "a goroutine:\n"+stack)
			}
		}
		if len(stacks) == 0 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	return stacks
}
