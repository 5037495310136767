package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestWrap(t *testing.T) {
	long := strings.Repeat("a", 60)
	for _, c := range []struct {
		name, text   string
		from, indent int
		want         string
	}{
		{"short", "a b", 0, 0, "a b"},
		{"nothing", "", 5, 5, ""},
		{"as wide as can be", long + " " + strings.Repeat("b", 39), 0, 4, long + " " + strings.Repeat("b", 39)},
		{"wider", long + " " + strings.Repeat("b", 40), 0, 4, long + "\n    " + strings.Repeat("b", 40)},
		{"behind something", long + " b", 39, 2, long + "\n  b"},
		{"a word that is wider", "a " + strings.Repeat("b", 101) + " c", 0, 2, "a\n  " + strings.Repeat("b", 101) + "\n  c"},
		{"lines of its own", "a\nb", 0, 3, "a\n   b"},
		{"an option and its value", long + " [--b " + strings.Repeat("c", 30) + " dddd] e", 0, 2, long + "\n  [--b " + strings.Repeat("c", 30) + " dddd] e"},
		{"other letters", long + " " + strings.Repeat("µ", 39), 0, 4, long + " " + strings.Repeat("µ", 39)},
	} {
		if got := wrap(c.text, c.from, c.indent); got != c.want {
			t.Errorf("%s:\n got %q\nwant %q", c.name, got, c.want)
		}
	}
}

// TestUsageIsNarrow: whatever halctl prints about its use fits a terminal.
func TestUsageIsNarrow(t *testing.T) {
	var all bytes.Buffer
	usage(&all)
	for _, m := range deviceMethods() {
		p := &program{stdout: &all, stderr: &all}
		p.run(t.Context(), []string{strings.ToLower(m.Class), commandName(m.Name), "-h"})
		p.run(t.Context(), []string{strings.ToLower(m.Class), commandName(m.Name)})
		p.run(t.Context(), []string{m.Class, "-h"})
	}
	for line := range strings.Lines(all.String()) {
		if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > columns {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}
