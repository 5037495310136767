package policy

import "github.com/halberd-io/halberd/hal"

// openInterface is the interface that every varlink service has. All of it is open.
const openInterface = "org.varlink.service"

// openMethods are open to all beside it: what one is told about oneself, and lists that show only what the caller's grants cover. A grant may name them, to no effect.
// This list is reviewed: a method that is added here is permitted to every process on the machine.
var openMethods = [...]string{
	"io.halberd.Policy.WhoAmI",
	"io.halberd.Policy.Check",
	"io.halberd.Policy.Grants",
	"io.halberd.Board.List",
	"io.halberd.Board.Describe",
	"io.halberd.Board.Holders",
}

// IsOpen reports whether a method is permitted without a grant.
func IsOpen(m *hal.Method) bool {
	if m.Interface == openInterface {
		return true
	}
	for _, name := range openMethods {
		if name == m.FullName() {
			return true
		}
	}
	return false
}
