package main

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/board"
	"github.com/halberd-io/halberd/service"
	"github.com/halberd-io/halberd/service/client"
)

// hint says what a refusal means for whoever made the call, as far as halctl knows more than the daemon says: "" where it does not.
func hint(f *failure) string {
	refusal, ok := errors.AsType[*client.Error](f.err)
	if !ok {
		return ""
	}
	var in struct{ Feature, Parameter, Holder string }
	if json.Unmarshal(refusal.Parameters, &in) != nil {
		return ""
	}
	switch {
	case refusal.Name == client.NotSupported && in.Feature == "output":
		return "What is to be set has to be declared as an output in board.toml: direction = \"output\"."
	case refusal.Name == client.NotSupported && in.Feature == "group":
		return "Lines of a gpio-group in board.toml are leased only together, and stay outputs that push and pull."
	case refusal.Name == client.Busy && in.Holder == "lease":
		return "Somebody has a descriptor of it: halctl holders says who."
	case refusal.Name == client.InvalidParameter:
		return describeParameter(f.method, in.Parameter)
	}
	return ""
}

// describeParameter says what a parameter of a method has to be, by the declaration that this halctl was built with.
func describeParameter(method, path string) string {
	cat, err := service.Describe(board.Drivers())
	if err != nil {
		return ""
	}
	m := cat.Method([]byte(method))
	if m == nil {
		return ""
	}
	if f := parameterAt(m.In, path); f != nil {
		return f.Name + ": " + f.Explain()
	}
	var names []string
	for _, f := range m.In {
		names = append(names, f.Name)
	}
	if len(names) == 0 {
		return m.FullName() + " takes no parameters."
	}
	return m.FullName() + " takes " + strings.Join(names, ", ") + "."
}

// parameterAt finds the parameter that a path of InvalidParameter is about, or whose element or member that is: messages[0].address, values.relay-pump.
func parameterAt(fields []hal.Field, path string) *hal.Field {
	name, rest, deeper := strings.Cut(path, ".")
	name, _, _ = strings.Cut(name, "[")
	for i := range fields {
		f := &fields[i]
		switch {
		case f.Name != name:
		case deeper && len(f.Fields) > 0:
			return parameterAt(f.Fields, rest)
		default:
			return f
		}
	}
	return nil
}
