package config

import (
	"slices"
	"strconv"
	"strings"
)

// maxAccounts is the longest /etc/passwd or /etc/group that is read, in bytes.
const maxAccounts = 16 << 20

// accounts looks names up in /etc/passwd or /etc/group, which is read when the first name is asked for. Both have name, password and number as their first fields. A static
// program has no other source of names; what a directory service knows has to be written as a number.
type accounts struct {
	options *Options
	path    string
	lines   map[string][]string // the fields of each name's line
	failed  *Error
}

// find gives the number of a name. The first line with the name counts, as in the C library.
func (a *accounts) find(name string) (uint32, bool) {
	return number(a.line(name), 2)
}

// line gives the fields of a name's line, or nil.
func (a *accounts) line(name string) []string {
	if a.lines == nil {
		a.read()
	}
	return a.lines[name]
}

// number reads a field that is a number.
func number(fields []string, i int) (uint32, bool) {
	if i >= len(fields) {
		return 0, false
	}
	id, err := strconv.ParseUint(fields[i], 10, 32)
	return uint32(id), err == nil
}

// having gives the numbers of the groups that list a user as a member, in their order.
func (a *accounts) having(user string) []uint32 {
	if a.lines == nil {
		a.read()
	}
	var all []uint32
	for _, fields := range a.lines {
		if id, ok := number(fields, 2); ok && len(fields) > 3 && contains(strings.Split(fields[3], ","), user) {
			all = append(all, id)
		}
	}
	slices.Sort(all)
	return all
}

func (a *accounts) read() {
	a.lines = map[string][]string{}
	text, _, err := a.options.read(a.path, maxAccounts)
	a.failed = err
	for line := range strings.SplitSeq(text, "\n") {
		fields := strings.Split(line, ":")
		if _, known := a.lines[fields[0]]; known || fields[0] == "" {
			continue
		}
		if _, ok := number(fields, 2); ok {
			a.lines[fields[0]] = fields
		}
	}
}
