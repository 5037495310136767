package hal

// Unit is what an integer counts. It stands in the field's name (periodNSec) and in its documentation.
type Unit string

// The units of the command set.
const (
	Unitless     Unit = ""
	AsParameter  Unit = "in the unit of the parameter"
	Bytes        Unit = "bytes"
	Nanoseconds  Unit = "ns"
	Microseconds Unit = "µs"
	Milliseconds Unit = "ms"
	Seconds      Unit = "s"

	MicroVolts       Unit = "µV"
	MicroAmperes     Unit = "µA"
	MicroWatts       Unit = "µW"
	MicroAmpereHours Unit = "µAh"
	MicroWattHours   Unit = "µWh"
	MilliCelsius     Unit = "m°C"
	Percent          Unit = "%"
	Hertz            Unit = "Hz"
	KiloHertz        Unit = "kHz"
)

// Kind is the type of a field.
type Kind uint8

// The kinds of fields, with their varlink types.
const (
	Int       Kind = iota // int
	Bool                  // bool
	Text                  // string
	Enum                  // (a, b, c)
	Blob                  // string, in base64
	Texts                 // []string
	Ints                  // []int
	IntMap                // [string]int
	Raw                   // object
	List                  // [](…)
	Struct                // (…)
	IntOrText             // int or string: in board.toml alone
	FileIndex             // int: which of the descriptors that ride a reply
)

// Field describes one field of a message.
type Field struct {
	Name     string
	Kind     Kind
	Optional bool
	Unit     Unit
	Min, Max int64    // of an Int; of the number of elements for arrays and maps; of bytes for a Text or Blob
	Values   []string // of an Enum
	Each     *Range   // of each value of an IntMap whose keys are devices; nil where that is not declared
	Doc      string
	Fields   []Field // of a List or Struct
}

// Opt is a field that may be left out.
type Opt[T any] struct {
	Value T
	Set   bool
}

// Some makes a field that is there.
func Some[T any](v T) Opt[T] { return Opt[T]{v, true} }

// Or gives the value, or another one where the field was left out.
func (o Opt[T]) Or(other T) T {
	if o.Set {
		return o.Value
	}
	return other
}

// None is a message without fields.
type None struct{}

// Fields declares nothing.
func (*None) Fields(*Fields) {}

// Scalar is one value of a parameter, as a grant's limits see it.
type Scalar struct {
	Kind Kind // Int, Bool, or Text
	Int  int64
	Bool bool
	Text string
}

// Examiner looks at the values of a message, such as the decoded parameters of a call. The path of an element inside an array or a map is that of the array:
// messages.address. A parameter that was left out is not shown.
type Examiner interface {
	Examine(path string, value Scalar)
}
