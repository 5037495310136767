package main

import "strings"

// columns is how wide what people read is at most, where its words let it be.
const columns = 100

// wrap breaks a text between its words, so that no line is wider than columns. The first line begins behind what stands at column from already; all others are indented.
func wrap(text string, from, indent int) string {
	var b strings.Builder
	for i, line := range strings.Split(text, "\n") {
		if i > 0 {
			b.WriteString("\n" + strings.Repeat(" ", indent))
			from = indent
		}
		wrapLine(&b, line, from, indent)
	}
	return b.String()
}

func wrapLine(b *strings.Builder, line string, at, indent int) {
	for i, word := range pieces(line) {
		switch width := len([]rune(word)); {
		case i == 0:
			at += width
		case at+1+width > columns:
			b.WriteString("\n" + strings.Repeat(" ", indent))
			at = indent + width
		default:
			b.WriteByte(' ')
			at += 1 + width
		}
		b.WriteString(word)
	}
}

// pieces are the words of a line. What stands in square brackets is one of them: an option and its value.
func pieces(line string) (all []string) {
	open := false
	for word := range strings.FieldsSeq(line) {
		if open {
			all[len(all)-1] += " " + word
		} else {
			all = append(all, word)
		}
		open = strings.HasPrefix(word, "[") && !strings.Contains(word, "]") || open && !strings.Contains(word, "]")
	}
	return all
}
