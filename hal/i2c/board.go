package i2c

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sysfs"
)

// board is what the class has: the buses, and the chips on them.
type board struct {
	env   *hal.Env
	buses *sysfs.Roster[*Bus]
	chips *sysfs.Roster[*Chip]
	known map[string]adapter // by path in the class i2c-dev
}

// adapter is what board.toml can call an adapter.
type adapter struct{ name, dir string }

func newBoard(env *hal.Env) *board {
	b := &board{env: env}
	b.buses = &sysfs.Roster[*Bus]{
		Env: with(env, busTable), Set: hal.NewSet[*Bus](class, "bus"), Noun: "I2C bus", Places: b.findAdapters,
		Means: func(e *hal.Entry, p sysfs.Place) bool { return b.called(p, e.Value.(*busEntry).Adapter) },
		Open:  func(id string, p sysfs.Place, e *hal.Entry) (*Bus, error) { return open(env, id, p, e) },
	}
	b.chips = &sysfs.Roster[*Chip]{
		Env: with(env, chipTable), Set: hal.NewSet[*Chip](class, "device"), Noun: "I2C chip", Places: b.findChips, Means: b.isAt,
		Open: func(id string, p sysfs.Place, e *hal.Entry) (*Chip, error) {
			return &Chip{id: id, on: b.busAt(p.Path), cfg: e.Value.(*chipEntry)}, nil
		},
	}
	return b
}

// with is an environment with the entries of one table.
func with(env *hal.Env, table string) *hal.Env {
	own := *env
	own.Entries = nil
	for _, e := range env.Entries {
		if e.Table == table {
			own.Entries = append(own.Entries, e)
		}
	}
	return &own
}

// check finds chips and buses that have one name. A chip may not have a name that the kernel gives to adapters either, as one may come that has it.
func (b *board) check() error {
	var errs []error
	for i := range b.chips.Env.Entries {
		chip := &b.chips.Env.Entries[i]
		if isKernelName(chip.ID) {
			errs = append(errs, chip.Unfit("adapters are named so by the kernel"))
		}
		for _, bus := range b.buses.Env.Entries {
			if bus.ID == chip.ID {
				errs = append(errs, chip.Unfit("the bus at %s has that name", bus.Where))
			}
		}
	}
	return errors.Join(errs...)
}

func (b *board) begin() error {
	if err := b.check(); err != nil {
		return err
	}
	if err := b.buses.Begin(); err != nil {
		return err
	}
	if err := b.chips.Begin(); err != nil {
		b.buses.Close()
		return err
	}
	return nil
}

// rescan looks for buses first, since chips are found on those.
func (b *board) rescan() (again bool) {
	again = b.buses.Rescan()
	return b.chips.Rescan() || again
}

func (b *board) close() {
	b.chips.Close()
	b.buses.Close()
}

// findAdapters lists the adapters, and what they may be called. One that goes meanwhile is left out.
func (b *board) findAdapters() ([]sysfs.Place, error) {
	entries, err := sysfs.Entries(b.env.Kernel, folder)
	if err != nil {
		return nil, err
	}
	known, places := map[string]adapter{}, []sysfs.Place(nil)
	for _, p := range entries {
		a, err := b.look(p)
		if sysfs.Missing(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		known[p.Path] = a
		places = append(places, p)
	}
	b.known = known
	return places, nil
}

func (b *board) look(p sysfs.Place) (a adapter, err error) {
	if a.dir, err = sysfs.Resolve(b.env.Kernel, p.Path+"/device"); err == nil {
		a.name, err = sysfs.Read(b.env.Kernel, p.Path+"/name")
	}
	return a, err
}

// called reports whether an adapter is called so: by the kernel's name for it, the name that its driver gives it, or its path in /sys.
func (b *board) called(p sysfs.Place, text string) bool {
	a := b.known[p.Path]
	if strings.HasPrefix(text, "/") {
		dir, err := sysfs.Resolve(b.env.Kernel, text)
		return err == nil && dir == a.dir
	}
	return text == path.Base(p.Path) || text == a.name
}

// busAt is the bus at a path.
func (b *board) busAt(path string) *Bus {
	for _, bus := range b.buses.Set.All() {
		if bus.place.Path == path {
			return bus
		}
	}
	return nil
}

// findChips lists where board.toml has chips on buses that are there. Whether there is really one nobody knows before a call.
func (b *board) findChips() (places []sysfs.Place, err error) {
	listed := map[sysfs.Place]bool{}
	for _, bus := range b.buses.Set.All() {
		for i := range b.chips.Env.Entries {
			p := sysfs.Place{Path: bus.place.Path, Part: position(&b.chips.Env.Entries[i])}
			if !listed[p] && b.isAt(&b.chips.Env.Entries[i], p) {
				listed[p] = true
				places = append(places, p)
			}
		}
	}
	return places, nil
}

// position is a chip's place on its bus.
func position(e *hal.Entry) string { return fmt.Sprintf("%#02x", e.Value.(*chipEntry).Address) }

// isAt reports whether an entry means the chip at a place.
func (b *board) isAt(e *hal.Entry, p sysfs.Place) bool {
	bus, name := b.busAt(p.Path), e.Value.(*chipEntry).On
	return position(e) == p.Part && bus != nil && (bus.id == name || b.called(p, name))
}

// inventory lists the devices of both kinds.
type inventory struct {
	buses *hal.Set[*Bus]
	chips *hal.Set[*Chip]
}

// Len is how many there are.
func (v inventory) Len() int { return v.buses.Len() + v.chips.Len() }

// At gives the i-th of both in the order of their IDs.
func (v inventory) At(i int) hal.Device {
	for bus, chip := 0, 0; ; i-- {
		var next hal.Device
		if chip == v.chips.Len() || bus < v.buses.Len() && v.buses.At(bus).ID() < v.chips.At(chip).ID() {
			next = v.buses.At(bus)
			bus++
		} else {
			next = v.chips.At(chip)
			chip++
		}
		if i == 0 {
			return next
		}
	}
}

// Missing is the refusal for a name that no device has.
func (v inventory) Missing(id string) hal.Refusal {
	if gone, ok := v.buses.Missing(id).(*hal.DeviceGone); ok {
		return gone
	}
	return v.chips.Missing(id)
}
