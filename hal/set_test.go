package hal_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/halberd-io/halberd/hal"
)

func TestCheckID(t *testing.T) {
	tests := []struct{ name, id, want string }{
		{"plain", "relay-pump", ""},
		{"one character", "a", ""},
		{"everything else that prints", `!#$%&()+,-./0:;<=>?@A[\]^_a{|}~`, ""},
		{"longest", strings.Repeat("a", 128), ""},
		{"empty", "", "a name has 1 to 128 characters"},
		{"too long", strings.Repeat("a", 129), "a name has 1 to 128 characters"},
		{"space", "a b", "' ' cannot stand in a name"},
		{"asterisk", "a*", "'*' cannot stand in a name"},
		{"double quote", `"`, `'"' cannot stand in a name`},
		{"single quote", "'", `'\'' cannot stand in a name`},
		{"backquote", "`", "'`' cannot stand in a name"},
		{"NUL", "a\x00", `'\x00' cannot stand in a name`},
		{"new line", "a\n", `'\n' cannot stand in a name`},
		{"DEL", "a\x7f", `'\x7f' cannot stand in a name`},
		{"UTF-8", "grün", "'Ã' cannot stand in a name"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := ""
			if err := hal.CheckID(test.id); err != nil {
				got = err.Error()
			}
			if got != test.want {
				t.Errorf("CheckID(%q) = %q, want %q", test.id, got, test.want)
			}
		})
	}
}

func TestEscapeID(t *testing.T) {
	tests := []struct{ name, want string }{
		{"front:white", "front:white"},
		{"LED 1", "LED%201"},
		{"50%", "50%25"},
		{"a%20b", "a%2520b"},
		{`"*'` + "`", "%22%2A%27%60"},
		{"grün", "gr%C3%BCn"},
		{"\x00\x7f\xff", "%00%7F%FF"},
		{"", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := hal.EscapeID(test.name)
			if got != test.want {
				t.Errorf("EscapeID(%q) = %q, want %q", test.name, got, test.want)
			}
			if err := hal.CheckID(got); err != nil && got != "" {
				t.Errorf("CheckID(EscapeID(%q)) = %v, want nil", test.name, err)
			}
		})
	}
}

// Two names never become one ID, and what EscapeID gives is a good ID where it is not empty or too long.
func FuzzEscapeID(f *testing.F) {
	f.Add("a b", "a%20b")
	f.Add("%", "%25")
	f.Add("", "\x00")
	f.Fuzz(func(t *testing.T, a, b string) {
		x, y := hal.EscapeID(a), hal.EscapeID(b)
		if (a == b) != (x == y) {
			t.Fatalf("EscapeID(%q) = %q and EscapeID(%q) = %q", a, x, b, y)
		}
		if err := hal.CheckID(x); err != nil && len(x) > 0 && len(x) <= hal.MaxID {
			t.Fatalf("CheckID(EscapeID(%q)) = %v, want nil", a, err)
		}
	})
}

func TestSet(t *testing.T) {
	set := hal.NewSet[*lamp]("Lamp", "lamp")
	for _, id := range []string{"b", "a", "d", "c"} {
		if err := set.Add(&lamp{id: id}); err != nil {
			t.Fatalf("Add(%s) = %v, want nil", id, err)
		}
	}
	expectSet(t, set, "a b c d")
	set.Remove("c")
	set.Remove("x")
	expectSet(t, set, "a b d")
	if _, ok := set.Find([]byte("c")); ok {
		t.Error("c is found after it was removed")
	}
	if l, ok := set.Find([]byte("d")); !ok || l.id != "d" {
		t.Errorf("Find(d) = %v, %t, want d", l, ok)
	}
	if err := set.Add(&lamp{id: "c"}); err != nil {
		t.Errorf("Add of what was removed = %v, want nil", err)
	}
	expectSet(t, set, "a b c d")
}

// A set knows the difference between what went and what never was, until it comes again.
func TestMissing(t *testing.T) {
	set := hal.NewSet[*lamp]("Lamp", "lamp")
	expect := func(id, want string) {
		t.Helper()
		if got := set.Missing(id).Error(); got != want {
			t.Errorf("Missing(%s) = %s, want %s", id, got, want)
		}
	}
	add := func(id string) {
		t.Helper()
		if err := set.Add(&lamp{id: id}); err != nil {
			t.Fatal(err)
		}
	}
	add("hall")
	set.Remove("hall")
	set.Remove("attic")
	expect("hall", "the device is gone: Lamp/hall")
	expect("attic", "no such device: Lamp/attic")
	add("hall")
	set.Remove("hall")
	expect("hall", "the device is gone: Lamp/hall")
	for i := range 1024 {
		expect("hall", "the device is gone: Lamp/hall")
		add(fmt.Sprint(i))
		set.Remove(fmt.Sprint(i))
	}
	expect("hall", "no such device: Lamp/hall")
	expect("0", "the device is gone: Lamp/0")
}

func expectSet(t *testing.T, set *hal.Set[*lamp], want string) {
	t.Helper()
	var inventory hal.Inventory = set
	var listed, all []string
	for i := range inventory.Len() {
		listed = append(listed, inventory.At(i).ID())
	}
	for _, l := range set.All() {
		all = append(all, l.id)
	}
	if got := strings.Join(listed, " "); got != want {
		t.Errorf("the set lists %q, want %q", got, want)
	}
	if got := strings.Join(all, " "); got != want {
		t.Errorf("All gives %q, want %q", got, want)
	}
}

func TestSetRefuses(t *testing.T) {
	tests := []struct{ id, want string }{
		{"hall", `cannot add Lamp "hall": the name is taken`},
		{"", `cannot add Lamp "": a name has 1 to 128 characters`},
		{"a b", `cannot add Lamp "a b": ' ' cannot stand in a name`},
	}
	set := hal.NewSet[*lamp]("Lamp", "lamp")
	first := &lamp{id: "hall"}
	if err := set.Add(first); err != nil {
		t.Fatal(err)
	}
	for _, test := range tests {
		if err := set.Add(&lamp{id: test.id}); err == nil || err.Error() != test.want {
			t.Errorf("Add(%q) = %v, want %s", test.id, err, test.want)
		}
	}
	if l, ok := set.Find([]byte("hall")); !ok || l != first || set.Len() != 1 {
		t.Errorf("Find(hall) = %p, %t among %d, want the first, alone", l, ok, set.Len())
	}
}

func TestVerbs(t *testing.T) {
	for want, name := range hal.Verbs {
		got, ok := hal.ParseVerb(name)
		if !ok || got != hal.Verb(want) || got.String() != name {
			t.Errorf("ParseVerb(%s) = %s, %t, want %s", name, got, ok, name)
		}
	}
	if got := hal.Verb(len(hal.Verbs)).String(); got != "verb 5" {
		t.Errorf("what is no verb is %q, want verb 5", got)
	}
	for _, name := range []string{"", "Observe", "observes", "all"} {
		if v, ok := hal.ParseVerb(name); ok {
			t.Errorf("ParseVerb(%q) = %s, want none", name, v)
		}
	}
}
