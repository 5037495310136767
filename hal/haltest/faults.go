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

// fault is one call of the kernel that fails; the zero value is none.
type fault struct {
	at    int
	errno syscall.Errno
}

func (x fault) String() string {
	if x.at == 0 {
		return "without a fault"
	}
	return fmt.Sprintf("call %d of the kernel failing with %s", x.at, hal.SystemError(x.errno).ErrnoName.Value)
}

// experiment is what is done on a kernel of its own while one of its calls fails.
type experiment struct {
	name    string
	prepare func(*bench) error        // on a whole kernel
	broken  func(*bench, fault) error // while the kernel is broken
	after   func(*bench, fault) error // when it is whole again; may be nil
}

// inject makes an experiment without a fault, and then with each call that this took failing, with each errno, or with the next one.
func (f *findings) inject(x experiment) {
	n := f.run(x, fault{})
	for at := 1; at <= n; at++ {
		some := errnos
		if f.quick {
			some = errnos[at%len(errnos):][:1]
		}
		for _, errno := range some {
			f.run(x, fault{at, errno})
		}
	}
}

// run makes an experiment once, closes the class and looks for what is left. It gives the number of calls while the kernel was broken.
func (f *findings) run(x experiment, broken fault) (count int) {
	b := newBench(f.open())
	defer b.end()
	b.recorder.brief = true
	where := fmt.Sprintf("%s, %s", x.name, broken)
	if err := x.prepare(b); err != nil {
		f.add("%s: %v", where, err)
		return 0
	}
	b.faulty.Arm(broken.at, broken.errno)
	err := x.broken(b, broken)
	count = b.faulty.Count()
	b.faulty.Arm(0, 0)
	if err == nil && x.after != nil {
		err = x.after(b, broken)
	}
	if isPanic(err) {
		f.add("%s: %v", where, err)
	}
	if err := b.closeClass(); err != nil {
		f.add("%s: cannot close the class: %v", where, err)
	}
	if left := b.left(); len(left) > 0 {
		f.add("%s, leaves behind: %s", where, strings.Join(left, ", "))
	}
	return count
}

// faultsOpening: the class may open without what failed, or refuse to, but leaves nothing behind.
func faultsOpening(f *findings) {
	f.inject(experiment{
		name:    "opening",
		prepare: func(*bench) error { return nil },
		broken: func(b *bench, _ fault) error {
			if err := b.openClass(); err != nil {
				return err
			}
			return b.pass()
		},
	})
}

// faultsClosing breaks the kernel while the class closes, after each call of the harness.
func faultsClosing(f *findings) {
	f.inject(experiment{
		name: "closing",
		prepare: func(b *bench) error {
			if err := b.openClass(); err != nil {
				return err
			}
			for _, c := range b.harness.Calls {
				_, _ = b.run(c)
			}
			return nil
		},
		broken: func(b *bench, _ fault) error { return b.closeClass() },
	})
}

// faultsCalling breaks the kernel while a call runs.
func faultsCalling(f *findings) {
	h := f.open()
	if h.Close != nil {
		h.Close()
	}
	for _, c := range h.Calls {
		f.inject(experiment{
			name:    c.String(),
			prepare: (*bench).openClass,
			broken:  func(b *bench, broken fault) error { return f.faultyCall(b, c, broken) },
			after:   func(b *bench, broken fault) error { return f.recovers(b, c, broken) },
		})
	}
}

// faultyCall makes the call and looks at its answer, then goes on as a client would. A method that is not there is found by the check of calls.
func (f *findings) faultyCall(b *bench, c Call, broken fault) error {
	m := b.method(c.Method)
	if m == nil {
		return nil
	}
	reply, err := b.run(c)
	if isPanic(err) {
		return err
	}
	op := b.faulty.Failed()
	where := fmt.Sprintf("%s, %s (%s)", c, broken, op)
	if op != "" && op != Close {
		f.told(where, c, m, op, err, broken.errno)
	}
	f.answered(where, m, reply, err)
	if m.Watches {
		return f.watchOn(b, c)
	}
	return b.pass()
}

// watchOn watches for a while. Only a panic is an error: what failed may end the watch.
func (f *findings) watchOn(b *bench, c Call) error {
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

// recovers expects that the same call is carried out once the kernel is whole again. A device that was gone or busy may need more.
func (f *findings) recovers(b *bench, c Call, broken fault) error {
	m := b.method(c.Method)
	if m == nil || broken.errno != syscall.EIO {
		return nil
	}
	reply, err := b.run(c)
	f.answer(fmt.Sprintf("%s, after %s", c, broken), c, m, reply, err)
	return nil
}
