package main

import (
	"go/format"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestMutants: each kind of change is made once for each place, is called by what it does, and leaves Go behind.
func TestMutants(t *testing.T) {
	for _, test := range []struct{ name, body, want string }{
		{"a comparison", "func f(a, b int) { g(a < b) }", "f: g(a < b) => nothing; f: a < b => a <= b; f: a < b => a >= b"},
		{"an equation", "func f(a *int) bool { return a == nil }", "f: a == nil => !(a == nil); f: a == nil => a != nil"},
		{"a condition", "func f(a bool) { if !a { g() } }", "f: !a => (!a) || true; f: !a => (!a) && false; f: !a => a; f: g() => nothing"},
		{"cases", "func f(a bool) { switch { case a: default: } }", "f: a => (a) || true; f: a => (a) && false"},
		{"cases of a value", "func f(a int) { switch a { case 1: } }", "f: 1 => 2"},
		{"truth", "func f() (a, b bool) { return true, false }", "f: true => false; f: false => true"},
		{"results", "func f(s string) (n int, p *int, err error) { return n, p, err }", "f: n => (n) + 1; f: p => nil; f: err => nil"},
		{"results of a function inside", "func f() { g = func() string { return g } }", `f: g = func() string { return g } => _ = func() string { return g }; f: g => ""`},
		{"assignments", "func f() { a, b = 1, b\na += 2\na-- }", "f: a, b = 1, b => _, _ = 1, b; f: a += 2 => a -= 2; f: a += 2 => _ = 2; f: a-- => nothing; f: a-- => a++; f: 1 => 2; f: 2 => 3"},
		{"arithmetic", "var a = b&^c<<3", "declarations: b&^c<<3 => b&^c>>3; declarations: b&^c => b&c; declarations: 3 => 4"},
		{"the same twice", "func f() { for { break }; for { break } }", "f: break => nothing; f: break => nothing (2)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			name := filepath.Join(t.TempDir(), "x.go")
			source := "package x\n\n" + test.body + "\n"
			if err := os.WriteFile(name, []byte(source), 0o600); err != nil {
				t.Fatal(err)
			}
			found, err := mutantsIn(name)
			if err != nil {
				t.Fatal(err)
			}
			var keys []string
			for _, m := range found {
				keys = append(keys, strings.TrimPrefix(m.key, "x.go "))
				changed := source[:m.from] + m.text + source[m.to:]
				if _, err := format.Source([]byte(changed)); err != nil || changed == source {
					t.Errorf("%s leaves %q: %v", m.key, changed, err)
				}
			}
			if got := strings.Join(keys, "; "); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestExplanations(t *testing.T) {
	name := filepath.Join(t.TempDir(), "mutants.txt")
	if err := os.WriteFile(name, []byte("# about\n\na.go f: 1 => 2\na.go f: 2 => 3\n\tThe reason.\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := explanations(name)
	if err != nil || len(got) != 2 || !got["a.go f: 1 => 2"] || !got["a.go f: 2 => 3"] {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err := explanations(name + "x"); err != nil || len(got) != 0 {
		t.Errorf("without a list: got %v, %v", got, err)
	}
}
