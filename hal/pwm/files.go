package pwm

import (
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sysfs"
)

// The polarities, as the kernel has them.
const (
	normal   = "normal"
	inversed = "inversed"
)

var polarities = []string{normal, inversed}

// state is how a channel is set.
type state struct {
	period, duty int64 // ns
	polarity     string
	enabled      bool
}

// files are the attributes of an exported channel.
type files struct {
	period, duty, polarity, enable *sysfs.Attribute
}

// openFiles opens them all or none.
func openFiles(k hal.Kernel, dir string) (*files, error) {
	f := &files{}
	for _, one := range []struct {
		name string
		to   **sysfs.Attribute
	}{{"period", &f.period}, {"duty_cycle", &f.duty}, {"polarity", &f.polarity}, {"enable", &f.enable}} {
		a, err := sysfs.Open(k, dir+"/"+one.name, unix.O_RDWR)
		if err != nil {
			f.close()
			return nil, err
		}
		*one.to = a
	}
	return f, nil
}

// close closes them. Closing nil or closing twice does no harm.
func (f *files) close() {
	if f == nil {
		return
	}
	f.period.Close()
	f.duty.Close()
	f.polarity.Close()
	f.enable.Close()
}

func (f *files) read() (now state, err error) {
	if now.period, err = f.period.ReadInt(); err != nil {
		return state{}, err
	}
	if now.duty, err = f.duty.ReadInt(); err != nil {
		return state{}, err
	}
	enabled, err := f.enable.ReadInt()
	if err != nil {
		return state{}, err
	}
	now.enabled = enabled != 0
	now.polarity, err = f.readPolarity()
	return now, err
}

func (f *files) readPolarity() (string, error) {
	for _, polarity := range polarities {
		is, err := f.polarity.Begins(polarity)
		if is || err != nil {
			return polarity, err
		}
	}
	return "", fmt.Errorf("cannot read a polarity: the kernel says neither %s nor %s", normal, inversed)
}

// apply writes what differs, so that neither the kernel refuses a state on the way nor the signal is active for a greater share of its period than before or afterwards: a longer period comes
// before its duty, a shorter one after it. What is to be switched off is so first, what is to be switched on is so last, and the polarity changes while the channel is off.
func (f *files) apply(now, next state) error {
	turns := now.polarity != next.polarity
	pauses := now.enabled && (turns || !next.enabled)
	if pauses {
		if err := f.enable.WriteInt(0); err != nil {
			return err
		}
	}
	if err := f.setTimes(now, next); err != nil {
		return err
	}
	if turns {
		if err := f.setPolarity(next.polarity, pauses && next.enabled); err != nil {
			return err
		}
	}
	if next.enabled && (pauses || !now.enabled) {
		return f.enable.WriteInt(1)
	}
	return nil
}

func (f *files) setTimes(now, next state) error {
	if next.period < now.period {
		if err := write(f.duty, now.duty, next.duty); err != nil {
			return err
		}
		return f.period.WriteInt(next.period)
	}
	if err := write(f.period, now.period, next.period); err != nil {
		return err
	}
	return write(f.duty, now.duty, next.duty)
}

// write writes a value unless it is there.
func write(a *sysfs.Attribute, now, next int64) error {
	if now == next {
		return nil
	}
	return a.WriteInt(next)
}

// setPolarity sets the polarity, or switches a channel on again that was switched off for it.
func (f *files) setPolarity(polarity string, again bool) error {
	err := f.polarity.WriteText(polarity)
	if err != nil && again {
		_ = f.enable.WriteInt(1) // what went wrong first is told
	}
	if errno := syscall.Errno(0); errors.As(err, &errno) && cannot[errno] {
		return &hal.NotSupported{Feature: polarity}
	}
	return err
}

// enotsupp is the kernel's own ENOTSUPP, which has no name outside.
const enotsupp = syscall.Errno(524)

// cannot are what drivers answer whose chips have one polarity.
var cannot = map[syscall.Errno]bool{unix.EINVAL: true, unix.ENOSYS: true, unix.EOPNOTSUPP: true, enotsupp: true}
