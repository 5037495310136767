package radio

import "github.com/halberd-io/halberd/hal"

// Driver joins the class to the board.
func Driver() hal.Driver {
	return hal.Driver{
		Class:  class,
		Tables: []hal.Table{hal.NewTable[entry]("radio", "A radio of /sys/class/rfkill. Its values are 1 where software lets it send, and 0 where it blocks it.")},
		Open:   Open,
	}
}

// Open finds the radios and switches those that board.toml has a value for.
func Open(env *hal.Env) (*hal.Class, error) {
	c := newControl(env)
	c.begin()
	r := newRoster(env, c)
	if err := r.Begin(); err != nil {
		c.close()
		return nil, err
	}
	return &hal.Class{
		Name: class, Doc: "Radios: what sends and receives, and may be kept from it.", Methods: methods(r.Set), Devices: r.Set,
		Close: func() {
			r.Close()
			c.close()
		},
		Safe: hal.SafeOutputs(r.Set, (*Radio).safeValue, (*Radio).bringSafe), Subsystems: []string{"rfkill"},
		Rescan: func() (again bool) {
			done := c.look()
			return r.Rescan() || !done
		},
	}, nil
}

func methods(radios *hal.Set[*Radio]) []*hal.Method {
	return []*hal.Method{
		hal.On(radios, hal.Observe, "Get", "Reads what the radio is and what blocks it.", (*Radio).get),
		hal.On(radios, hal.Control, "Block", "Keeps the radio from sending, and answers when its driver is done. Other software, as a network manager, may undo it. io.systemd.System with EIO where the driver refuses.", (*Radio).block),
		hal.On(radios, hal.Control, "Unblock", "Lets the radio send, as far as software is concerned: where hardware blocks it, it still does not. io.systemd.System with EIO where the driver refuses.", (*Radio).unblock),
		hal.Follow(radios, hal.Observe, "Watch", "Reports what blocks the radio, as soon as the kernel tells of a change, whoever makes it.", (*Radio).getEvent, (*Radio).startWatch),
	}
}

type getOut struct {
	Type, Name string
	state
}

func (r *getOut) Fields(f *hal.Fields) {
	f.Text("type", &r.Type, "The kernel's type: wlan, bluetooth, ultrawideband, wimax, wwan, gps, fm, nfc.")
	f.Text("name", &r.Name, "The kernel's name: phy0.")
	r.state.Fields(f)
}

// Fields says what blocks a radio.
func (s *state) Fields(f *hal.Fields) {
	f.Bool("softBlocked", &s.soft, "Whether software blocks it.")
	f.Bool("hardBlocked", &s.hard, "Whether hardware blocks it, as a switch on the case: nothing but that can unblock it.")
}

func (d *Radio) get(_ *hal.None, out *getOut) (err error) {
	out.Type, out.Name = d.kind, d.name
	out.state, err = d.read()
	return hal.Refuse(class, d.id, err)
}

func (d *Radio) block(_, _ *hal.None) error   { return d.switchTo(true) }
func (d *Radio) unblock(_, _ *hal.None) error { return d.switchTo(false) }

type event struct {
	Radio string
	state
}

func (e *event) Fields(f *hal.Fields) {
	f.Text("radio", &e.Radio, "The radio.")
	e.state.Fields(f)
}

func (d *Radio) getEvent(_ *hal.None, out *event) error {
	now, err := d.read()
	*out = event{d.id, now}
	return hal.Refuse(class, d.id, err)
}

// startWatch tells of changes from now on, and of one that came after the state was read.
func (d *Radio) startWatch(_ *hal.None, w *hal.Watcher[event]) (stop func(), err error) {
	if err := d.control.read(); err != nil {
		return nil, hal.Refuse(class, d.id, err)
	}
	if now, known := d.control.states[d.idx]; known && now != w.State().state {
		w.Emit(&event{d.id, now})
	}
	return d.changes.Subscribe(func(s hal.Sample[state]) {
		if s.Err != nil {
			w.Fail(s.Err)
			return
		}
		w.Emit(&event{d.id, s.State})
	}), nil
}
