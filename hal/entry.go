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
		return t, nil
	}}
}

// Decode reads an entry's keys, which the configuration hands over as JSON, into the table's own type: a *T as Entry.Value has it, or an *InvalidParameter.
func (t *Table) Decode(v wire.Value) (any, error) { return t.decode(v) }

// Entry is one device as board.toml declares it.
type Entry struct {
	Table string
	ID    string
	Where string // file and line, for messages
	Value any    // *T of the table's NewTable[T]
}
