package hal

import "github.com/halberd-io/halberd/hal/wire"

// Table is one kind of table in board.toml: [gpio.NAME] is of the table "gpio".
type Table struct {
	Name   string
	Doc    string
	Fields []Field // its keys
	decode func(wire.Value) (any, error)
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

// Declared are the IDs of entries. They are the board's own words: no device that the kernel gave such a name may answer to it, least of all while the
// hardware that was meant is missing, since grants go by name.
func Declared(entries []Entry) map[string]bool {
	ids := map[string]bool{}
	for i := range entries {
		ids[entries[i].ID] = true
	}
	return ids
}
