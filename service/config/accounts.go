package config

import (
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
	names   map[string]uint32
	failed  *Error
}

// find gives the number of a name. The first line with the name counts, as in the C library.
func (a *accounts) find(name string) (uint32, bool) {
	if a.names == nil {
		a.read()
	}
	id, ok := a.names[name]
	return id, ok
}

func (a *accounts) read() {
	a.names = map[string]uint32{}
	text, _, err := a.options.read(a.path, maxAccounts)
	a.failed = err
	for line := range strings.SplitSeq(text, "\n") {
		fields := strings.Split(line, ":")
		if len(fields) < 3 || fields[0] == "" {
			continue
		}
		if _, known := a.names[fields[0]]; known {
			continue
		}
		if id, err := strconv.ParseUint(fields[2], 10, 32); err == nil {
			a.names[fields[0]] = uint32(id)
		}
	}
}
