package board

import (
	"encoding/json"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/haltest"
	"github.com/halberd-io/halberd/hal/kernel"
	"github.com/halberd-io/halberd/hal/sim"
	"github.com/halberd-io/halberd/hal/wire"
)

// entries reads a board.toml.
func entries(t *testing.T, text string) (all []hal.Entry) {
	t.Helper()
	var tables map[string]map[string]any
	if _, err := toml.Decode(text, &tables); err != nil {
		t.Fatal(err)
	}
	for _, table := range Tables() {
		for _, id := range slices.Sorted(maps.Keys(tables[table.Name])) {
			object, err := json.Marshal(tables[table.Name][id])
			if err != nil {
				t.Fatal(err)
			}
			value, err := table.Decode(wire.Value(object))
			if err != nil {
				t.Fatalf("%s.%s: %v", table.Name, id, err)
			}
			all = append(all, hal.Entry{Table: table.Name, ID: id, Where: table.Name + "." + id, Value: value})
		}
		delete(tables, table.Name)
	}
	if len(tables) > 0 {
		t.Fatalf("no class reads %v", tables)
	}
	return all
}

func TestSimulatedBoard(t *testing.T) {
	k := sim.New(sim.Options{})
	var log strings.Builder
	declared := entries(t, k.BoardTOML())
	classes, err := Open(k, haltest.NewLoop(), slog.New(slog.NewTextHandler(&log, nil)), declared, true)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range classes {
		if c.Devices == nil {
			continue
		}
		for i := range c.Devices.Len() {
			got = append(got, c.Name+"/"+c.Devices.At(i).ID())
		}
	}
	for _, want := range []string{"Cpu/policy0", "Gpio/relay-pump", "Gpio/relay-up", "Gpio/relay-down", "Gpio/button", "Gpio/door", "Led/front", "Led/status", "Radio/wlan", "Sensor/board", "Sensor/soc", "Sensor/supply"} {
		if !slices.Contains(got, want) {
			t.Errorf("there is no %s in %v", want, got)
		}
	}
	if log.Len() > 0 {
		t.Errorf("opening the board's own board.toml logs: %s", log.String())
	}
	Close(classes)
	if n := k.Opened(); n != 0 {
		t.Errorf("%d descriptors are left open", n)
	}
}

func TestErrorClosesEverything(t *testing.T) {
	k := sim.New(sim.Options{})
	bad := entries(t, k.BoardTOML()+"\n[sensor.none]\nthermal = \"cpu-thermal\"\n")
	_, err := Open(k, haltest.NewLoop(), slog.New(slog.DiscardHandler), bad, true)
	if want := "cannot open class Sensor: sensor.soc: sensor.soc: cpu-thermal/temp is sensor.none already, at sensor.none"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if n := k.Opened(); n != 0 {
		t.Errorf("%d descriptors are left open", n)
	}
}

// The machine that runs the test has devices or none; whatever it has opens and closes.
func TestThisMachine(t *testing.T) {
	k := haltest.Record(kernel.Linux{})
	classes, err := Open(reading{k}, haltest.NewLoop(), slog.New(slog.DiscardHandler), nil, false)
	if err != nil {
		t.Fatal(err)
	}
	Close(classes)
	if left := k.Left(); len(left) > 0 {
		t.Errorf("left open: %v", left)
	}
}

// reading lets nothing be written.
type reading struct{ hal.Kernel }

func (reading) Pwrite(int, []byte, int64) (int, error) { return 0, unix.EPERM }

func TestClassesAndTables(t *testing.T) {
	seen := map[string]bool{}
	for _, d := range Drivers() {
		if d.Class == "" || seen[d.Class] {
			t.Errorf("class %q stands there twice or has no name", d.Class)
		}
		seen[d.Class] = true
		if len(d.Tables) == 0 && d.Class != "Power" { // which has no devices
			t.Errorf("class %s has no table in board.toml", d.Class)
		}
	}
	for _, table := range Tables() {
		if seen["table "+table.Name] {
			t.Errorf("two classes read [%s]", table.Name)
		}
		seen["table "+table.Name] = true
	}
}
