package hal_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/halberd-io/halberd/hal"
)

// An entry that names several things cannot tell which one it means.
func TestAssign(t *testing.T) {
	tests := []struct {
		name    string
		entries map[string]string // ID to the things that it fits, in the order of the IDs
		want    string            // thing:ID, without an ID where it must have none
		errs    string
	}{
		{"nothing", nil, "", ""},
		{"one each", map[string]string{"a": "x", "b": "y"}, "x:a y:b", ""},
		{"not there", map[string]string{"a": ""}, "", ""},
		{"one thing twice", map[string]string{"a": "x", "b": "x", "c": "y"}, "x: y:c", "f:b: lamp.b: x is lamp.a already, at f:a"},
		{"one thing three times", map[string]string{"a": "x", "b": "x", "c": "x"}, "x:", "f:b: lamp.b: x is lamp.a already, at f:a|f:c: lamp.c: x is lamp.a already, at f:a"},
		{"two things for one", map[string]string{"a": "x y"}, "x: y:", "f:a: lamp.a: which one?"},
		{"two things for one, one of them another's", map[string]string{"a": "x y", "b": "x"}, "x:b y:", "f:a: lamp.a: which one?"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var entries []hal.Entry
			for _, id := range slices.Sorted(maps.Keys(test.entries)) {
				entries = append(entries, hal.Entry{Table: "lamp", ID: id, Where: "f:" + id, Value: test.entries[id]})
			}
			find := func(e *hal.Entry) ([]string, error) {
				things := strings.Fields(e.Value.(string))
				if len(things) > 1 {
					return things, errors.New("which one?")
				}
				return things, nil
			}
			assigned, errs := hal.Assign(entries, find, func(thing string) string { return thing })
			var got, said []string
			for _, thing := range slices.Sorted(maps.Keys(assigned)) {
				id := ""
				if e := assigned[thing]; e != nil {
					id = e.ID
				}
				got = append(got, thing+":"+id)
			}
			for _, err := range errs {
				said = append(said, fmt.Sprint(err))
			}
			if got := strings.Join(got, " "); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
			if said := strings.Join(said, "|"); said != test.errs {
				t.Errorf("errors %s, want %s", said, test.errs)
			}
		})
	}
}
