package haltest

import (
	"errors"

	"github.com/halberd-io/halberd/hal"
)

var errRefused = errors.New("refused")

// refuse is a gate that refuses everything, having looked at everything.
type refuse struct{}

func (refuse) Permit(c *hal.Call) error {
	c.Examine(refuse{})
	for i := range c.Devices() {
		_ = c.DeviceID(i)
	}
	return errRefused
}

func (refuse) Examine(string, hal.Scalar) {}

// gated makes every call of the harness, and one made up for each method, with a gate that refuses.
func gated(f *findings) {
	f.eachCall(func(b *bench, c Call) { f.refused(b, c) })
	f.with(func(b *bench) {
		for _, m := range b.class.Methods {
			f.refused(b, Call{Method: m.Name, Parameters: object(validMembers(m, "a"))})
			if b.class.Devices == nil {
				continue
			}
			for i := range b.class.Devices.Len() {
				id := b.class.Devices.At(i).ID()
				f.refused(b, Call{Method: m.Name, Parameters: object(validMembers(m, id))})
			}
		}
	})
}

func (f *findings) refused(b *bench, c Call) {
	b.recorder.Reset()
	err := try(func() error {
		_, _, err := b.authorise(c, refuse{})
		return err
	})
	if err != errRefused {
		f.add("%s: the gate refused it, and the answer is %v", c, err)
	}
	if asked := b.recorder.Calls(); len(asked) > 0 {
		f.add("%s: the gate refused it, and the kernel was asked: %s", c, asked[0].String())
	}
	b.recorder.Reset()
	if err := b.pass(); err != nil {
		f.add("%s: after the gate refused it: %v", c, err)
	}
	if written := b.recorder.Written(); len(written) > 0 {
		f.add("%s: the gate refused it, and later the kernel was asked: %s", c, written[0].String())
	}
}
