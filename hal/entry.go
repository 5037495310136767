package hal

import (
	"fmt"

	"github.com/halberd-io/halberd/hal/wire"
)

// Table is one kind of table in board.toml: [gpio.NAME] is of the table "gpio". Those of a list are written [[interlock]], and have their names in a key.
type Table struct {
	Name   string
	Doc    string
	Key    string  // of the name, in a list; "" for tables that have it in their heads
	Fields []Field // its keys
	Whole  string  // the parameter by which methods of the class name devices that no other table declares, nor the kernel names; "" for none
	decode func(wire.Value) (any, error)
}

// NewList declares a list of tables whose entries are read into a T. key has the name of each.
func NewList[T any, PT interface {
	*T
	Message
}](name, key, doc string) Table {
	t := NewTable[T, PT](name, doc)
	t.Key = key
	return t
}

// Head is how such a table begins in board.toml: [gpio.ID], [[interlock]].
func (t *Table) Head() string {
	if t.Key != "" {
		return "[[" + t.Name + "]]"
	}
	return "[" + t.Name + ".ID]"
}

// NewTable declares a table whose entries are read into a T.
func NewTable[T any, PT interface {
	*T
	Message
}](name, doc string) Table {
	return Table{Name: name, Doc: doc, Fields: Describe(PT(new(T))), decode: func(v wire.Value) (any, error) {
		t := new(T)
		if err := Decode(v, PT(t)); err != nil {
			return nil, err
		}
		if c, ok := any(t).(checker); ok {
			if err := c.Check(); err != nil {
				return nil, err
			}
		}
		return t, nil
	}}
}

// checker is an entry that can contradict itself: Check says how.
type checker interface{ Check() error }

// Decode reads an entry's keys, which the configuration hands over as JSON, into the table's own type: a *T as Entry.Value has it, or an
// *InvalidParameter, or what the type's Check, where it has one, says about keys that contradict each other.
func (t *Table) Decode(v wire.Value) (any, error) { return t.decode(v) }

// Entry is one device as board.toml declares it.
type Entry struct {
	Table string
	ID    string
	Where string // file and line, for messages
	Value any    // *T of the table's NewTable[T]
}

// EntryError says that hardware cannot be as board.toml wants it.
type EntryError struct {
	Entry *Entry // nil where it is about a name that is taken
	Err   error
}

// Error names file, line and entry.
func (e *EntryError) Error() string {
	if e.Entry == nil {
		return e.Err.Error()
	}
	return e.Entry.Where + ": " + e.Entry.Table + "." + e.Entry.ID + ": " + e.Err.Error()
}

// Unwrap gives what is wrong with it.
func (e *EntryError) Unwrap() error { return e.Err }

// Unfit is the EntryError of an entry.
func (e *Entry) Unfit(format string, args ...any) error {
	return &EntryError{Entry: e, Err: fmt.Errorf(format, args...)}
}

// Declared are the IDs of entries. They are the board's own words: no device that the kernel gave such a name may answer to it, least of all while the
// hardware that was meant is missing, since grants go by name.
func Declared(entries []Entry) map[string]bool {
	ids := map[string]bool{}
	for i := range entries {
		ids[entries[i].ID] = true
	}
	return ids
}

// Assign finds the entry that means each thing of the hardware. find gives the thing that an entry means, none where it is not there, or all that it may mean with the error that it cannot be told
// which. A thing that two entries mean, or may be meant by an entry of which that cannot be told, has nil for an entry: it must have no name at all, neither this nor another one, until
// that can be told. One that no entry means is not in the map. The errors are in the order of the entries.
func Assign[T comparable](entries []Entry, find func(*Entry) ([]T, error), name func(T) string) (map[T]*Entry, []error) {
	entryOf, errs := map[T]*Entry{}, []error(nil)
	var contested, possible []T
	for i := range entries {
		e := &entries[i]
		things, err := find(e)
		if err != nil {
			possible = append(possible, things...)
		} else if len(things) > 0 {
			if other := entryOf[things[0]]; other != nil {
				contested = append(contested, things[0])
				err = fmt.Errorf("%s is %s.%s already, at %s", name(things[0]), other.Table, other.ID, other.Where)
			} else {
				entryOf[things[0]] = e
			}
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %s.%s: %w", e.Where, e.Table, e.ID, err))
		}
	}
	for _, thing := range possible {
		entryOf[thing] = entryOf[thing] // one that is plainly another entry's stays with it
	}
	for _, thing := range contested {
		entryOf[thing] = nil
	}
	return entryOf, errs
}
