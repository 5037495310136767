package config

import (
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strconv"

	"github.com/halberd-io/halberd/hal"
)

// Board is what board.toml declares.
type Board struct {
	File    string                 // "" where there is none
	Entries map[string][]hal.Entry // by table, in the order of their lines
	Digest  string                 // of the text: two that differ are two boards

	places map[string]string // the hardware of each entry, and where that one stands
}

// located is an entry that says which hardware it is about, so that no two are about the same.
type located interface{ Place() string }

// Of gives the entries of a class's tables.
func (b *Board) Of(tables []hal.Table) []hal.Entry {
	var all []hal.Entry
	for _, t := range tables {
		all = append(all, b.Entries[t.Name]...)
	}
	return all
}

// LoadBoard reads board.toml into the types that the classes declared. Without the file, or with an empty one, the board declares nothing.
func LoadBoard(opt Options, tables []hal.Table) (*Board, error) {
	f, err := opt.one("board.toml")
	switch {
	case err != nil:
		return nil, err
	case f == nil:
		return &Board{Entries: map[string][]hal.Entry{}, Digest: digest("")}, nil
	}
	return ParseBoard(f.path, f.text, tables)
}

// BoardDigest is the digest of board.toml as it stands now, which is not looked into.
func BoardDigest(opt Options) (string, error) {
	f, err := opt.one("board.toml")
	switch {
	case err != nil:
		return "", err
	case f == nil:
		return digest(""), nil
	}
	return digest(f.text), nil
}

// ParseBoard reads the text of a board.toml. The name is what messages call it.
func ParseBoard(name, text string, tables []hal.Table) (*Board, error) {
	b := &Board{File: name, Entries: map[string][]hal.Entry{}, Digest: digest(text), places: map[string]string{}}
	d, t := open(name, text)
	if t != nil {
		b.read(t, tables)
	}
	if err := join(d.faults); err != nil {
		return nil, err
	}
	return b, nil
}

// digest tells texts apart. It is no protection: whoever may write the file need not hide a change.
func digest(text string) string {
	h := fnv.New128a()
	_, _ = h.Write([]byte(text))
	return string(strconv.AppendQuoteToASCII(nil, string(h.Sum(nil))))
}

func (b *Board) read(t *table, tables []hal.Table) {
	for i := range tables {
		if tables[i].Key != "" {
			b.list(t, &tables[i])
		} else {
			b.entries(t, &tables[i])
		}
	}
	t.finish()
}

// list reads all of [[interlock]].
func (b *Board) list(t *table, kind *hal.Table) {
	lines := map[string]int{}
	for _, one := range t.tables(kind.Name) {
		id, isText := one.values[kind.Key].(string)
		if err := hal.CheckID(id); err != nil && isText {
			one.fail(kind.Key, "%s %q cannot be used: %v", kind.Key, id, err)
		}
		if line, taken := lines[id]; taken {
			one.fail(kind.Key, "%s %q is taken already, at %s", kind.Key, id, place(t.doc.name, line))
		} else if id != "" {
			lines[id] = t.doc.lines.of(one.path)
		}
		b.entry(one, kind, id)
	}
}

// entries reads all of [gpio.NAME], in the order of their lines.
func (b *Board) entries(t *table, kind *hal.Table) {
	all := t.inner(kind.Name)
	if all == nil {
		return
	}
	ids := slices.Sorted(maps.Keys(all.values))
	slices.SortStableFunc(ids, func(a, b string) int {
		return t.doc.lines.of(under(all.path, a)) - t.doc.lines.of(under(all.path, b))
	})
	for _, id := range ids {
		values, ok := all.values[id].(map[string]any)
		if !ok {
			all.fail(id, "must be a table: [%s.NAME]", kind.Name)
			continue
		}
		if err := hal.CheckID(id); err != nil {
			all.fail(id, "name %q cannot be used: %v", id, err)
		}
		b.entry(&table{doc: t.doc, path: under(all.path, id), values: values}, kind, id)
	}
}

// entry reads one table by its declaration.
func (b *Board) entry(t *table, kind *hal.Table, id string) {
	for _, f := range kind.Fields {
		_, _ = t.take(f.Name)
	}
	before := len(t.doc.faults)
	t.finish()
	text := t.doc.appendObject(nil, t.path, t.values)
	if len(t.doc.faults) > before {
		return
	}
	value, err := kind.Decode(text)
	if err != nil {
		t.invalid(err)
		return
	}
	if p, ok := value.(located); ok {
		key := kind.Name + " " + p.Place()
		if other := b.places[key]; other != "" {
			t.doc.fail(t.path, "is the same hardware as %s", other)
			return
		}
		b.places[key] = fmt.Sprintf("%s.%s, at %s", kind.Name, id, place(t.doc.name, t.doc.lines.of(t.path)))
	}
	b.Entries[kind.Name] = append(b.Entries[kind.Name], hal.Entry{
		Table: kind.Name, ID: id, Where: place(t.doc.name, t.doc.lines.of(t.path)), Value: value,
	})
}

// invalid puts the decoder's error where its key stands, or what should have it.
func (t *table) invalid(err error) {
	var wrong *hal.InvalidParameter
	if !errors.As(err, &wrong) {
		t.doc.fail(t.path, "%v", err)
		return
	}
	problem := wrong.What
	if problem == "missing" {
		problem = "is missing"
	}
	t.doc.fail(t.path+"."+wrong.Parameter, "%s %s", wrong.Parameter, problem)
}
