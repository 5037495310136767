package gpio

import (
	"fmt"

	gpiocdev "github.com/warthog618/go-gpiocdev/uapi"

	"github.com/halberd-io/halberd/hal"
)

// maxTogether is how many lines one request of the kernel takes.
const maxTogether = 64

// groupEntry is a [gpio-group.ID] of board.toml.
type groupEntry struct{ Lines []string }

func (e *groupEntry) Fields(f *hal.Fields) {
	f.Texts("lines", &e.Lines, 1, maxTogether, "Outputs of one chip, declared by [gpio.ID] each, that push and pull. They are requested together, set at once by SetMany, and claimed and leased only together.")
}

// check finds groups and interlocks that cannot be, by what board.toml says alone.
func check(entries []hal.Entry) (errs []error) {
	declared, groupOf := map[string]*entry{}, map[string]*hal.Entry{}
	for i := range entries {
		if line, ok := entries[i].Value.(*entry); ok {
			declared[entries[i].ID] = line
		}
	}
	for i := range entries {
		e := &entries[i]
		group, ok := e.Value.(*groupEntry)
		if !ok {
			continue
		}
		for _, id := range group.Lines {
			if err := fits(declared[id], declared[group.Lines[0]], groupOf[id]); err != nil {
				errs = append(errs, e.Unfit("line %q %w", id, err))
			}
			groupOf[id] = e
		}
	}
	return append(errs, checkInterlocks(entries, declared)...)
}

// fits says why a line cannot be in a group, beside the group's first one.
func fits(line, first *entry, other *hal.Entry) error {
	switch {
	case line == nil:
		return fmt.Errorf("is not declared: there is no [gpio.ID] for it")
	case other != nil:
		return fmt.Errorf("is in gpio-group.%s already, at %s", other.ID, other.Where)
	case line.Direction.Value != directionOutput:
		return fmt.Errorf(`needs direction = "output"`)
	case flagOf[line.Drive.Value] != 0:
		return fmt.Errorf("is %s: the kernel sets such lines one by one", line.Drive.Value)
	case first != nil && line.Chip != first.Chip:
		return fmt.Errorf("is of chip %q, and the first line of %q: a group is of one chip, called by one name", line.Chip, first.Chip)
	}
	return nil
}

// group is lines that are one request of the kernel's, on a chip that is there.
type group struct {
	id, where string
	chip      *chip
	lines     []*Line   // by their bits in the request; nil for one that the chip does not have
	guard     hal.Guard // of all of them
	waits     bool      // to be requested; the loop's goroutine alone knows
	inherited *request  // to be held by, from the process before; nil for none
}

// whole reports whether every line is there.
func (g *group) whole() bool {
	for _, l := range g.lines {
		if l == nil {
			return false
		}
	}
	return true
}

// begin requests the lines as the outputs that board.toml declares. Where one was set meanwhile, all stay as they are.
func (g *group) begin(first bool) {
	err := g.guard.Do(func() error {
		if g.lines[0].held != nil || g.lines[0].lease != nil {
			return nil
		}
		return g.hold(func(l *Line) hal.Opt[int64] { return l.setup.output.AtStart(first) })
	})
	if err != nil {
		g.lines[0].env.Log.Warn("cannot hold a group of outputs", "group", g.id, "where", g.where, "err", g.lines[0].refuse(err))
	}
}

// hold requests all lines as outputs and drives values; one without a value goes on with what it has, and makes no edge.
func (g *group) hold(value func(*Line) hal.Opt[int64]) error {
	if !g.whole() {
		return &hal.NotSupported{Feature: "group"}
	}
	given := value
	value = func(l *Line) hal.Opt[int64] { return l.passive(given(l)) }
	wants, asIs, adopted := make([]want, len(g.lines)), make([]want, len(g.lines)), false
	for i, l := range g.lines {
		v := value(l)
		wants[i] = want{flags: l.setup.flags | gpiocdev.LineFlagV2Output, value: v.Value}
		asIs[i] = want{flags: l.setup.flags & gpiocdev.LineFlagV2ActiveLow}
		adopted = adopted || !v.Set
	}
	first, later := wants, adopted || g.chip.store != nil
	if later {
		first = asIs
	}
	r, err := g.reserve(first)
	switch {
	case err != nil:
		return err
	case adopted:
		err = g.adopt(r, wants, value)
	case later:
		err = r.configureAll(wants)
	}
	if err != nil {
		r.letGo()
		return err
	}
	for i, l := range g.lines {
		l.held, l.bit, l.output, l.driven = r, i, true, wants[i].value
		l.locked.held(l, l.driven)
	}
	g.lines[0].note()
	return nil
}

// reserve requests the lines, unless the process before left their request.
func (g *group) reserve(wants []want) (*request, error) {
	if r := g.inherited; r != nil {
		g.inherited = nil
		return r, nil
	}
	r, err := g.chip.requestAll(g.offsets(), wants)
	if err == nil && g.chip.store != nil {
		g.chip.store.keep(r, g.lines[0].place, recordOf(g.lines, false))
	}
	return r, err
}

// adopt makes lines that were requested as they are outputs of the values that they have, where no other is wanted.
func (g *group) adopt(r *request, wants []want, value func(*Line) hal.Opt[int64]) error {
	now, err := r.getAll(gpiocdev.NewLineBitMask(len(wants)))
	if err != nil {
		return err
	}
	for i, l := range g.lines {
		if !value(l).Set {
			wants[i].value = l.locked.found(int64(now.Get(i)))
		}
	}
	return r.configureAll(wants)
}

func (g *group) offsets() []uint32 {
	var all []uint32
	for _, l := range g.lines {
		all = append(all, l.offset)
	}
	return all
}

// holdFor requests all lines for the sake of one: the others take their safe values, or stay as they are.
func (g *group) holdFor(one *Line, s *setup, value hal.Opt[int64]) error {
	before := one.setup
	one.setup = *s
	err := g.hold(func(l *Line) hal.Opt[int64] {
		if l == one {
			return value
		}
		return l.setup.output.Safe
	})
	if err != nil {
		one.setup = before
	}
	return err
}

// configure gives one line of those that are held another setup and value. The kernel is told all lines anew, since before Linux 6.11 it takes what is not told for a change, too.
func (g *group) configure(one *Line, s *setup, value int64) error {
	wants := make([]want, len(g.lines))
	for i, l := range g.lines {
		wants[i] = want{flags: l.setup.flags | gpiocdev.LineFlagV2Output, value: l.driven}
		if l == one {
			wants[i] = want{flags: s.flags | gpiocdev.LineFlagV2Output, value: value}
		}
	}
	return one.held.configureAll(wants)
}

// Together are the lines of the line's group.
func (l *Line) Together() (ids []string) {
	if l.group == nil {
		return nil
	}
	for _, m := range l.mates() {
		ids = append(ids, m.id)
	}
	return ids
}
