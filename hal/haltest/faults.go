package haltest

import (
	"errors"
	"fmt"
	"strings"
	"syscall"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/wire"
)

// errnos are what injected faults answer.
var errnos = []syscall.Errno{syscall.EIO, syscall.ENODEV, syscall.EBUSY, syscall.EACCES}

// inject lets the n-th call of the kernel fail, for each n up to what a run without a fault takes and for each errno, each time on a class and a kernel of its own.
// prepare begins on a whole kernel; do is what is done while it is broken.
func (f *findings) inject(where string, prepare func(*bench) error, do func(b *bench, failing string) error) {
	n := f.broken(where, prepare, do, 0, 0)
	for at := 1; at <= n; at++ {
		for _, errno := range errnos {
			f.broken(where, prepare, do, at, errno)
		}
	}
}

// broken makes one run and gives the number of calls that it made while it might have been broken.
func (f *findings) broken(where string, prepare func(*bench) error, do func(*bench, string) error, at int, errno syscall.Errno) (count int) {
	b := newBench(f.open())
	defer b.end()
	b.recorder.brief = true
	failing := "without a fault"
	if at > 0 {
		failing = fmt.Sprintf("call %d of the kernel failing with %s", at, hal.SystemError(errno).ErrnoName.Value)
	}
	if err := prepare(b); err != nil {
		f.add("%s: %v", where, err)
		return 0
	}
	b.faulty.Arm(at, errno)
	err := do(b, failing)
	count = b.faulty.Count()
	b.faulty.Arm(0, 0)
	if isPanic(err) {
		f.add("%s, %s: %v", where, failing, err)
	}
	if err := b.closeClass(); err != nil {
		f.add("%s, %s: cannot close the class: %v", where, failing, err)
	}
	if left := b.left(); len(left) > 0 {
		f.add("%s, %s, leaves behind: %s", where, failing, strings.Join(left, ", "))
	}
	return count
}

// faultsOpening: the class may open without what failed, or refuse to, but leaves nothing behind.
func faultsOpening(f *findings) {
	f.inject("opening", func(*bench) error { return nil }, func(b *bench, failing string) error {
		err := b.openClass()
		if err == nil {
			err = b.pass()
		}
		return err
	})
}

// faultsCalling breaks the kernel while a call runs.
func faultsCalling(f *findings) {
	h := f.open()
	if h.Close != nil {
		h.Close()
	}
	for _, c := range h.Calls {
		f.inject(c.String(), (*bench).openClass, func(b *bench, failing string) error {
			m := b.method(c.Method)
			if m == nil {
				return nil // the check of calls says it
			}
			return f.faultyCall(b, c, m, failing)
		})
	}
}

// faultyCall makes the call and looks at its answer, then goes on as a client would.
func (f *findings) faultyCall(b *bench, c Call, m *hal.Method, failing string) error {
	reply, err := b.run(c)
	if isPanic(err) {
		return err
	}
	op := b.faulty.Failed()
	where := fmt.Sprintf("%s, %s (%s)", c, failing, op)
	if op != "" && op != Close {
		f.told(where, c, m, op, err, b.faulty.errno)
	}
	f.answered(where, m, reply, err)
	if m.Watches {
		_, session, err := b.watch(c)
		if isPanic(err) {
			return err
		}
		if err := b.pass(); err != nil {
			return err
		}
		if session != nil {
			session.Stop()
		}
	}
	return b.pass()
}

// told expects that the caller learns of the fault, or of what the call is refused for anyway.
func (f *findings) told(where string, c Call, m *hal.Method, op Op, err error, errno syscall.Errno) {
	if err == nil {
		if c.Tolerates == "" && (m.Verb == hal.Observe || op == Pwrite || op == Ioctl) {
			f.add("%s: the caller is told that it worked", where)
		}
		return
	}
	var gone *hal.DeviceGone
	var busy *hal.Busy
	var refusal hal.Refusal
	switch {
	case errors.As(err, &refusal) && refusal.ErrorName() == c.Refusal:
	case errno == syscall.ENODEV && !errors.As(err, &gone):
		f.add("%s: the answer is %q, want DeviceGone", where, err)
	case errno == syscall.EBUSY && !errors.As(err, &busy):
		f.add("%s: the answer is %q, want Busy", where, err)
	}
}

// answered expects a reply or an error that can be sent: a refusal with valid parameters, or what stands for a number of the kernel.
func (f *findings) answered(where string, m *hal.Method, reply []byte, err error) {
	if err == nil {
		f.declares(where, m.Out, reply)
		return
	}
	var refusal hal.Refusal
	var errno syscall.Errno
	switch {
	case errors.As(err, &refusal):
		if err := wire.Valid(hal.Encode(nil, refusal)); err != nil {
			f.add("%s: the error cannot be sent: %v", where, err)
		}
	case !errors.As(err, &errno):
		f.add("%s: the answer is neither a refusal nor an error of the kernel: %v", where, err)
	}
}

// faultsClosing breaks the kernel while the class closes, after each call of the harness.
func faultsClosing(f *findings) {
	f.inject("closing", func(b *bench) error {
		if err := b.openClass(); err != nil {
			return err
		}
		for _, c := range b.harness.Calls {
			_, _ = b.run(c)
		}
		return nil
	}, func(b *bench, _ string) error { return b.closeClass() })
}
