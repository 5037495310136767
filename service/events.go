package service

import "github.com/halberd-io/halberd/hal"

// What happens to a device.
const (
	eventBegin    = "begin" // of the watch; nothing happened yet
	eventAdded    = "added"
	eventRemoved  = "removed"
	eventClaimed  = "claimed"
	eventReleased = "released"
	eventLeased   = "leased"
	eventReturned = "returned"
)

// event is something that happened to a device.
type event struct {
	kind          string
	class, device hal.Opt[string]
}

func (p *event) Fields(f *hal.Fields) {
	f.Enum("kind", &p.kind, []string{eventBegin, eventAdded, eventRemoved, eventClaimed, eventReleased, eventLeased, eventReturned},
		"begin comes once, at first, without a device. added and removed: the device was plugged in or out. claimed and released: somebody has it for itself, and no more. "+
			"leased and returned: somebody was handed a descriptor of it, and has it no more, as far as Holders can tell.")
	f.OptText("class", &p.class, "The device's class: Gpio.")
	f.OptText("device", &p.device, "Class and ID, as Describe takes them: Gpio/relay-pump.")
}

// eventsMethod is Events, of Board.
func (s *Server) eventsMethod() *hal.Method {
	return hal.Stream(hal.Observe, "Events", "Tells what happens to the devices that the caller's grants cover at that moment; of others nothing.\n"+
		"Whoever lists the devices after the first event misses none. A device that was replaced by another one of the same name is removed and added. Where lost is not 0, list them again.",
		func(_ hal.Holder, _ *hal.None, out *event) error {
			out.kind = eventBegin
			return nil
		},
		func(h hal.Holder, _ *hal.None, w *hal.Watcher[event]) (stop func(), err error) {
			c := callerOf(h)
			return s.events.Subscribe(func(d happening) { d.tell(c, w) }), nil
		})
}

// happening is an event of a device, before it is known who may be told.
type happening struct{ kind, class, id string }

// tell tells a caller who may know of the device.
func (d *happening) tell(c *caller, w *hal.Watcher[event]) {
	if c.rights().MayTouch(d.class, d.id) {
		w.Emit(&event{d.kind, hal.Some(d.class), hal.Some(d.class + "/" + d.id)})
	}
}

// inventory lists the devices of a class, for tellChanges; nil where nobody wants to know.
func (s *Server) inventory(class *hal.Class) (all []hal.Device) {
	if !s.events.Watched() || class.Devices == nil {
		return nil
	}
	for i := range class.Devices.Len() {
		all = append(all, class.Devices.At(i))
	}
	return all
}

// tellChanges tells what came and went since an inventory was made. Both are in the order of their IDs.
func (s *Server) tellChanges(class *hal.Class, before []hal.Device) {
	var went, came []hal.Device
	after := s.inventory(class)
	for len(before) > 0 || len(after) > 0 {
		switch {
		case len(after) == 0 || len(before) > 0 && before[0].ID() < after[0].ID():
			went, before = append(went, before[0]), before[1:]
		case len(before) == 0 || after[0].ID() < before[0].ID():
			came, after = append(came, after[0]), after[1:]
		default:
			if before[0] != after[0] { // another one of that name
				went, came = append(went, before[0]), append(came, after[0])
			}
			before, after = before[1:], after[1:]
		}
	}
	for _, d := range went {
		s.events.Publish(happening{eventRemoved, class.Name, d.ID()})
	}
	for _, d := range came {
		s.events.Publish(happening{eventAdded, class.Name, d.ID()})
	}
}
