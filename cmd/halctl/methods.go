package main

import (
	"context"
	"encoding/json"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"unicode"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/board"
	"github.com/halberd-io/halberd/service"
)

// deviceMethods are the methods of all classes of hardware, in the order of the interfaces, also those that name no device. They are declared once, in the classes.
// A method whose effect ends with the connection is none: nothing would be left of it when halctl ends, or worse, as of a registration with the watchdog.
func deviceMethods() []*hal.Method {
	cat, err := service.Describe(board.Drivers())
	if err != nil {
		return nil
	}
	hardware := map[string]bool{}
	for _, d := range board.Drivers() {
		hardware[d.Class] = true
	}
	var out []*hal.Method
	for _, m := range cat.Methods() {
		if hardware[m.Class] && (!m.NeedsConnection || m.PassesFiles) { // the others have commands of their own
			out = append(out, m)
		}
	}
	return out
}

// findMethod finds the method of a class's command: gpio get.
func findMethod(args []string) (*hal.Method, []string, error) {
	var known []string
	for _, m := range deviceMethods() {
		if !strings.EqualFold(m.Class, args[0]) {
			continue
		}
		if len(args) > 1 && commandName(m.Name) == args[1] {
			return m, args[2:], nil
		}
		known = append(known, commandName(m.Name))
	}
	if len(known) == 0 {
		return nil, nil, &usageError{fmt.Sprintf("COMMAND: there is no command %q; halctl -h lists them", args[0])}
	}
	return nil, nil, &usageError{args[0] + " " + strings.Join(known, "|")}
}

// className gives the class as interfaces write it, whatever its case.
func className(word string) string {
	for _, m := range deviceMethods() {
		if strings.EqualFold(m.Class, word) {
			return m.Class
		}
	}
	return word
}

// commandName turns GetMany into get-many.
func commandName(camel string) string {
	var b strings.Builder
	for i, c := range camel {
		if unicode.IsUpper(c) && i > 0 && !(i+1 < len(camel) && unicode.IsUpper(rune(camel[i-1]))) {
			b.WriteByte('-')
		}
		b.WriteRune(unicode.ToLower(c))
	}
	return b.String()
}

// usageOf says how a method is typed.
func usageOf(m *hal.Method) string {
	parts := []string{strings.ToLower(m.Class), commandName(m.Name)}
	for _, f := range ordered(m) {
		name := strings.ToUpper(commandName(f.Name))
		switch {
		case f.Optional:
			parts = append(parts, "[--"+commandName(f.Name)+" "+placeholder(f)+"]")
		case f.Kind == hal.Texts || f.Kind == hal.Ints:
			parts = append(parts, singular(name)+"...")
		case f.Kind == hal.IntMap:
			parts = append(parts, "NAME=VALUE...")
		default:
			parts = append(parts, name)
		}
	}
	return strings.Join(parts, " ")
}

// singular names one of what a parameter names several of: SUPPLIES are of SUPPLY.
func singular(name string) string {
	if stem, ok := strings.CutSuffix(name, "IES"); ok {
		return stem + "Y"
	}
	return strings.TrimSuffix(name, "S")
}

func placeholder(f hal.Field) string {
	switch f.Kind {
	case hal.Enum:
		return strings.Join(f.Values, "|")
	case hal.Bool:
		return "true|false"
	}
	if f.Unit != hal.Unitless {
		return strings.ToUpper(strings.Replace(string(f.Unit), "µ", "u", 1))
	}
	return "VALUE"
}

// ordered gives the parameters as they are typed: those that take one word first, then one that takes all the rest, options last.
func ordered(m *hal.Method) []hal.Field {
	fields := append([]hal.Field{}, m.In...)
	rank := func(f hal.Field) int {
		switch {
		case f.Optional:
			return 2
		case f.Kind == hal.Texts || f.Kind == hal.Ints || f.Kind == hal.IntMap:
			return 1
		}
		return 0
	}
	sort.SliceStable(fields, func(i, j int) bool { return rank(fields[i]) < rank(fields[j]) })
	return fields
}

// parametersOf makes a call's parameters of words. The daemon checks their values; here they only get their types.
func parametersOf(m *hal.Method, words []string) (map[string]any, error) {
	wrong := func(format string, args ...any) error {
		return &usageError{usageOf(m) + ": " + fmt.Sprintf(format, args...)}
	}
	out := map[string]any{}
	positional, err := options(m, words, out)
	if err != nil {
		return nil, wrong("%v", err)
	}
	for _, f := range ordered(m) {
		if f.Optional {
			continue
		}
		if len(positional) == 0 {
			return nil, wrong("%s is missing", f.Name)
		}
		take := 1
		if f.Kind == hal.Texts || f.Kind == hal.Ints || f.Kind == hal.IntMap {
			take = len(positional)
		}
		value, err := typed(f, positional[:take])
		if err != nil {
			return nil, wrong("%v", err)
		}
		out[f.Name], positional = value, positional[take:]
	}
	if len(positional) > 0 {
		return nil, wrong("%q is too much", positional[0])
	}
	return out, nil
}

// options takes --name value and --name=value out of the words.
func options(m *hal.Method, words []string, out map[string]any) (rest []string, err error) {
	for i := 0; i < len(words); i++ {
		name, isOption := strings.CutPrefix(words[i], "--")
		if !isOption {
			rest = append(rest, words[i])
			continue
		}
		name, value, given := strings.Cut(name, "=")
		f, ok := optional(m, name)
		if !ok {
			return nil, fmt.Errorf("there is no option --%s", name)
		}
		if !given {
			if i++; i == len(words) {
				return nil, fmt.Errorf("--%s needs a value", name)
			}
			value = words[i]
		}
		if out[f.Name], err = typed(f, []string{value}); err != nil {
			return nil, err
		}
	}
	return rest, nil
}

func optional(m *hal.Method, name string) (hal.Field, bool) {
	for _, f := range m.In {
		if f.Optional && commandName(f.Name) == name {
			return f, true
		}
	}
	return hal.Field{}, false
}

// typed gives words the type of a field.
func typed(f hal.Field, words []string) (any, error) {
	switch f.Kind {
	case hal.Int:
		n, err := strconv.ParseInt(words[0], 0, 64)
		if err != nil {
			return nil, fmt.Errorf("%s is an integer, not %q", f.Name, words[0])
		}
		return n, nil
	case hal.Bool:
		b, err := strconv.ParseBool(words[0])
		if err != nil {
			return nil, fmt.Errorf("%s is true or false, not %q", f.Name, words[0])
		}
		return b, nil
	case hal.Texts:
		return words, nil
	case hal.IntMap:
		return pairs(f, words)
	case hal.Text, hal.Enum, hal.Blob:
		return words[0], nil
	case hal.List:
		if !json.Valid([]byte(words[0])) {
			return nil, fmt.Errorf("%s is an array in JSON, [{…}], not %q", f.Name, words[0])
		}
		return json.RawMessage(words[0]), nil
	}
	return nil, fmt.Errorf("%s can only be given to halctl call", f.Name)
}

// pairs reads NAME=VALUE words.
func pairs(f hal.Field, words []string) (map[string]int64, error) {
	out := map[string]int64{}
	for _, w := range words {
		name, value, ok := strings.Cut(w, "=")
		n, err := strconv.ParseInt(value, 0, 64)
		if !ok || err != nil {
			return nil, fmt.Errorf("%s are NAME=VALUE with an integer, not %q", f.Name, w)
		}
		if _, twice := out[name]; twice {
			return nil, fmt.Errorf("%s: %q is given twice", f.Name, name)
		}
		out[name] = n
	}
	return out, nil
}

// callMethod calls a method of a class as it was typed.
func (p *program) callMethod(ctx context.Context, m *hal.Method, words []string) error {
	if m.PassesFiles {
		return p.lend(ctx, m, words)
	}
	parameters, err := parametersOf(m, words)
	if err != nil {
		return err
	}
	if m.Watches {
		return p.follow(ctx, m.FullName(), parameters, p.events().print)
	}
	return p.callAndPrint(ctx, m.FullName(), parameters)
}
