package gpio

import (
	"errors"
	"slices"
	"time"
	"unsafe"

	gpiocdev "github.com/warthog618/go-gpiocdev/uapi"
	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/uapi"
)

// How it is known that the holder of a lease has let go of its lines: the chip tells of each change of a line that is watched, and can be read then. What it tells is not looked at but for that, since the
// kernel drops changes where too many wait; the lines themselves are asked.

const (
	// calm is the least time between two readings: a holder can change lines as fast as it likes, and is to keep nobody else from the loop.
	calm = 10 * time.Millisecond
	// maxChanges is how many changes the kernel keeps.
	maxChanges = 32
)

// waiting is the leases of a chip whose lines somebody else has. It belongs to the loop's goroutine.
type waiting struct {
	leases []*lease
	polled bool
	rest   func() // stops the timer of calm; nil where it does not run
}

// await tries a lease again when something about the lines of the chip changes. It reports false where that cannot be known.
func (c *chip) await(loop hal.Loop, le *lease) bool {
	w := &c.waiting
	if !w.polled && w.rest == nil {
		if loop.Poll(c.fd, func() { c.changed(loop) }) != nil {
			return false
		}
		w.polled = true
	}
	w.leases = append(w.leases, le)
	return true
}

// awaitNoMore ends await.
func (c *chip) awaitNoMore(loop hal.Loop, le *lease) {
	w := &c.waiting
	w.leases = slices.DeleteFunc(w.leases, func(other *lease) bool { return other == le })
	if len(w.leases) > 0 {
		return
	}
	c.unpoll(loop)
	if w.rest != nil {
		w.rest()
		w.rest = nil
	}
}

func (c *chip) unpoll(loop hal.Loop) {
	if c.waiting.polled {
		loop.Unpoll(c.fd)
		c.waiting.polled = false
	}
}

// changed tries all leases that wait again, and listens no further for a moment. A chip that is gone says so too; its leases end with it.
func (c *chip) changed(loop hal.Loop) {
	w := &c.waiting
	c.unpoll(loop)
	_, _ = c.kernel.Read(c.fd, make([]byte, maxChanges*uapi.GPIOLineChangeSize))
	all := w.leases
	w.leases, w.rest = nil, loop.After(calm, func() { c.rested(loop) })
	for _, le := range all {
		le.tryAgain()
	}
}

// rested listens again, where leases wait.
func (c *chip) rested(loop hal.Loop) {
	w := &c.waiting
	w.rest = nil
	all := w.leases
	w.leases = nil
	for _, le := range all {
		if !c.await(loop, le) {
			le.tryAgain()
		}
	}
}

// watch lets the chip tell of changes of a line, once for each who wants to know.
func (c *chip) watch(offset uint32) error {
	return c.guard.Do(func() error {
		if c.watched[offset] == 0 {
			info := gpiocdev.LineInfoV2{Offset: offset}
			if err := c.kernel.Ioctl(c.fd, uapi.GPIOWatchLine, unsafe.Pointer(&info)); err != nil {
				return err
			}
		}
		c.watched[offset]++
		return nil
	})
}

// unwatch ends watch.
func (c *chip) unwatch(offset uint32) {
	_ = c.guard.Do(func() error {
		if c.watched[offset]--; c.watched[offset] > 0 {
			return nil
		}
		delete(c.watched, offset)
		return c.kernel.Ioctl(c.fd, uapi.GPIOUnwatchLine, unsafe.Pointer(&offset))
	})
}

// watch begins to watch the lines, all or none.
func (le *lease) watch() {
	if le.watching {
		return
	}
	for i, l := range le.lines {
		if l.chip.watch(l.offset) != nil {
			for _, l := range le.lines[:i] {
				l.chip.unwatch(l.offset)
			}
			return
		}
	}
	le.watching = true
}

func (le *lease) unwatch() {
	if !le.watching {
		return
	}
	le.watching = false
	for _, l := range le.lines {
		l.chip.unwatch(l.offset)
	}
}

// look asks the kernel who has the lines: the holder's request has Halberd's name. It lets go of them all at once, so one that the holder does not have is enough.
func (le *lease) look() {
	le.used = false
	for _, l := range le.lines {
		err := l.guard.Do(func() error {
			if l.isOurs(le) {
				le.returned = true
				return nil
			}
			info, err := l.chip.info(l.offset)
			if err == nil {
				le.used = le.used || info.Flags.IsUsed()
				le.returned = le.returned || gpiocdev.BytesToString(info.Consumer[:]) != consumer
			}
			return err
		})
		le.returned = le.returned || errors.Is(err, unix.ENODEV)
	}
}

// isOurs reports whether Halberd has the line itself, or has leased it anew. The guard is held.
func (l *Line) isOurs(but *lease) bool {
	return l.held != nil || l.lease != nil && l.lease != but && l.lease.guard.Do(l.lease.has) == nil
}

// has fails where the lease has no request yet.
func (le *lease) has() error {
	if le.request == nil {
		return unix.EBADF
	}
	return nil
}
