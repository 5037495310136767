package hal

import (
	"fmt"
	"slices"
	"sort"
	"strings"
)

// Device is one piece of hardware with exactly one ID, unique in its class.
type Device interface {
	// ID is 1 to 128 printable ASCII characters without space, asterisk and quotes.
	ID() string
	// Bus names the bus that a call may have to wait for, and so the worker that runs it; "" where a call cannot block and runs on the loop.
	Bus() string
}

// Finder resolves a device's name as it came from a caller.
type Finder[D Device] interface {
	Param() string // the parameter that names one device: "led"; several: "leds"
	Class() string
	Find(id []byte) (D, bool)
	// Missing is the refusal for a name that Find does not find.
	Missing(id string) Refusal
}

// Set is all devices of one class. The zero value is not ready: use NewSet. Only the loop's goroutine may use it.
type Set[D Device] struct {
	class, param string
	byID         map[string]D
	ordered      []D
	gone         []string // names that were there, the latest last
}

// maxGone is how many names of devices that went a set remembers: more than a big chip has lines.
const maxGone = 1024

// NewSet makes an empty set for a class whose methods name a device by param.
func NewSet[D Device](class, param string) *Set[D] {
	return &Set[D]{class: class, param: param, byID: map[string]D{}}
}

// Class gives the class's name.
func (s *Set[D]) Class() string { return s.class }

// Param gives the name of the parameter that names a device.
func (s *Set[D]) Param() string { return s.param }

// Add takes in a device, and refuses one whose ID is malformed or taken: an ambiguous name is an error, never a guess.
func (s *Set[D]) Add(d D) error {
	id := d.ID()
	if err := CheckID(id); err != nil {
		return fmt.Errorf("cannot add %s %q: %w", s.class, id, err)
	}
	if _, taken := s.byID[id]; taken {
		return fmt.Errorf("cannot add %s %q: the name is taken", s.class, id)
	}
	s.byID[id] = d
	at := sort.Search(len(s.ordered), func(i int) bool { return s.ordered[i].ID() > id })
	s.ordered = append(s.ordered, d)
	copy(s.ordered[at+1:], s.ordered[at:])
	s.ordered[at] = d
	s.gone = slices.DeleteFunc(s.gone, func(name string) bool { return name == id })
	return nil
}

// Remove takes a device out, and remembers that it was there: see Missing.
func (s *Set[D]) Remove(id string) {
	if _, there := s.byID[id]; !there {
		return
	}
	delete(s.byID, id)
	s.ordered = slices.DeleteFunc(s.ordered, func(d D) bool { return d.ID() == id })
	if len(s.gone) == maxGone {
		s.gone = slices.Delete(s.gone, 0, 1)
	}
	s.gone = append(s.gone, id)
}

// Missing is the refusal for a name that no device has: DeviceGone for one that was removed (the latest 1,024 are known), else NoSuchDevice.
func (s *Set[D]) Missing(id string) Refusal {
	if slices.Contains(s.gone, id) {
		return GoneDevice(s.class, id)
	}
	return MissingDevice(s.class, id)
}

// Find looks a device up by its ID.
func (s *Set[D]) Find(id []byte) (D, bool) {
	d, ok := s.byID[string(id)]
	return d, ok
}

// Len is the number of devices.
func (s *Set[D]) Len() int { return len(s.ordered) }

// At gives the i-th device in the order of their IDs.
func (s *Set[D]) At(i int) Device { return s.ordered[i] }

// All gives the devices in the order of their IDs. The slice is the set's own: Add and Remove change it.
func (s *Set[D]) All() []D { return s.ordered }

// MaxID is the longest ID, in bytes.
const MaxID = 128

// CheckID says what is wrong with a device ID.
func CheckID(id string) error {
	if id == "" || len(id) > MaxID {
		return fmt.Errorf("a name has 1 to %d characters", MaxID)
	}
	for i := 0; i < len(id); i++ {
		if !plainID(id[i]) {
			return fmt.Errorf("%q cannot stand in a name", id[i])
		}
	}
	return nil
}

func plainID(c byte) bool {
	return c > ' ' && c < 0x7f && c != '*' && c != '"' && c != '\'' && c != '`'
}

// EscapeID turns a name that the kernel gave into an ID: bytes that an ID may not have, and the percent sign, become %XX.
func EscapeID(name string) string {
	var b strings.Builder
	for i := 0; i < len(name); i++ {
		if c := name[i]; plainID(c) && c != '%' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// Declarer is a Device that can say how board.toml would declare it: a whole table, as text.
type Declarer interface{ Declaration() string }

// Restrained is a Device that interlocks may keep from being active.
type Restrained interface {
	// Interlocks are the names of those that it is in.
	Interlocks() []string
}

// Grouped is a Device that may have to be claimed and leased together with others.
type Grouped interface {
	// Together are the IDs of all of them, its own too; nil for a device that stands alone.
	Together() []string
}
