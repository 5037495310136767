package config

import (
	"fmt"
	"strings"
	"testing"
)

func TestLines(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       map[string]int
	}{
		{"plain keys", "# first\na = 1\n\n  b=2 # c = 3\r\nd = 4", map[string]int{"a": 2, "b": 4, "d": 5, "c": 1}},
		{"quoted keys", "'a b' = 1\n\"c.d\" = 2\n\"e\\u0020f\" = 3\ng.\"h.i\" . j = 4\n\"\" = 5",
			map[string]int{"a b": 1, `"c.d"`: 2, "e f": 3, "g": 4, `g."h.i"`: 4, `g."h.i".j`: 4, `""`: 5}},
		{"tables", "[a]\nb = 1\n[ c . \"d.e\" ] # x\nf = 2\n[c]\ng = 3",
			map[string]int{"a": 1, "a.b": 2, "c": 3, `c."d.e"`: 3, `c."d.e".f`: 4, "c.g": 6}},
		{"arrays of tables", "[[a]]\nb = 1\n[[a]]\nb = 2\n[a.c]\nd = 3\n[[a.e]]\nf=1\n[[a.e]]\nf=2\n[[a]]\n[[a.e]]\nf=3",
			map[string]int{"a": 1, "a[0]": 1, "a[0].b": 2, "a[1]": 3, "a[1].b": 4, "a[1].c": 5, "a[1].c.d": 6, "a[1].e[0].f": 8, "a[1].e[1].f": 10, "a[2]": 11, "a[2].e[0].f": 13}},
		{"strings", "a = \"x = 1 # \\\" [b]\"\nc = '\\'\nd = \"\"\"\n[no]\ne = 1 \\\"\"\" f = 1\n\"\"\"\"\"\ng = '''\nh = 1\n'''\ni = \"\"\nj = ''\nk = 1",
			map[string]int{"a": 1, "c": 2, "d": 3, "g": 7, "i": 10, "j": 11, "k": 12, "e": 1, "h": 1, "no": 1}},
		{"arrays", "a = [ 1, 2,\n 3, # ]\n [4, \"]\",\n 5],\n]\nb = []\nc = 1",
			map[string]int{"a": 1, "a[0]": 1, "a[1]": 1, "a[2]": 2, "a[3]": 3, "a[3][0]": 3, "a[3][2]": 4, "b": 6, "c": 7}},
		{"inline tables", "a = { b = { c = 1 }, \"d.e\" = [ { f = 1 }, {\n f = 2 } ], g.h = 3 }\ni = {}\nj = 2",
			map[string]int{"a.b.c": 1, `a."d.e"`: 1, `a."d.e"[0].f`: 1, `a."d.e"[1]`: 1, `a."d.e"[1].f`: 2, "a.g.h": 2, "i": 3, "j": 4}},
		{"dates and numbers", "a = 1979-05-27 07:32:00\nb = -1.5e-3\nc = 0x_1\nd = [1979-05-27, 1.5,\ntrue]\ne = 1",
			map[string]int{"a": 1, "b": 2, "c": 3, "d[0]": 4, "d[1]": 4, "d[2]": 5, "e": 6}},
		{"around what is not there", "[a]\nb = [1]\n", map[string]int{"a.c": 1, "a.b[5]": 2, "a.b[0].c.d": 2, "z": 1, "z[3].y": 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			found, deep := scanLines(tt.text)
			if deep != 0 {
				t.Errorf("nested too deep on line %d", deep)
			}
			for path, want := range tt.want {
				if got := found.of(path); got != want {
					t.Errorf("%s: got line %d, want %d", path, got, want)
				}
			}
		})
	}
}

func TestNesting(t *testing.T) {
	nested := func(n int) string { return "a = " + strings.Repeat("[", n) + strings.Repeat("]", n) }
	for _, tt := range []struct {
		name, text string
		line       int
	}{
		{"as deep as may be", nested(maxNesting - 1), 0},
		{"an array too deep", "\n" + nested(maxNesting+1), 2},
		{"a table too deep", strings.Repeat("a = { ", maxNesting+1) + strings.Repeat("}", maxNesting+1), 1},
		{"a key too deep", "\n\n" + strings.Repeat("a.", maxNesting) + "a = 1", 3},
		{"a header too deep", "[" + strings.Repeat("a.", maxNesting) + "a]", 1},
		{"headers are no nesting", strings.Repeat("[", 1<<20), 0},
		{"much too deep inside", "a = " + strings.Repeat("[", 1<<20), 1},
		{"much too deep tables", strings.Repeat("a={", 1<<18), 1},
		{"the first of several", nested(2) + "\n\n" + nested(40) + "\n" + nested(50), 3},
	} {
		if _, deep := scanLines(tt.text); deep != tt.line {
			t.Errorf("%s: got line %d, want %d", tt.name, deep, tt.line)
		}
	}
}

// paths lists the path of everything in a table.
func paths(path string, v any) []string {
	var all []string
	switch v := v.(type) {
	case map[string]any:
		for key, v := range v {
			all = append(append(all, under(path, key)), paths(under(path, key), v)...)
		}
	case []any:
		for i, v := range v {
			all = append(append(all, at(path, i)), paths(at(path, i), v)...)
		}
	case []map[string]any:
		for i, v := range v {
			all = append(append(all, at(path, i)), paths(at(path, i), v)...)
		}
	}
	return all
}

// FuzzLines holds the index against the TOML library: of what that one accepts, every key has a line, and it is one that the key can be on.
func FuzzLines(f *testing.F) {
	for _, seed := range []string{
		"a = 1\n[b]\nc = [1, {d = 2}]\n[[e]]\n[[e]]\nf.\"g.h\" = '''\n'''", led, "a = \"\"\"\\\n\"\"\"\"\"\n", "\"\\e\" = 1", "'' = {}", "a=[[[]]]", "\"\\u00e9\" = 1 # x",
		"[a.b]\n[a]\n[a.c.d]", "a = { b = 1, # c\n c = 2 }", "\"a\\\"b\" = 1", "x = ''''a'''''", "[[a.b]]\n[a.b.c]\nd=1\n[[a.b]]",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if _, bad := checkText(text); bad != "" || len(text) > 4096 {
			return
		}
		found, deep := scanLines(text)
		if deep != 0 {
			return
		}
		values, err := parse(text)
		if err != nil {
			return
		}
		last := strings.Count(text, "\n") + 1
		for _, path := range paths("", values) {
			line, ok := found[path]
			if !ok {
				t.Errorf("%s has no line", path)
			} else if line < 1 || line > last {
				t.Errorf("%s is on line %d of %d", path, line, last)
			}
		}
	})
}

func TestMeant(t *testing.T) {
	known := []string{"users", "groups", "id", "rate", "io.halberd.Led.Set"}
	for word, want := range map[string]string{
		"user": " (did you mean users?)", "USERS": " (did you mean users?)", "usres": " (did you mean users?)", "grousp": " (did you mean groups?)",
		"ids": " (did you mean id?)", "xx": "", "": "", "rat": " (did you mean rate?)", "io.halberd.Led.Sett": " (did you mean io.halberd.Led.Set?)",
		strings.Repeat("u", 100): "", "something": "",
	} {
		if got := meant(word, known); got != want {
			t.Errorf("%s: got %q, want %q", word, got, want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 1}, {"", "ab", 2}, {"abc", "abc", 0}, {"abc", "abd", 1}, {"kitten", "sitting", 3}, {"ab", "ba", 2}, {"abcd", "bcd", 1}, {strings.Repeat("a", 65), "a", 64}} {
		if got := distanceOf(tt.a, tt.b); got != tt.want {
			t.Errorf("%q, %q: got %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}

func TestKindOf(t *testing.T) {
	values, err := parse("a = \"\"\nb = 1\nc = 1.5\nd = true\ne = 1979-05-27\nf = {}\ng = []\n[[h]]")
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{"a": "a string", "b": "an integer", "c": "a fraction", "d": "a boolean", "e": "a date", "f": "a table", "g": "an array", "h": "an array"} {
		if got := kindOf(values[key]); got != want {
			t.Errorf("%s: got %s, want %s", fmt.Sprint(values[key]), got, want)
		}
	}
}
