package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
)

// member is one member of a JSON object, in the order that the daemon gave.
type member struct {
	key   string
	value json.RawMessage
}

// members takes an object apart.
func members(object json.RawMessage) ([]member, error) {
	d := json.NewDecoder(bytes.NewReader(object))
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	var out []member
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, err
		}
		out = append(out, member{oneLine(printable(fmt.Sprint(key))), value})
	}
	return out, nil
}

// text shows a value to a person.
func text(value json.RawMessage) string {
	var s string
	if json.Unmarshal(value, &s) == nil {
		return printable(s)
	}
	var list []json.RawMessage
	if json.Unmarshal(value, &list) == nil && len(value) > 0 && value[0] == '[' {
		words := make([]string, len(list))
		for i, v := range list {
			words[i] = text(v)
		}
		return strings.Join(words, " ")
	}
	if inner, err := members(value); err == nil && len(value) > 0 && value[0] == '{' {
		words := make([]string, len(inner))
		for i, m := range inner {
			words[i] = m.key + "=" + text(m.value)
		}
		return strings.Join(words, " ")
	}
	return string(value)
}

// printable keeps what comes from devices from steering a terminal. Line ends and tabs stay.
func printable(s string) string {
	return strings.Map(func(c rune) rune {
		if c < 0x20 && c != '\n' && c != '\t' || isHidden(c) {
			return '\ufffd'
		}
		return c
	}, s)
}

// isHidden reports whether a character that JSON lets stand steers a terminal: a control character, or one that has what follows shown in another direction.
func isHidden(c rune) bool {
	return c >= 0x7f && c < 0xa0 || c >= 0x202a && c <= 0x202e || c >= 0x2066 && c <= 0x2069
}

// jsonLine is JSON on one line. What JSON lets stand and would steer a terminal is escaped.
func jsonLine(raw json.RawMessage) string {
	var line bytes.Buffer
	if err := json.Compact(&line, raw); err != nil {
		return printable(string(raw))
	}
	var b strings.Builder
	for _, c := range line.String() {
		if isHidden(c) {
			fmt.Fprintf(&b, `\u%04x`, c)
		} else {
			b.WriteRune(c)
		}
	}
	return b.String()
}

// printJSON shows a reply as it came.
func (p *program) printJSON(reply json.RawMessage) error {
	_, err := fmt.Fprintln(p.stdout, jsonLine(reply))
	return err
}

// print shows a reply: nothing of an empty one, the value alone where there is one, else a line for each. The lines of a value stand below each other.
func (p *program) print(reply json.RawMessage) error {
	if p.json {
		return p.printJSON(reply)
	}
	all, err := members(reply)
	if err != nil {
		return err
	}
	if len(all) == 1 {
		_, err := fmt.Fprintln(p.stdout, text(all[0].value))
		return err
	}
	w := tabwriter.NewWriter(p.stdout, 0, 8, 2, ' ', 0)
	for _, m := range all {
		fmt.Fprintf(w, "%s\t%s\n", m.key, strings.NewReplacer("\n", "\n\t", "\t", " ").Replace(text(m.value)))
	}
	return w.Flush()
}

// table shows rows under a heading, or as JSON lines.
type table struct {
	p *program
	w *tabwriter.Writer
}

func (p *program) table(heading ...string) *table {
	t := &table{p, tabwriter.NewWriter(p.stdout, 0, 8, 2, ' ', 0)}
	if !p.json {
		fmt.Fprintln(t.w, strings.Join(heading, "\t"))
	}
	return t
}

// oneLine keeps a cell from making rows and columns of its own.
func oneLine(cell string) string { return strings.NewReplacer("\n", " ", "\t", " ").Replace(cell) }

// row adds a row: cells for people, object for programs.
func (t *table) row(object any, cells ...string) {
	if t.p.json {
		line, err := json.Marshal(object)
		if err == nil {
			fmt.Fprintln(t.w, jsonLine(line))
		}
		return
	}
	for i := range cells {
		cells[i] = oneLine(printable(cells[i]))
	}
	fmt.Fprintln(t.w, strings.Join(cells, "\t"))
}

func (t *table) flush() error { return t.w.Flush() }

// events shows the events of a watch, each as it comes.
type events struct {
	p     *program
	heads string
	hide  string // a field that is not shown
}

func (p *program) events() *events { return &events{p: p} }

// widths are those of columns whose cells are longer than others. One that is longer still moves what is behind it.
var widths = map[string]int{"device": 24, "timestampNSec": 16}

// print shows one event as a row. A new heading is printed when the fields are others than before.
func (e *events) print(event json.RawMessage) error {
	if e.p.json {
		return e.p.printJSON(event)
	}
	all, err := members(event)
	if err != nil {
		return err
	}
	var heads, cells strings.Builder
	for _, m := range all {
		if m.key == e.hide {
			continue
		}
		width := max(len(m.key), widths[m.key], 12)
		fmt.Fprintf(&heads, "%-*s  ", width, strings.ToUpper(m.key))
		fmt.Fprintf(&cells, "%-*s  ", width, oneLine(text(m.value)))
	}
	if heads.String() != e.heads {
		e.heads = heads.String()
		fmt.Fprintln(e.p.stdout, strings.TrimRight(e.heads, " "))
	}
	_, err = fmt.Fprintln(e.p.stdout, strings.TrimRight(cells.String(), " "))
	return err
}
