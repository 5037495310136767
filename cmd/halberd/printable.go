package main

import "strings"

// printable keeps what stands in files from steering a terminal: control characters, and those that have what follows shown in another direction. Line ends and tabs stay.
func printable(s string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c < ' ' && c != '\n' && c != '\t', c >= 0x7f && c < 0xa0, c >= 0x202a && c <= 0x202e, c >= 0x2066 && c <= 0x2069:
			return '\ufffd'
		}
		return c
	}, s)
}
