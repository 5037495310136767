package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/halberd-io/halberd/hal"
)

// What -h says behind a class, and behind one of its methods.

// explainMethod says how a method is typed, what it does, and what its parameters are.
func (p *program) explainMethod(m *hal.Method) error {
	if err := p.explainUsage(usageOf(m), m.Doc); err != nil {
		return err
	}
	if len(m.In) > 0 {
		fmt.Fprintln(p.stdout)
	}
	for _, f := range ordered(m) {
		name := strings.ToUpper(commandName(f.Name))
		if f.Optional {
			name = "--" + commandName(f.Name)
		}
		explainField(p.stdout, "  ", name, &f)
	}
	return nil
}

// explainField says what a parameter has to be. One that is typed as JSON is followed by what that looks like, and by what its members are.
func explainField(w io.Writer, indent, name string, f *hal.Field) {
	const beside = 20
	head := fmt.Sprintf("%-*s", beside-1, indent+name) + " "
	fmt.Fprintln(w, head+wrap(f.Explain(), len(head), beside))
	if f.Kind != hal.List {
		return
	}
	fmt.Fprintln(w, strings.Repeat(" ", beside)+wrap("JSON: "+jsonForm(f), beside, beside))
	for i := range f.Fields {
		explainField(w, indent+"  ", f.Fields[i].Name, &f.Fields[i])
	}
}

// jsonForm shows an array of objects.
func jsonForm(f *hal.Field) string {
	var all []string
	for i := range f.Fields {
		all = append(all, fmt.Sprintf("%q: %s", f.Fields[i].Name, jsonValue(&f.Fields[i])))
	}
	return "'[{" + strings.Join(all, ", ") + "}, …]'"
}

// jsonValue stands for a value.
func jsonValue(f *hal.Field) string {
	switch f.Kind {
	case hal.Int:
		return "NUMBER"
	case hal.Bool:
		return "true|false"
	case hal.Enum:
		return `"` + strings.Join(f.Values, `"|"`) + `"`
	case hal.Blob:
		return `"BASE64"`
	case hal.Texts:
		return `["TEXT", …]`
	case hal.Ints:
		return "[NUMBER, …]"
	}
	return `"TEXT"`
}

// explainClass lists the methods of a class, and reports false where there is no such class.
func (p *program) explainClass(word string) bool {
	var lists []*hal.Method
	found := false
	for _, m := range deviceMethods() {
		if !strings.EqualFold(m.Class, word) {
			continue
		}
		if !found {
			found = true
			fmt.Fprintf(p.stdout, "usage: halctl %s METHOD [ARGUMENT]...\n\n", strings.ToLower(m.Class))
		}
		fmt.Fprint(p.stdout, entryOf(usageOf(m), firstSentence(m.Doc)))
		if takesJSON(m) {
			lists = append(lists, m)
		}
	}
	for _, m := range lists {
		fmt.Fprintf(p.stdout, "\n%s %s:\n", strings.ToLower(m.Class), commandName(m.Name))
		for _, f := range m.In {
			if f.Kind == hal.List {
				explainField(p.stdout, "  ", strings.ToUpper(commandName(f.Name)), &f)
			}
		}
	}
	if found {
		fmt.Fprintf(p.stdout, "\nWhat a method does in full: halctl %s METHOD -h.\n", strings.ToLower(word))
	}
	return found
}

func takesJSON(m *hal.Method) bool {
	return slices.ContainsFunc(m.In, func(f hal.Field) bool { return f.Kind == hal.List })
}
