package gpio

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sysfs"
)

// board is what the class has open. It belongs to the loop's goroutine.
type board struct {
	env    *hal.Env
	chips  []*chip
	lines  *hal.Set[*Line]
	report *hal.Reporter
	store  *store // nil where nothing outlives the process
	// entries are those of lines, and reserved their IDs.
	entries  []hal.Entry
	reserved map[string]bool
	members  map[string]member // by the IDs of lines
	locks    *interlocks
	groups   map[string]*group // of the chips that are there, by ID
}

// member is a place in a group.
type member struct {
	group *hal.Entry
	bit   int
}

func newBoard(env *hal.Env) *board {
	b := &board{env: env, lines: hal.NewSet[*Line](class, "line"), report: hal.NewReporter(env.Log), store: newStore(env), members: map[string]member{}, groups: map[string]*group{}, locks: newInterlocks(env)}
	for i := range env.Entries {
		e := &env.Entries[i]
		switch v := e.Value.(type) {
		case *groupEntry:
			for bit, id := range v.Lines {
				b.members[id] = member{e, bit}
			}
		case *entry:
			b.entries = append(b.entries, *e)
		}
	}
	b.reserved = hal.Declared(b.entries)
	return b
}

func (b *board) close() {
	for _, l := range b.lines.All() {
		l.close()
	}
	b.locks.close()
	for _, c := range b.chips {
		c.close()
	}
}

// open finds what there is at the start, when nobody waits yet. What contradicts board.toml is an error.
func (b *board) open() error {
	if _, err := b.findChips(); err != nil {
		return err
	}
	errs := b.nameLines()
	if len(errs) > 0 {
		return errs[0]
	}
	b.inherit()
	for _, p := range b.pending() {
		p.begin(b.env.FirstStart)
		*p.waits = false
	}
	b.store.opened()
	return nil
}

// rescan finds what came and went. What contradicts board.toml is logged and left out.
func (b *board) rescan() (again bool) {
	b.report.Begin()
	doubt := b.dropChips()
	again, err := b.findChips()
	if err = errors.Join(doubt, err); err != nil {
		b.report.Warn("cannot look for GPIO chips", "err", err)
		again = true
	}
	for _, err := range b.nameLines() {
		b.report.Warn("a GPIO line is left out", "err", err)
	}
	return !b.beginNew() || again
}

// dropChips lets go of the chips that are gone. One that another one has taken the name of is gone too.
func (b *board) dropChips() (doubt error) {
	b.chips = slices.DeleteFunc(b.chips, func(c *chip) bool {
		gone, err := sysfs.Gone(c.kernel, folder+"/"+c.name, c.inode)
		if gone {
			b.env.Log.Info("a GPIO chip is gone", "name", c.name, "label", c.label)
			b.drop(c)
		}
		doubt = errors.Join(doubt, err)
		return gone
	})
	return doubt
}

func (b *board) drop(c *chip) {
	for _, l := range slices.Clone(b.lines.All()) {
		if l.chip == c {
			b.lines.Remove(l.id)
			l.unplug()
		}
	}
	b.store.drop(c)
	maps.DeleteFunc(b.groups, func(_ string, g *group) bool { return g.chip == c })
	c.close()
}

// findChips opens the chips that are new. One that cannot be opened is logged and left out, and worth another look.
func (b *board) findChips() (again bool, err error) {
	names, err := sysfs.List(b.env.Kernel, folder)
	if err != nil {
		return false, err
	}
	for _, name := range names {
		if slices.ContainsFunc(b.chips, func(c *chip) bool { return c.name == name }) {
			continue
		}
		c, err := openChip(b.env.Kernel, name)
		if err != nil {
			b.report.Warn("cannot open a GPIO chip", "name", name, "err", err)
			again = true
			continue
		}
		c.store = b.store
		b.chips = append(b.chips, c)
	}
	return again, nil
}

// nameLines adds the lines that have no name yet.
//
// A line gets its name when its chip comes, and keeps it until that goes, whatever comes and goes beside it: a name that a program uses and a grant permits never passes from one piece of hardware to
// another one, and no chip that somebody plugs in takes a name away. So where a new chip has a line of the same kernel name as one that is there, the old one goes on as before, and the
// new one is called by its chip and its offset. When the old one goes, its name answers DeviceGone, and does not pass on to the one that is left. After a restart both are
// called by their chips, as the name is ambiguous then from the start. A product that plugs in several of a kind declares them in board.toml by their paths.
//
// A line of which board.toml does not tell whether an entry means this one or another one has no name until the other one is gone.
func (b *board) nameLines() (errs []error) {
	for _, c := range b.chips {
		c.entitle(b.chips)
	}
	named, names := b.named(), b.kernelNames()
	declared, errs := hal.Assign(b.entries, b.find, place.String)
	for _, c := range b.chips {
		for offset := range c.lines {
			at := place{c, uint32(offset)}
			if e, meant := declared[at]; named[at] || meant && e == nil {
				continue
			} else if err := b.add(at, e, names); err != nil {
				errs = append(errs, err)
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(b.groups)) {
		if g := b.groups[id]; !g.whole() {
			b.report.Warn("a group of GPIO lines is not held: not all of its lines are there", "group", id, "where", g.where)
		}
	}
	return errs
}

// named are the places of the lines that have a name.
func (b *board) named() map[place]bool {
	all := map[place]bool{}
	for _, l := range b.lines.All() {
		all[l.place] = true
	}
	return all
}

// kernelNames counts how many lines have each of the kernel's names.
func (b *board) kernelNames() map[string]int {
	all := map[string]int{}
	for _, c := range b.chips {
		for _, name := range c.lines {
			all[name]++
		}
	}
	return all
}

// add adds a line by the name that board.toml has for it: else the kernel's where that is the line's alone, else that of the chip and the offset. A line whose name board.toml has for another one is logged
// and left out.
func (b *board) add(at place, e *hal.Entry, names map[string]int) error {
	l := &Line{place: at, env: b.env, guard: new(hal.Guard)}
	if e != nil {
		l.id, l.where, l.setup = e.ID, e.Where, e.Value.(*entry).setup()
		l.declared = l.setup
		l.waits = l.setup.direction == directionOutput
		b.locks.join(l)
		if m, is := b.members[e.ID]; is {
			b.join(l, m)
		}
		return b.lines.Add(l)
	}
	l.id = hal.EscapeID(at.chip.lines[at.offset])
	if _, taken := b.lines.Find([]byte(l.id)); taken || l.id == "" || names[at.chip.lines[at.offset]] > 1 || b.reserved[l.id] {
		l.id = hal.EscapeID(at.chip.place(at.offset))
	}
	if b.reserved[l.id] {
		b.report.Warn("a GPIO line is left out: board.toml gives its name to another one", "line", l.id)
		return nil
	}
	return b.lines.Add(l)
}

// join makes a line a member of its group.
func (b *board) join(l *Line, m member) {
	g := b.groups[m.group.ID]
	if g == nil {
		g = &group{id: m.group.ID, where: m.group.Where, chip: l.chip, lines: make([]*Line, len(m.group.Value.(*groupEntry).Lines)), waits: true}
		b.groups[g.id] = g
	}
	g.lines[m.bit] = l
	l.group, l.guard, l.waits = g, &g.guard, false
}

// find finds the line that an entry of board.toml means. Where several chips have that name, it gives the line of each, with an error.
func (b *board) find(e *hal.Entry) (found []place, err error) {
	v := e.Value.(*entry)
	var chips []*chip
	dir := ""
	if strings.HasPrefix(v.Chip, "/") {
		dir, _ = sysfs.Resolve(b.env.Kernel, v.Chip)
	}
	for _, c := range b.chips {
		if !c.isCalled(v.Chip, dir) {
			continue
		}
		chips = append(chips, c)
		var offset uint32
		if offset, err = c.findLine(v.Line); err == nil {
			found = append(found, place{c, offset})
		}
	}
	switch {
	case len(chips) == 0:
		b.report.Warn("a GPIO chip of board.toml is not there", "line", e.ID, "chip", v.Chip, "where", e.Where)
	case len(chips) > 1:
		err = fmt.Errorf("chip %q is %s (%s) and %s (%s): name its path in /sys", v.Chip, chips[0].name, chips[0].dir, chips[1].name, chips[1].dir)
	}
	return found, err
}

// pending is an output, or a group of them, that is to be requested.
type pending struct {
	bus   string
	begin func(first bool)
	waits *bool
}

// pending lists what is to be requested.
func (b *board) pending() (all []pending) {
	for _, l := range b.lines.All() {
		if l.waits {
			all = append(all, pending{l.Bus(), l.begin, &l.waits})
		}
	}
	for _, id := range slices.Sorted(maps.Keys(b.groups)) {
		if g := b.groups[id]; g.waits && g.whole() {
			all = append(all, pending{g.chip.bus, g.begin, &g.waits})
		}
	}
	return all
}

// beginNew requests the outputs that are new, those on a bus on its worker. Hardware that was just plugged in starts, so its lines get their `initial` values. It reports false where a worker had
// too much to do.
func (b *board) beginNew() (done bool) {
	slow := map[string][]pending{}
	for _, p := range b.pending() {
		if p.bus == "" {
			p.begin(true)
			*p.waits = false
		} else {
			slow[p.bus] = append(slow[p.bus], p)
		}
	}
	done = true
	for bus, all := range slow {
		begin := func() {
			for _, p := range all {
				p.begin(true)
			}
		}
		if b.env.Loop.Submit(bus, begin, func() {}) != nil {
			done = false
			continue
		}
		for _, p := range all {
			*p.waits = false
		}
	}
	return done
}
