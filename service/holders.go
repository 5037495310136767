package service

import (
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/service/claim"
)

// Who has which device for itself: by a claim, which the book of claims knows, or by a lease, which its class has noted.

// Ways to have a device.
const (
	byClaim = "claim"
	byLease = "lease"
)

// holding is a device that somebody has.
type holding struct {
	class, id, name string // name is Class/ID
	number          int64  // of the lease; 0 for a claim
	holder          hal.Holder
	uid             uint32
	ended           bool
}

// holdings lists them, by class and ID; of one device the claim first, and then the leases in their order.
func (s *Server) holdings() []holding {
	var all []holding
	add := func(d claim.Device, number int64, h hal.Holder, uid uint32, ended bool) {
		all = append(all, holding{d.Class, d.ID(), d.Name(), number, h, uid, ended})
	}
	for _, h := range s.claims.All() {
		add(h.Device, 0, h.Holder, h.UID, h.Ending())
	}
	for _, l := range s.leases.All() {
		add(claim.Device{Device: l.Device, Class: l.Class}, l.Number, l.Holder, callerOf(l.Holder).cred.UID, l.Ended)
	}
	sort.Slice(all, func(i, j int) bool {
		a, b := &all[i], &all[j]
		return a.name < b.name || a.name == b.name && a.number < b.number
	})
	return all
}

// holderNames are the names of who has devices, by class and ID; nil where nobody has any.
func (s *Server) holderNames() map[string]string {
	var names map[string]string
	for _, h := range s.holdings() {
		if names == nil {
			names = map[string]string{}
		}
		if names[h.name] == "" {
			names[h.name] = holderName(h.uid)
		}
	}
	return names
}

// cursor is where a list goes on. A device's name has no space.
func (h *holding) cursor() string { return h.name + " " + strconv.FormatInt(h.number, 10) }

// isBehind reports whether the list goes on with this one. A cursor without a number stands behind all of a device.
func (h *holding) isBehind(cursor string) bool {
	name, text, given := strings.Cut(cursor, " ")
	if name != h.name {
		return h.name > name
	}
	number, err := strconv.ParseInt(text, 10, 64)
	return given && err == nil && h.number > number
}

// holder is one device that is held, as Holders tells.
type holder struct {
	device, kind string
	uid          int64
	pid          hal.Opt[int64]
	own, ended   bool
}

func (p *holder) Fields(f *hal.Fields) {
	f.Text("device", &p.device, "Class and ID: Gpio/relay-pump.")
	f.Enum("kind", &p.kind, []string{byClaim, byLease}, "claim: nobody else changes it. lease: somebody has a descriptor of it.")
	f.Int("uid", &p.uid, hal.Unitless, "Whose connection has it, or had it.")
	f.OptInt("pid", &p.pid, hal.Unitless, "The process that connected, which may have ended since. Not there for a claim that waits for its uid after a restart of the daemon.")
	f.Bool("own", &p.own, "Whether it is the caller's own connection.")
	f.Bool("ended", &p.ended, "Whether it has ended, and the device is not free yet: it is on its way to its on-release state, or the descriptor cannot be revoked, and somebody has it still. A passed descriptor may be another process's by then.")
}

// view is a holding as somebody is told of it.
func (h *holding) view(asks hal.Holder) holder {
	out := holder{device: h.name, kind: byClaim, uid: int64(h.uid), own: h.holder == asks, ended: h.ended}
	if h.number > 0 {
		out.kind = byLease
	}
	if c, ok := h.holder.(*conn); ok {
		out.pid = hal.Some(int64(c.cred.PID))
	}
	return out
}

// holdersOut is a page of them.
type holdersOut struct {
	holders []holder
	next    hal.Opt[string]
}

func (p *holdersOut) Fields(f *hal.Fields) {
	hal.Each(f, "holders", &p.holders, 0, maxListed, "Who has what, by class and ID; of one device the claim first, and then the leases in the order in which they began.")
	f.OptText("next", &p.next, "There are more: call again with this as after.")
}

// afterHolder asks for a page.
type afterHolder struct{ after hal.Opt[string] }

func (p *afterHolder) Fields(f *hal.Fields) {
	f.OptText("after", &p.after, "Go on behind this: next of the reply before.")
}

// holdersMethod is Holders, of Board.
func (s *Server) holdersMethod() *hal.Method {
	return hal.Plain(hal.Observe, "Holders", "Lists the devices that somebody has for itself by a claim or a lease, of those that the caller's grants cover.\n"+
		"A lease of GPIO lines is there until nobody has the lines any more, also after its connection has ended, as the kernel tells. One of an input device ends when it is revoked. Whether somebody still has a descriptor "+
		"of an SPI device or a serial port after its lease nobody can tell.", s.holders)
}

func (s *Server) holders(h hal.Holder, in *afterHolder, out *holdersOut) error {
	rights := callerOf(h).rights()
	last := ""
	for _, held := range s.holdings() {
		if in.after.Set && !held.isBehind(in.after.Value) || !rights.MayTouch(held.class, held.id) {
			continue
		}
		if len(out.holders) == maxListed {
			out.next = hal.Some(last)
			return nil
		}
		out.holders = append(out.holders, held.view(h))
		last = held.cursor()
	}
	return nil
}

// leaseChanged is called when a device is leased, and when it is returned.
func (s *Server) leaseChanged(l *hal.Lease) {
	s.log.Debug("lease", "device", l.Class+"/"+l.Device.ID(), "uid", callerOf(l.Holder).cred.UID, "returned", l.Returned)
	kind := eventLeased
	if l.Returned {
		kind = eventReturned
	} else if !s.permits(l) { // any more: the policy is another one since the call began
		s.loop.Post(s.recheckLeases)
	}
	s.events.Publish(happening{kind, l.Class, l.Device.ID()})
}

// recheckLeases ends the leases that the policy in force does not permit any more.
func (s *Server) recheckLeases() {
	for _, l := range slices.Clone(s.leases.All()) {
		if lessor, ok := l.Device.(hal.Lessor); ok && !l.Ended && !l.Returned && !s.permits(l) {
			s.log.Info("a lease ends: the policy does not permit it any more", "device", l.Class+"/"+l.Device.ID(), callerOf(l.Holder).subject())
			lessor.EndLease(l.Holder, func() {})
		}
	}
}

// permits reports whether who leased a device may still do so, by any method that passes descriptors.
func (s *Server) permits(l *hal.Lease) bool {
	rights := callerOf(l.Holder).rights()
	return slices.ContainsFunc(s.catalog.Class(l.Class).Methods, func(m *hal.Method) bool {
		return m.PassesFiles && rights.MayCall(m, l.Device.ID())
	})
}
