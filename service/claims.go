package service

import (
	"fmt"
	"sort"
	"strings"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/service/claim"
)

// anyDevice finds devices of all classes by Class/ID, as the methods of Board name them.
type anyDevice struct{ server *Server }

// boardDevice is a device of any class, called Class/ID. What is done with it is never done on a worker by its caller.
type boardDevice struct{ claim.Device }

// ID is Class/ID.
func (d boardDevice) ID() string { return d.Name() }

// Bus is "": the book of claims goes to the device's worker itself.
func (boardDevice) Bus() string { return "" }

// Param names one device.
func (anyDevice) Param() string { return "device" }

// Class is that of the interface.
func (anyDevice) Class() string { return "Board" }

// Find finds a device.
func (a anyDevice) Find(name []byte) (boardDevice, bool) {
	class, id, _ := strings.Cut(string(name), "/")
	i := a.server.catalog.Class(class)
	if i == nil || i.Devices == nil {
		return boardDevice{}, false
	}
	d := find(i.Devices, id)
	return boardDevice{claim.Device{Device: d, Class: class}}, d != nil
}

// find looks for a device among those of a class, which are in the order of their IDs.
func find(all hal.Inventory, id string) hal.Device {
	at := sort.Search(all.Len(), func(i int) bool { return all.At(i).ID() >= id })
	if at < all.Len() && all.At(at).ID() == id {
		return all.At(at)
	}
	return nil
}

// Missing is the refusal for a name that no device has.
func (a anyDevice) Missing(name string) hal.Refusal {
	class, id, _ := strings.Cut(name, "/")
	if i := a.server.catalog.Class(class); i != nil && i.Devices != nil {
		return i.Devices.Missing(id)
	}
	return hal.MissingDevice(class, id)
}

// claimMethods are those methods of Board that are about holding devices.
func (s *Server) claimMethods() []*hal.Method {
	all := anyDevice{s}
	take := hal.OnManyLater(all, hal.Control, "Claim", "Takes devices, all or none, so that until Release or the end of the connection nobody else changes them. Others may go on to read and to watch them. "+
		"What board.toml says about on-release happens at the end, whatever ends it. Claiming what one has already does no harm.\nBusy where somebody else has one of them, or a lease or a pulse has it, or a call that waits for another device's bus is about to change it. NotSupported{group} for a part of a gpio-group.", s.claim)
	drop := hal.OnManyLater(all, hal.Control, "Release", "Lets devices go that the same connection has claimed, and ends its leases of them. It answers once they are in their on-release state. What the connection has not claimed or leased is left alone.", s.release)
	take.NeedsConnection, drop.NeedsConnection = true, true
	s.claimMethod = take
	return []*hal.Method{
		take, drop,
		s.holdersMethod(),
		hal.Later(hal.Administer, "ForceRelease", "Ends somebody's claim or lease on a device, and with it on all that goes together with it. They go to their on-release states; it answers then, also where nobody had it.", s.forceRelease),
	}
}

// afterwards calls done once the loop comes round, as a method that is answered later has to.
func (s *Server) afterwards(done func(error)) func(error) {
	return func(err error) { s.loop.Post(func() { done(err) }) }
}

func (s *Server) claim(devices []boardDevice, h hal.Holder, _, _ *hal.None, done func(error)) {
	list := make([]claim.Device, len(devices))
	for i, d := range devices {
		list[i] = d.Device
	}
	done = s.afterwards(done)
	if err := together(devices); err != nil {
		done(err)
		return
	}
	s.claims.Take(h.(*conn), list, func(err error) {
		if taken, ok := err.(*claim.Taken); ok {
			err = callerOf(h).busy(taken.By)
		}
		done(err)
	})
}

func (s *Server) release(devices []boardDevice, h hal.Holder, _, _ *hal.None, done func(error)) {
	done = s.afterwards(done)
	if err := together(devices); err != nil {
		done(err)
		return
	}
	w := &waiting{left: 1, done: func() { done(nil) }}
	names := make([]string, len(devices))
	for i, d := range devices {
		names[i] = d.Name()
		w.endLease(d, h)
	}
	s.claims.Drop(h.(*conn), names, w.ended)
}

func (s *Server) forceRelease(_ hal.Holder, in *deviceIn, _ *hal.None, done func(error)) {
	done = s.afterwards(done)
	all := anyDevice{s}
	d, there := all.Find([]byte(in.device))
	if !there {
		done(all.Missing(in.device))
		return
	}
	w := &waiting{left: 1, done: func() { done(nil) }}
	w.endLease(d, nil)
	for _, name := range d.together() {
		if held := s.claims.Of(name); held != nil {
			s.log.Warn("a claim was ended by an administrator", "device", name, "uid", held.UID)
			w.left++
			s.claims.Free(held, w.ended)
		}
	}
	w.ended()
}

// UID is whose connection or datagram it is.
func (c *caller) UID() uint32 { return c.cred.UID }

// Blocked refuses a change of what somebody else has for itself.
func (c *conn) Blocked(call *hal.Call) error { return c.blocked(c, call) }

// Blocked refuses a change of what somebody has for itself: a datagram holds nothing.
func (c *datagram) Blocked(call *hal.Call) error { return c.blocked(c, call) }

func (c *caller) blocked(h claim.Holder, call *hal.Call) error {
	for i := range call.Devices() {
		if held := c.server.claims.Blocker(h, call.Method.Class, call.DeviceID(i)); held != nil {
			return c.busy(held)
		}
	}
	return nil
}

// busy is the refusal for a device that somebody else has. The caller may use the device, and so may know who keeps it from that.
func (c *caller) busy(held *claim.Hold) error {
	return hal.BusyDevice(held.Device.Class, held.Device.ID(), holderName(held.UID))
}

func holderName(uid uint32) string { return fmt.Sprintf("uid %d", uid) }

// recheckClaims ends the claims that the policy in force does not permit any more.
func (s *Server) recheckClaims() {
	for _, held := range s.claims.All() {
		c, _ := held.Holder.(*conn)
		if c != nil && !c.rights().MayCall(s.claimMethod, held.Device.Name()) {
			s.log.Info("a claim ends: the policy does not permit it any more", "device", held.Device.Name(), c.subject())
			s.claims.Free(held, func() {})
		}
	}
}

// restoreClaims holds the devices that were claimed when the daemon was restarted for those who claimed them.
func (s *Server) restoreClaims() {
	for _, i := range s.catalog.Interfaces() {
		if i.Devices == nil {
			continue
		}
		for at := range i.Devices.Len() {
			s.claims.Restore(claim.Device{Device: i.Devices.At(at), Class: i.Class}, s.config.Limits.Reclaim)
		}
	}
}

// claimChanged is called when a device is held, and when it is free again.
func (s *Server) claimChanged(held *claim.Hold, taken bool) {
	s.log.Debug("claim", "device", held.Device.Name(), "uid", held.UID, "held", taken)
	kind := eventReleased
	if taken {
		kind = eventClaimed
	}
	s.events.Publish(happening{kind, held.Device.Class, held.Device.ID()})
}
