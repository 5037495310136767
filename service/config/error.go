package config

import (
	"errors"
	"fmt"
	"sort"
)

// Error is one thing that is wrong with a file or a folder.
type Error struct {
	File string
	Line int // from 1; 0 where the file as a whole is meant
	What string
}

func (e *Error) Error() string { return place(e.File, e.Line) + ": " + e.What }

// Warning is something that was most likely meant otherwise, and that a daemon can start with.
type Warning struct {
	File string
	Line int
	What string
}

func (w Warning) String() string { return place(w.File, w.Line) + ": " + w.What }

// place writes a file and a line as compilers do.
func place(file string, line int) string {
	if line == 0 {
		return file
	}
	return fmt.Sprintf("%s:%d", file, line)
}

// fault is an error about a file as a whole.
func fault(file, format string, args ...any) *Error {
	return &Error{File: file, What: fmt.Sprintf(format, args...)}
}

// maxErrors is how many errors are reported at once.
const maxErrors = 100

// join makes one error of all that is wrong, or nil of nothing. Those of one file stand together, in the order of their lines.
func join(all []*Error) error {
	rank := map[string]int{}
	for _, e := range all {
		if _, known := rank[e.File]; !known {
			rank[e.File] = len(rank)
		}
	}
	sort.SliceStable(all, func(i, j int) bool {
		if a, b := rank[all[i].File], rank[all[j].File]; a != b {
			return a < b
		}
		return all[i].Line < all[j].Line
	})
	if left := len(all) - maxErrors; left > 0 {
		next := all[maxErrors]
		all = append(all[:maxErrors:maxErrors], &Error{next.File, next.Line, fmt.Sprintf("%s (and %d errors more)", next.What, left-1)})
	}
	errs := make([]error, len(all))
	for i, e := range all {
		errs[i] = e
	}
	return errors.Join(errs...)
}
