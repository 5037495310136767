package gpio

import (
	"testing"

	"github.com/halberd-io/halberd/hal/sim/simtest"
)

func TestConfigure(t *testing.T) {
	for _, c := range []struct {
		name, keys, in, want string
		level, changes       int
		consumer             string
		output               bool
		get                  string
	}{
		{"an output without an edge", `{"chip":"soc","line":"LAMP"}`, `"direction":"output"`, `{}`, 1, 0, "halberd", true, `{"value":1}`},
		{"an output with a value", `{"chip":"soc","line":"LAMP"}`, `"direction":"output","initial":0`, `{}`, 0, 1, "halberd", true, `{"value":0}`},
		{"active-low without an edge", `{"chip":"soc","line":"LAMP","direction":"output"}`, `"activeLow":true`, `{}`, 1, 0, "halberd", true, `{"value":0}`},
		{"active-high without an edge", `{"chip":"soc","line":"LAMP","direction":"output","active-low":true}`, `"activeLow":false`, `{}`, 1, 0, "halberd", true, `{"value":1}`},
		{"open drain", `{"chip":"soc","line":"LAMP","direction":"output"}`, `"drive":"open_drain"`, `{}`, 1, 0, "halberd", true, `{"value":1}`},
		{"an input", `{"chip":"soc","line":"LAMP","direction":"output","safe":1}`, `"direction":"input","bias":"pull_down"`, `{}`, 0, 1, "", false, `{"value":0}`},
		{"only the polarity of a line as it is", `{"chip":"soc","line":"LAMP"}`, `"activeLow":true`, `{}`, 1, 0, "", true, `{"value":0}`},
		{"nothing", `{"chip":"soc","line":"LAMP"}`, `"direction":null`, `{}`, 1, 0, "", true, `{"value":1}`},
		{"bias without a direction", `{"chip":"soc","line":"LAMP"}`, `"bias":"pull_up"`, `NotSupported{"feature":"bias"}`, 1, 0, "", true, `{"value":1}`},
		{"drive of an input", `{"chip":"soc","line":"LAMP"}`, `"direction":"input","drive":"open_drain"`, `NotSupported{"feature":"drive"}`, 1, 0, "", true, `{"value":1}`},
		{"initial of an input", `{"chip":"soc","line":"LAMP"}`, `"direction":"input","initial":1`, `NotSupported{"feature":"initial"}`, 1, 0, "", true, `{"value":1}`},
		{"debounce of an output", `{"chip":"soc","line":"LAMP"}`, `"direction":"output","debounceUSec":1`, `NotSupported{"feature":"debounceUSec"}`, 1, 0, "", true, `{"value":1}`},
		{"no such direction", `{"chip":"soc","line":"LAMP"}`, `"direction":"out"`, `InvalidParameter{"parameter":"direction"}`, 1, 0, "", true, `{"value":1}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := bench()
			if c.name == "open drain" {
				k.Pull("LAMP", 1)
			}
			b := simtest.Open(t, Driver(), k, false, declare("id", c.keys))
			b.Expect("Configure", `{"line":"id",`+c.in+`}`, c.want)
			if consumer, output := k.Consumer("LAMP"); consumer != c.consumer || output != c.output {
				t.Errorf("the line is with %q, output %v; want %q, %v", consumer, output, c.consumer, c.output)
			}
			b.Expect("Get", `{"line":"id"}`, c.get)
			if got := k.Value("LAMP"); got != c.level {
				t.Errorf("level: got %d, want %d", got, c.level)
			}
			if got := k.Changes("LAMP"); got != c.changes {
				t.Errorf("edges: got %d, want %d", got, c.changes)
			}
		})
	}
}

func TestConfigureBusyLine(t *testing.T) {
	b := simtest.Open(t, Driver(), bench(), false)
	for _, direction := range []string{"input", "output"} {
		b.Expect("Configure", `{"line":"VBUS","direction":"`+direction+`"}`, `Busy{"class":"Gpio","device":"VBUS","holder":"regulator-vbus"}`)
	}
}

// A line that is watched goes from an input to an output and back, and its watchers are told of everything.
func TestConfigureWatchedLine(t *testing.T) {
	for _, id := range []string{"BUTTON", "FAR_IN"} {
		k := bench()
		b := simtest.Open(t, Driver(), k, false)
		w := b.Watch("Watch", `{"lines":["`+id+`"]}`)
		event := func(rest string) string { return `{"line":"` + id + `","value":` + rest + `}` }
		expect(t, w, event(`0`))
		b.Expect("Configure", `{"line":"`+id+`","direction":"output","initial":1}`, `{}`)
		expect(t, w, event(`1`))
		b.Expect("Set", `{"line":"`+id+`","value":0}`, `{}`)
		expect(t, w, event(`0`))
		b.Expect("Configure", `{"line":"`+id+`","direction":"input","activeLow":true}`, `{}`)
		expect(t, w, event(`1`))
		k.Pull(id, 1)
		expect(t, w, event(`0,"edge":"falling"`))
		b.Expect("Set", `{"line":"`+id+`","value":0}`, `NotSupported{"feature":"output"}`)
		b.Expect("Configure", `{"line":"`+id+`","activeLow":false}`, `{}`)
		expect(t, w, event(`1`))
		k.Pull(id, 0)
		expect(t, w, event(`0,"edge":"falling"`))
		w.Stop()
		b.Loop.Turn()
		if held, _ := k.Consumer(id); held != "" {
			t.Errorf("%s is still with %q", id, held)
		}
		b.Close()
		if n := k.Opened(); n != 0 {
			t.Errorf("%s: %d descriptors are left open", id, n)
		}
	}
}

// An output that others drove is watched without edges; made an input, it has them.
func TestConfigureOutputThatIsWatched(t *testing.T) {
	k := bench()
	b := simtest.Open(t, Driver(), k, false)
	w := b.Watch("Watch", `{"lines":["LAMP"]}`)
	expect(t, w, `{"line":"LAMP","value":1}`)
	b.Expect("Configure", `{"line":"LAMP","direction":"input"}`, `{}`)
	w.Events()
	k.Pull("LAMP", 0)
	expect(t, w, `{"line":"LAMP","value":0,"edge":"falling"}`)
}
