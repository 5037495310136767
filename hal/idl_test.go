package hal_test

import (
	"flag"
	"os"
	"os/exec"
	"testing"

	"github.com/halberd-io/halberd/hal"
)

var update = flag.Bool("update", false, "write the golden files of testdata anew")

// toyText is the interface of the toy with a method that has every kind of field, and some refusals.
func toyText(t *testing.T) string {
	y := newToy(t)
	methods := append(y.class.Methods,
		hal.Plain(hal.Administer, "Everything", "Takes and gives every kind of field.\nIt does nothing.", func(hal.Holder, *everything, *everything) error { return nil }),
		hal.Plain(hal.Configure, "Limits", "Takes integers with limits.", func(hal.Holder, *limited, *hal.None) error { return nil }))
	return hal.InterfaceText("io.halberd.Lamp", y.class.Doc, methods, []hal.Refusal{&hal.Busy{}, &hal.OutOfRange{}, &hal.System{}})
}

type limited struct{ Least, Most int64 }

func (m *limited) Fields(f *hal.Fields) {
	f.IntIn("least", &m.Least, 0, 1<<63-1, hal.Bytes, "At least nothing.")
	f.IntIn("most", &m.Most, -1<<63, -1, hal.Unitless, "Below zero.")
}

func TestInterfaceText(t *testing.T) {
	const golden = "testdata/Lamp.varlink"
	got := toyText(t)
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the interface text is\n%s\nwant what %s has; -update writes it anew", got, golden)
	}
	if class := newToy(t).catalog.Class("Lamp").Text; class != hal.InterfaceText("io.halberd.Lamp", "Lamps of a toy.", newToy(t).class.Methods, nil) {
		t.Errorf("the catalog has another text for the class:\n%s", class)
	}
}

// systemd's own reader takes what we print.
func TestInterfaceTextIsVarlink(t *testing.T) {
	program := os.Getenv("HALBERD_VARLINKCTL")
	if program == "" {
		t.Skip("HALBERD_VARLINKCTL names no varlinkctl")
	}
	out, err := exec.Command(program, "validate-idl", "testdata/Lamp.varlink").CombinedOutput()
	if err != nil {
		t.Errorf("%s validate-idl: %v\n%s", program, err, out)
	}
}
