package attack

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/service/peer"
	"github.com/halberd-io/halberd/service/servicetest"
)

// kinds are the three kinds of socket.
var kinds = []peer.Transport{peer.Stream, peer.Seqpacket, peer.Datagram}

// connections are those with connections.
var connections = kinds[:2]

// assault is one attack. It lasts as long as goOn says, and makes at least one round.
type assault struct {
	name   string
	run    func(a *attacker) error
	unless func(*Target) string // says why it cannot be made; nil where it always can
}

// missing says why the attack cannot be made on a target, or "".
func (a *assault) missing(t *Target) string {
	if a.unless == nil {
		return ""
	}
	return a.unless(t)
}

// attacks are all there are.
var attacks = slices.Concat(exhausting, flooding, breaking)

// attack is the child.
func attack(o *orders) error {
	i := slices.IndexFunc(attacks, func(a assault) bool { return a.name == o.What })
	if i < 0 {
		return fmt.Errorf("there is no attack %q", o.What)
	}
	a := &attacker{orders: o, end: time.Now().Add(o.Lasts)}
	err := attacks[i].run(a)
	a.closeAll()
	fmt.Printf("%d times", a.done)
	return err
}

// attacker is the process that attacks.
type attacker struct {
	*orders
	end    time.Time
	rounds int
	done   int // connections, messages, or whatever it is that the attack does
	open   []*servicetest.Raw
}

// goOn reports whether another round is to be made. There is always a first one.
func (a *attacker) goOn() bool {
	a.rounds++
	return a.rounds == 1 || time.Now().Before(a.end)
}

// dial connects, and keeps the connection for closeAll.
func (a *attacker) dial(kind peer.Transport) (*servicetest.Raw, error) {
	r, err := servicetest.Dial(kind, a.Target)
	if err == nil {
		a.open = append(a.open, r)
	}
	return r, err
}

// dialMany connects n times on each kind that has connections.
func (a *attacker) dialMany(n int) error {
	for range n {
		for _, kind := range connections {
			if _, err := a.dial(kind); err != nil {
				return err
			}
		}
	}
	return nil
}

func (a *attacker) closeAll() {
	for _, r := range a.open {
		r.Close()
	}
	a.open = nil
}

// hold waits until the attack has lasted long enough.
func (a *attacker) hold() { time.Sleep(time.Until(a.end)) }

// push sends without waiting, and says whether the kernel took it.
func push(r *servicetest.Raw, b []byte) (int, error) {
	for {
		n, err := unix.SendmsgN(r.FD, b, nil, nil, unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT)
		if err != unix.EINTR {
			return n, err
		}
	}
}

// framed is a message as it is sent.
func framed(kind peer.Transport, call string) []byte {
	if kind == peer.Stream {
		call += "\x00"
	}
	return []byte(call)
}

// over reports whether a connection has ended, which the daemon does to those who break the protocol.
func over(err error) bool { return err == unix.EPIPE || err == unix.ECONNRESET }

// closed waits until the daemon ends a connection, and takes what it says before.
func closed(r *servicetest.Raw) (said []string, err error) {
	for {
		reply, err := r.Read()
		switch {
		case over(err), err == nil && reply == "":
			return said, nil
		case err != nil:
			return said, fmt.Errorf("the connection was not ended: %w", err)
		}
		said = append(said, reply)
	}
}

// refusedAs says so where a reply is not the error of that name.
func refusedAs(reply, name string) error {
	if !strings.HasPrefix(reply, `{"error":"`+name+`"`) {
		return fmt.Errorf("got %.200q, want %s", reply, name)
	}
	return nil
}

// permitted says so where a call of the attacker's own is not carried out.
func (a *attacker) permitted(r *servicetest.Raw) error {
	reply, err := r.Call(a.Read)
	if err == nil && !strings.HasPrefix(reply, `{"parameters":`) {
		err = errors.New(reply)
	}
	if err != nil {
		err = fmt.Errorf("what it may do fails: %w", err)
	}
	return err
}
