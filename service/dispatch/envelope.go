package dispatch

import (
	"errors"
	"fmt"

	"github.com/halberd-io/halberd/hal/wire"
)

// Envelope is one call as it came over the wire. Its slices are those of the message.
type Envelope struct {
	Method     []byte
	Parameters wire.Value // nil where absent
	Oneway     bool       // no reply is wanted
	More       bool       // more than one reply is wanted
	Upgrade    bool       // the connection is to become something else: we never do
}

// errFlags refuses a call that asks for two ways of being answered.
var errFlags = errors.New("cannot read call: more than one of oneway, more and upgrade")

// Parse reads an envelope. After an error nothing in the message can be trusted: a connection has to be closed, a datagram to be dropped.
func Parse(msg []byte) (Envelope, error) {
	var e Envelope
	var room [5]wire.Member
	members, err := wire.Read(room[:0], msg)
	if err == wire.ErrTooMany {
		return e, errors.New("cannot read call: unknown key")
	}
	if err != nil {
		return e, err
	}
	for _, m := range members {
		if err := e.take(m); err != nil {
			return e, err
		}
	}
	if e.Method == nil {
		return e, errors.New("cannot read call: no method")
	}
	if e.Oneway && e.More || e.Oneway && e.Upgrade || e.More && e.Upgrade {
		return e, errFlags
	}
	return e, nil
}

func (e *Envelope) take(m wire.Member) (err error) {
	switch string(m.Key) {
	case "method":
		e.Method, err = methodName(m.Value)
	case "parameters":
		e.Parameters, err = object(m.Value)
	case "oneway":
		e.Oneway, err = flag(m)
	case "more":
		e.More, err = flag(m)
	case "upgrade":
		e.Upgrade, err = flag(m)
	default:
		err = fmt.Errorf("cannot read call: unknown key %.64q", m.Key)
	}
	return err
}

func methodName(v wire.Value) ([]byte, error) {
	name, err := v.Text()
	if err != nil {
		return nil, errors.New("cannot read call: the method is not a string")
	}
	for _, c := range name {
		if c < 0x20 || c == 0x7f {
			return nil, errors.New("cannot read call: a control character in the method's name")
		}
	}
	return name, nil
}

func object(v wire.Value) (wire.Value, error) {
	switch v.Kind() {
	case wire.Null:
		return nil, nil
	case wire.Object:
		return v, nil
	}
	return nil, errors.New("cannot read call: the parameters are not an object")
}

func flag(m wire.Member) (bool, error) {
	if m.Value.Kind() == wire.Null {
		return false, nil
	}
	b, err := m.Value.Bool()
	if err != nil {
		return false, fmt.Errorf("cannot read call: %s is not a truth value", m.Key)
	}
	return b, nil
}
