package service

import (
	"strings"

	"github.com/halberd-io/halberd/hal"
)

// maxListed is how many devices one reply of List or Holders has at most. They fit the smallest reply, with the longest names: see TestPagesFit.
const maxListed = 128

// listIn asks for devices.
type listIn struct {
	class, after hal.Opt[string]
}

func (p *listIn) Fields(f *hal.Fields) {
	f.OptText("class", &p.class, "Only devices of this class: Gpio.")
	f.OptText("after", &p.after, "Go on behind this one: next of the reply before.")
}

// listed is one device in a list.
type listed struct {
	class, id string
	holder    hal.Opt[string]
}

func (p *listed) Fields(f *hal.Fields) {
	f.Text("class", &p.class, "Its class.")
	f.Text("id", &p.id, "Its ID, unique in the class.")
	f.OptText("holder", &p.holder, "Who has it for itself, by a claim or a lease; of several the first: uid 1000. Holders tells more.")
}

// listOut is a page of devices.
type listOut struct {
	devices []listed
	next    hal.Opt[string]
}

func (p *listOut) Fields(f *hal.Fields) {
	hal.Each(f, "devices", &p.devices, 0, maxListed, "Devices that the caller's grants cover, by class and ID.")
	f.OptText("next", &p.next, "There are more: call again with this as after.")
}

// deviceIn names a device of any class.
type deviceIn struct{ device string }

func (p *deviceIn) Fields(f *hal.Fields) {
	f.Text("device", &p.device, "Class and ID: Gpio/relay-pump.")
}

// described is what Describe says of a device.
type described struct {
	listed
	bus        hal.Opt[string]
	methods    []string
	interlocks hal.Opt[[]string]
}

func (p *described) Fields(f *hal.Fields) {
	p.listed.Fields(f)
	f.OptText("bus", &p.bus, "The bus that calls may have to wait for.")
	f.Texts("methods", &p.methods, 0, 64, "Methods of its class that the caller has a grant for on it, and those without a device.")
	f.OptTexts("interlocks", &p.interlocks, 1, hal.MaxID, "The interlocks that it is in.")
}

// boardClass is io.halberd.Board.
func (s *Server) boardClass() *hal.Class {
	return &hal.Class{Name: "Board", Doc: "What this board has, and who has it for itself.", Methods: append([]*hal.Method{
		hal.Plain(hal.Observe, "List", "Lists the devices that the caller's grants cover.", s.list),
		hal.Plain(hal.Observe, "Describe", "Describes a device that the caller's grants cover.", s.describe),
		s.eventsMethod(),
		hal.Later(hal.Administer, "Safe", "Brings every output that board.toml gives a safe value to it, also one that somebody has claimed or configured otherwise.\n"+
			"One that fails does not keep the others from it: then the answer is io.halberd.NotSafe, which names those that failed. It comes within 5 s.", s.safe),
	}, s.claimMethods()...)}
}

// callerOf gives who calls. The holders that methods see are ours.
func callerOf(h hal.Holder) *caller {
	if c, ok := h.(*conn); ok {
		return &c.caller
	}
	return h.(*datagram).caller
}

func (s *Server) list(h hal.Holder, in *listIn, out *listOut) error {
	rights := callerOf(h).rights()
	after, holders := in.after.Or(""), s.holderNames()
	for _, i := range s.catalog.Interfaces() {
		if i.Devices == nil || in.class.Set && in.class.Value != i.Class {
			continue
		}
		for at := range i.Devices.Len() {
			id := i.Devices.At(at).ID()
			name := i.Class + "/" + id
			if !later(name, i.Class, after) || !rights.MayTouch(i.Class, id) {
				continue
			}
			if len(out.devices) == maxListed {
				last := out.devices[maxListed-1]
				out.next = hal.Some(last.class + "/" + last.id)
				return nil
			}
			out.devices = append(out.devices, listed{i.Class, id, given(holders[name])})
		}
	}
	return nil
}

// later reports whether a device comes behind another one. Devices are in the order of their classes' names and their IDs.
func later(name, class, after string) bool {
	afterClass, afterID, _ := strings.Cut(after, "/")
	if class != afterClass {
		return class > afterClass
	}
	return name[len(class)+1:] > afterID
}

func (s *Server) describe(h hal.Holder, in *deviceIn, out *described) error {
	class, id, ok := strings.Cut(in.device, "/")
	if !ok {
		return &hal.InvalidParameter{Parameter: "device", What: "must be a class, a slash and an ID"}
	}
	rights := callerOf(h).rights()
	if !rights.MayTouch(class, id) {
		denied := &hal.PermissionDenied{Reason: "no grant covers this device", Device: hal.Some(in.device)}
		callerOf(h).recordHidden(s.catalog.Method([]byte("io.halberd.Board.Describe")), in.device, denied)
		return denied
	}
	i := s.catalog.Class(class)
	if i == nil || i.Devices == nil {
		return hal.MissingDevice(class, id)
	}
	for at := range i.Devices.Len() {
		d := i.Devices.At(at)
		if d.ID() != id {
			continue
		}
		out.listed = listed{class, id, given(s.holderNames()[in.device])}
		out.bus = hal.Opt[string]{Value: d.Bus(), Set: d.Bus() != ""}
		if r, ok := d.(hal.Restrained); ok {
			out.interlocks = hal.Opt[[]string]{Value: r.Interlocks(), Set: r.Interlocks() != nil}
		}
		for _, m := range i.Methods {
			if m.Device == "" && rights.Covers(m) || m.Device != "" && m.Finds(id) && rights.MayCall(m, id) {
				out.methods = append(out.methods, m.Name)
			}
		}
		return nil
	}
	return i.Devices.Missing(id)
}
