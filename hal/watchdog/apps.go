package watchdog

import (
	"slices"
	"time"

	"github.com/halberd-io/halberd/hal"
)

const (
	maxApps    = 128 // in all: Status fits the smallest reply
	maxPerUser = 16
)

// app is one registration.
type app struct {
	owner   hal.Owner
	name    string
	timeout time.Duration
	holder  hal.Holder // nil once the connection has ended
	hung    bool
	rest    func() // stops the timer
	forget  func() // stops waiting for the connection's end
}

// apps are the registrations, in their order. They are the loop's.
type apps struct {
	loop hal.Loop
	all  []*app
	hang func(a *app, why string) // told when an app hangs
}

// find finds an app by its user and its name.
func (s *apps) find(owner hal.Owner, name string) *app {
	for _, a := range s.all {
		if a.owner == owner && a.name == name {
			return a
		}
	}
	return nil
}

// register takes an app in, or anew: on the connection that it has, or on another one once that has ended.
func (s *apps) register(h hal.Holder, name string, timeout time.Duration) error {
	a := s.find(h.Owner(), name)
	switch {
	case a == nil:
		if err := s.room(h.Owner()); err != nil {
			return err
		}
		a = &app{owner: h.Owner(), name: name, rest: func() {}, forget: func() {}}
		s.all = append(s.all, a)
	case a.holder != nil && a.holder != h:
		return hal.BusyDevice(class, name, "")
	}
	a.forget()
	a.holder, a.timeout = h, timeout
	a.forget = h.Ended(func() { s.ended(a) })
	s.healthy(a)
	return nil
}

// room refuses an app too many.
func (s *apps) room(owner hal.Owner) error {
	own := 0
	for _, a := range s.all {
		if a.owner == owner {
			own++
		}
	}
	switch {
	case own >= maxPerUser:
		return &hal.LimitExceeded{Limit: "watchdog-registrations-per-uid", Maximum: maxPerUser}
	case len(s.all) >= maxApps:
		return &hal.LimitExceeded{Limit: "watchdog-registrations", Maximum: maxApps}
	}
	return nil
}

// ended is called when the connection of an app has ended: without an Unregister before, it hangs. That is seen a turn of the loop later, and so not at all where the daemon itself ends: its
// connections end then, and the apps are not to blame.
func (s *apps) ended(a *app) {
	a.holder = nil
	s.loop.Post(func() {
		if a.holder == nil && slices.Contains(s.all, a) {
			s.hangs(a, "it ended without Unregister")
		}
	})
}

// hangs marks an app, once.
func (s *apps) hangs(a *app, why string) {
	a.rest()
	if !a.hung {
		a.hung = true
		s.hang(a, why)
	}
}

// healthy begins the timeout of an app anew.
func (s *apps) healthy(a *app) {
	a.rest()
	a.hung = false
	a.rest = s.loop.After(a.timeout, func() { s.hangs(a, "it did not ping in time") })
}

// remove takes an app out.
func (s *apps) remove(a *app) {
	a.rest()
	a.forget()
	s.all = slices.DeleteFunc(s.all, func(other *app) bool { return other == a })
}

// begin begins all timeouts anew, and forgets the apps that ended: nobody watched over them.
func (s *apps) begin() {
	for _, a := range slices.Clone(s.all) {
		if a.holder == nil {
			s.remove(a)
		} else {
			s.healthy(a)
		}
	}
}

// close takes all apps out.
func (s *apps) close() {
	for _, a := range slices.Clone(s.all) {
		s.remove(a)
	}
}
