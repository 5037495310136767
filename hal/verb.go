package hal

import "fmt"

// Verb is what a method does to the hardware, and the unit in which people think about permissions. Every method has exactly one.
type Verb uint8

// The verbs, from harmless to not.
const (
	Observe    Verb = iota // reads
	Control                // sets a value that a later call can set back
	Configure              // changes how a device behaves
	Hazard                 // may stop the board, or reaches past one device
	Administer             // Halberd itself
)

// Verbs are the names of the verbs, in their order.
var Verbs = [...]string{"observe", "control", "configure", "hazard", "administer"}

// String gives the verb's name. What is no verb is written as its number.
func (v Verb) String() string {
	if int(v) < len(Verbs) {
		return Verbs[v]
	}
	return fmt.Sprintf("verb %d", uint8(v))
}

// ParseVerb finds the verb of a name, as it stands in a grant.
func ParseVerb(name string) (Verb, bool) {
	for i, n := range Verbs {
		if n == name {
			return Verb(i), true
		}
	}
	return 0, false
}
