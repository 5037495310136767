package power

import (
	"slices"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
)

// How many inhibitors there may be, in all and of one user: each costs Halberd a descriptor, and all of them have to fit one reply.
const (
	maxInhibitors = 64
	maxPerOwner   = 16
)

// What an inhibitor holds back.
const (
	holdsShutdown = "shutdown" // Reboot and PowerOff
	holdsSuspend  = "suspend"
	holdsAll      = "all"
)

var holds = []string{holdsShutdown, holdsSuspend, holdsAll}

// inhibitor is one that somebody has.
type inhibitor struct {
	what, why string
	owner     hal.Owner
	number    int // below maxInhibitors, no other one's
	fd        int // the reading end of the pipe
	guard     hal.Guard
}

func (i *inhibitor) covers(a hal.PowerAction) bool { return covers(i.what, a) }

// covers reports whether an inhibitor of a kind holds an action back.
func covers(what string, a hal.PowerAction) bool {
	return what == holdsAll || (what == holdsSuspend) == (a == hal.Suspend)
}

// inhibit makes an inhibitor.
func (p *power) inhibit(h hal.Holder, in *inhibitIn, out *inhibitOut) error {
	if err := short("why", in.Why); err != nil {
		return err
	}
	if c := p.current; c != nil && covers(in.What, c.Action) {
		return hal.BusyDevice(class, string(c.Action), c.reason)
	}
	if err := p.room(h.Owner()); err != nil {
		return err
	}
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return err
	}
	i := &inhibitor{what: in.What, why: in.Why, owner: h.Owner(), number: p.freeNumber(), fd: ends[0]}
	if err := p.add(i); err != nil {
		hal.CloseFiles(ends[:])
		return err
	}
	out.File.FD = ends[1]
	p.env.Log.Info("an inhibitor is taken", "what", i.what, "why", i.why, "owner", string(i.owner))
	p.keep(i)
	p.tell(eventInhibitors, nil)
	return nil
}

// room refuses one more inhibitor of a user than there may be.
func (p *power) room(owner hal.Owner) error {
	own := 0
	for _, i := range p.inhibitors {
		if i.owner == owner {
			own++
		}
	}
	switch {
	case own >= maxPerOwner:
		return &hal.LimitExceeded{Limit: "inhibitors-per-uid", Maximum: maxPerOwner}
	case len(p.inhibitors) >= maxInhibitors:
		return &hal.LimitExceeded{Limit: "inhibitors", Maximum: maxInhibitors}
	}
	return nil
}

// freeNumber finds the lowest number that no inhibitor has.
func (p *power) freeNumber() (n int) {
	for slices.ContainsFunc(p.inhibitors, func(i *inhibitor) bool { return i.number == n }) {
		n++
	}
	return n
}

// add waits for the end of an inhibitor.
func (p *power) add(i *inhibitor) error {
	if err := p.env.Loop.Poll(i.fd, func() { p.heard(i) }); err != nil {
		return err
	}
	p.inhibitors = append(p.inhibitors, i)
	return nil
}

// heard looks whether an inhibitor has ended. What its holder writes is nothing to us.
func (p *power) heard(i *inhibitor) {
	var buf [512]byte
	n, err := unix.Read(i.fd, buf[:])
	if n > 0 || err == unix.EAGAIN || err == unix.EINTR {
		return
	}
	p.letGo(i)
	p.inhibitors = slices.DeleteFunc(p.inhibitors, func(other *inhibitor) bool { return other == i })
	p.env.Log.Info("an inhibitor is gone", "what", i.what, "why", i.why, "owner", string(i.owner))
	p.drop(i)
	p.tell(eventInhibitors, nil)
}

// letGo closes our end. What is kept of it stays.
func (p *power) letGo(i *inhibitor) {
	p.env.Loop.Unpoll(i.fd)
	i.guard.Close(keeping, func() { _ = unix.Close(i.fd) })
}
