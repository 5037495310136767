package policy

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/service/config"
	"github.com/halberd-io/halberd/service/config/configtest"
)

// accounts is a root folder with users and groups.
func accounts(t testing.TB) config.Options {
	t.Helper()
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"passwd": "kiosk:x:900:900::/:\n", "group": "leds:x:300:\n"} {
		if err := os.WriteFile(filepath.Join(root, "etc", name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return config.Options{Root: root, TrustCaller: true}
}

// clock is a clock that tests turn.
type clock struct{ ns int64 }

func (c *clock) now() int64 { return c.ns }

// compile makes a policy of a text, with a clock of the test's own.
func compile(t testing.TB, cat *hal.Catalog, text string) (*Policy, *clock) {
	t.Helper()
	files, err := config.ParsePolicy(accounts(t), cat, "f.toml", text)
	if err != nil {
		t.Fatal(err)
	}
	p, c := Compile(files, cat, 1, nil), &clock{}
	p.buckets.now = c.now
	return p, c
}

// answer puts a decision into one word: the grant, "open", "denied GRANT DEVICE" or "wait MSEC".
func answer(grant string, err error) string {
	switch err := err.(type) {
	case nil:
		if grant == "" {
			return "open"
		}
		return grant
	case *hal.PermissionDenied:
		return strings.TrimSpace("denied " + err.Grant.Value + " " + err.Device.Value)
	case *hal.RateLimited:
		return fmt.Sprintf("wait %d", err.RetryAfterMSec)
	}
	return err.Error()
}

func TestDecide(t *testing.T) {
	const head = "[[grant]]\nid = \"a\"\nusers = [1000]\n"
	const (
		ledSet = head + "methods = [\"io.halberd.Led.Set\"]\n"
		front  = `{"led":"front","brightness":5}`
		back   = `{"led":"back","brightness":5}`
	)
	i2c := func(where string) string {
		return head + "methods = [\"io.halberd.I2c.*\"]\ndevices = [\"*\"]\nwhere = { " + where + " }"
	}
	transfer := func(rest string) string { return `{"bus":"eeprom","data":"","tags":[],` + rest + `}` }
	tests := []struct{ name, policy, method, parameters, want string }{
		{"no grants", "", "Led.Set", front, "denied"},
		{"another method", ledSet + `devices = ["*"]`, "Led.Get", `{"led":"front"}`, "denied"},
		{"the method", ledSet + `devices = ["*"]`, "Led.Set", front, "a"},
		{"the interface", head + "methods = [\"io.halberd.Led.*\"]\ndevices = [\"*\"]", "Led.Set", front, "a"},
		{"another interface", head + "methods = [\"io.halberd.Gpio.*\"]\ndevices = [\"*\"]", "Led.Set", front, "denied"},
		{"everything", head + "methods = [\"io.halberd.*\"]\ndevices = [\"*\"]", "Led.Set", front, "a"},
		{"everything, without a device", head + "methods = [\"io.halberd.*\"]\ndevices = [\"*\"]", "Policy.Reload", `{}`, "a"},
		{"the verb", head + "verbs = [\"observe\", \"control\"]\ndevices = [\"*\"]", "Led.Set", front, "a"},
		{"another verb", head + "verbs = [\"observe\"]\ndevices = [\"*\"]", "Led.Set", front, "denied"},
		{"method and verb", ledSet + "verbs = [\"control\"]\ndevices = [\"*\"]", "Led.Set", front, "a"},
		{"method and another verb", ledSet + "verbs = [\"hazard\"]\ndevices = [\"*\"]", "Led.Set", front, "denied"},

		{"the device", ledSet + `devices = ["front"]`, "Led.Set", front, "a"},
		{"another device", ledSet + `devices = ["front"]`, "Led.Set", back, "denied a back"},
		{"part of a device", ledSet + `devices = ["fron"]`, "Led.Set", front, "denied a front"},
		{"a device that is not there", ledSet + `devices = ["gone"]`, "Led.Set", `{"led":"gone","brightness":5}`, "a"},
		{"a prefix", ledSet + `devices = ["fr*"]`, "Led.Set", front, "a"},
		{"the whole as a prefix", ledSet + `devices = ["front*"]`, "Led.Set", front, "a"},
		{"a longer prefix", ledSet + `devices = ["front-*"]`, "Led.Set", front, "denied a front"},
		{"another prefix", ledSet + `devices = ["panel-*"]`, "Led.Set", front, "denied a front"},
		{"several prefixes", ledSet + `devices = ["panel-*", "x*", "fro*"]`, "Led.Set", front, "a"},
		{"class and ID", ledSet + `devices = ["Led/front"]`, "Led.Set", front, "a"},
		{"another class", ledSet + `devices = ["Gpio/front"]`, "Led.Set", front, "denied a front"},
		{"all of a class", ledSet + `devices = ["Led/*"]`, "Led.Set", front, "a"},
		{"all of another class", ledSet + `devices = ["Gpio/*"]`, "Led.Set", front, "denied a front"},
		{"an ID with a slash", head + "methods = [\"io.halberd.Gpio.Reset\"]\ndevices = [\"chip/4\"]", "Gpio.Reset", `{"line":"chip/4"}`, "a"},
		{"a prefix with a slash", head + "methods = [\"io.halberd.Gpio.Reset\"]\ndevices = [\"Gpio/chip/*\"]", "Gpio.Reset", `{"line":"chip/4"}`, "a"},
		{"an ID in every class", head + "methods = [\"io.halberd.*\"]\ndevices = [\"front\"]", "Gpio.Reset", `{"line":"front"}`, "a"},

		{"without a device", head + "methods = [\"io.halberd.Led.Count\"]", "Led.Count", `{}`, "a"},
		{"without a device, all devices", head + "methods = [\"io.halberd.Led.Count\"]\ndevices = [\"*\"]", "Led.Count", `{}`, "a"},
		{"without a device, some devices", head + "methods = [\"io.halberd.Led.*\"]\ndevices = [\"front\"]", "Led.Count", `{}`, "denied a"},
		{"without a device, all of a class", head + "methods = [\"io.halberd.Led.*\"]\ndevices = [\"Led/*\"]", "Led.Count", `{}`, "denied a"},

		{"the board's names: class and ID", head + "methods = [\"io.halberd.Board.Safe\"]\ndevices = [\"Led/front\"]", "Board.Safe", `{"device":"Led/front"}`, "a"},
		{"the board's names: all of a class", head + "methods = [\"io.halberd.Board.Safe\"]\ndevices = [\"Gpio/*\"]", "Board.Safe", `{"device":"Gpio/chip/4"}`, "a"},
		{"the board's names: another class", head + "methods = [\"io.halberd.Board.Safe\"]\ndevices = [\"Gpio/*\"]", "Board.Safe", `{"device":"Led/front"}`, "denied a Led/front"},
		{"the board's names: an ID alone", head + "methods = [\"io.halberd.Board.Safe\"]\ndevices = [\"front\"]", "Board.Safe", `{"device":"Led/front"}`, "denied a Led/front"},
		{"the board's names: all", head + "methods = [\"io.halberd.Board.Safe\"]\ndevices = [\"*\"]", "Board.Safe", `{"device":"Led/front"}`, "a"},

		{"several devices", head + "methods = [\"io.halberd.Gpio.Get\"]\ndevices = [\"relay-pump\", \"chip/*\"]", "Gpio.Get", `{"lines":["relay-pump","chip/4","chip/5"]}`, "a"},
		{"several devices, one denied", head + "methods = [\"io.halberd.Gpio.Get\"]\ndevices = [\"relay-pump\", \"chip/*\"]", "Gpio.Get", `{"lines":["relay-pump","relay-fan","chip/4"]}`, "denied a relay-fan"},
		{"several devices by several grants", head + "methods = [\"io.halberd.Gpio.Get\"]\ndevices = [\"relay-pump\"]\n" +
			"[[grant]]\nid = \"b\"\nusers = [1000]\nmethods = [\"io.halberd.Gpio.*\"]\ndevices = [\"chip/*\"]", "Gpio.Get", `{"lines":["chip/4","relay-pump"]}`, "b"},

		{"at most", ledSet + "devices = [\"*\"]\nwhere.brightness.max = 5", "Led.Set", front, "a"},
		{"more than at most", ledSet + "devices = [\"*\"]\nwhere.brightness.max = 4", "Led.Set", front, "denied a front"},
		{"at least", ledSet + "devices = [\"*\"]\nwhere.brightness.min = 5", "Led.Set", front, "a"},
		{"less than at least", ledSet + "devices = [\"*\"]\nwhere.brightness.min = 6", "Led.Set", front, "denied a front"},
		{"one of", ledSet + "devices = [\"*\"]\nwhere.brightness.in = [4, 5]", "Led.Set", front, "a"},
		{"none of", ledSet + "devices = [\"*\"]\nwhere.brightness.in = [4, 6]", "Led.Set", front, "denied a front"},
		{"one of, and more than at most", ledSet + "devices = [\"*\"]\nwhere.brightness = { in = [5], max = 4 }", "Led.Set", front, "denied a front"},
		{"a method without the parameter", head + "methods = [\"io.halberd.Led.*\"]\ndevices = [\"*\"]\nwhere.brightness.max = 5", "Led.Get", `{"led":"front"}`, "denied"},
		{"a parameter that is left out", ledSet + "devices = [\"*\"]\nwhere.rampMSec.max = 5", "Led.Set", front, "denied a front"},
		{"a parameter that is null", ledSet + "devices = [\"*\"]\nwhere.rampMSec.max = 5", "Led.Set", `{"led":"front","brightness":5,"rampMSec":null}`, "denied a front"},
		{"two parameters", ledSet + "devices = [\"*\"]\nwhere = { brightness = { max = 5 }, rampMSec = { min = 1 } }", "Led.Set", `{"led":"front","brightness":5,"rampMSec":1}`, "a"},
		{"two parameters, one outside", ledSet + "devices = [\"*\"]\nwhere = { brightness = { max = 5 }, rampMSec = { min = 1 } }", "Led.Set", `{"led":"front","brightness":5,"rampMSec":0}`, "denied a front"},
		{"a word", ledSet + "devices = [\"*\"]\nwhere.mode.in = [\"once\"]", "Led.Set", `{"led":"front","brightness":5,"mode":"once"}`, "a"},
		{"another word", ledSet + "devices = [\"*\"]\nwhere.mode.in = [\"once\"]", "Led.Set", `{"led":"front","brightness":5,"mode":"repeat"}`, "denied a front"},
		{"true", ledSet + "devices = [\"*\"]\nwhere.steady.in = [true]", "Led.Set", `{"led":"front","brightness":5,"steady":true}`, "a"},
		{"false", ledSet + "devices = [\"*\"]\nwhere.steady.in = [true]", "Led.Set", `{"led":"front","brightness":5,"steady":false}`, "denied a front"},
		{"the device as a parameter", ledSet + "devices = [\"*\"]\nwhere.led.in = [\"front\"]", "Led.Set", back, "denied a back"},

		{"every value of a map", head + "methods = [\"io.halberd.Gpio.Set\"]\ndevices = [\"*\"]\nwhere.values.max = 0", "Gpio.Set", `{"lines":["chip/4"],"values":{"a":0,"b":0}}`, "a"},
		{"one value of a map", head + "methods = [\"io.halberd.Gpio.Set\"]\ndevices = [\"*\"]\nwhere.values.max = 0", "Gpio.Set", `{"lines":["chip/4"],"values":{"a":0,"b":1,"c":0}}`, "denied a chip/4"},
		{"no value of a map", head + "methods = [\"io.halberd.Gpio.Set\"]\ndevices = [\"*\"]\nwhere.values.max = 0", "Gpio.Set", `{"lines":["chip/4"],"values":{}}`, "a"},
		{"every device", head + "methods = [\"io.halberd.Gpio.Get\"]\ndevices = [\"*\"]\nwhere.lines.in = [\"chip/4\"]", "Gpio.Get", `{"lines":["chip/4","chip/5"]}`, "denied a chip/4"},
		{"every element", i2c(`tags.in = ["a", "b"]`), "I2c.Transfer", `{"bus":"eeprom","data":"","tags":["a","b"],"messages":[]}`, "a"},
		{"one element", i2c(`tags.in = ["a", "b"]`), "I2c.Transfer", `{"bus":"eeprom","data":"","tags":["a","c","b"],"messages":[]}`, "denied a eeprom"},
		{"an array that may be left out", i2c(`codes.max = 5`), "I2c.Transfer", transfer(`"messages":[],"codes":[4,5]`), "a"},
		{"an array that is left out", i2c(`codes.max = 5`), "I2c.Transfer", transfer(`"messages":[]`), "denied a eeprom"},
		{"an array that is empty and may be left out", i2c(`codes.max = 5`), "I2c.Transfer", transfer(`"messages":[],"codes":[]`), "denied a eeprom"},
		{"nested", i2c(`messages.address.in = [80]`), "I2c.Transfer", transfer(`"messages":[{"address":80},{"address":80}]`), "a"},
		{"nested, one outside", i2c(`messages.address.in = [80]`), "I2c.Transfer", transfer(`"messages":[{"address":80},{"address":81}]`), "denied a eeprom"},
		{"nested, no element", i2c(`messages.address.in = [80]`), "I2c.Transfer", transfer(`"messages":[]`), "a"},
		{"nested, quoted", i2c(`"messages.address" = { max = 80 }`), "I2c.Transfer", transfer(`"messages":[{"address":80}]`), "a"},
		{"nested, may be left out", i2c(`messages.length.max = 4`), "I2c.Transfer", transfer(`"messages":[{"address":80,"length":4},{"address":80,"length":3}]`), "a"},
		{"nested, left out of one", i2c(`messages.length.max = 4`), "I2c.Transfer", transfer(`"messages":[{"address":80,"length":4},{"address":80}]`), "denied a eeprom"},
		{"nested, left out of all", i2c(`messages.length.max = 4`), "I2c.Transfer", transfer(`"messages":[{"address":80}]`), "denied a eeprom"},
		{"bytes", i2c(`data.length.max = 3`), "I2c.Transfer", `{"bus":"eeprom","tags":[],"messages":[],"data":"AAEC"}`, "a"},
		{"too many bytes", i2c(`data.length.max = 2`), "I2c.Transfer", `{"bus":"eeprom","tags":[],"messages":[],"data":"AAEC"}`, "denied a eeprom"},
		{"bytes in every element", i2c(`messages.write.length = { in = [1, 2] }`), "I2c.Transfer", transfer(`"messages":[{"address":80,"write":"AA=="},{"address":80,"write":"AAE="}]`), "a"},
		{"too many bytes in one element", i2c(`messages.write.length.max = 1`), "I2c.Transfer", transfer(`"messages":[{"address":80,"write":"AA=="},{"address":80,"write":"AAE="}]`), "denied a eeprom"},
		{"no bytes in one element", i2c(`messages.write.length.max = 1`), "I2c.Transfer", transfer(`"messages":[{"address":80,"write":""},{"address":80}]`), "denied a eeprom"},
		{"nested, may be left out, no element", i2c(`messages.length.max = 4`), "I2c.Transfer", transfer(`"messages":[]`), "a"},

		{"the second of two limits", ledSet + "devices = [\"*\"]\nwhere.brightness.max = 4\n[[grant]]\nid = \"b\"\nusers = [1000]\nverbs = [\"control\"]\ndevices = [\"front\"]\nwhere.brightness.max = 6", "Led.Set", front, "b"},
		{"the first of two that are equal", ledSet + "devices = [\"*\"]\nwhere.brightness.max = 6\n[[grant]]\nid = \"b\"\nusers = [1000]\nverbs = [\"control\"]\ndevices = [\"*\"]\nwhere.brightness.max = 6", "Led.Set", front, "a"},
		{"the first of two without a limit", ledSet + "devices = [\"front\"]\n[[grant]]\nid = \"b\"\nusers = [1000]\nverbs = [\"control\"]\ndevices = [\"front\"]", "Led.Set", front, "a"},
		{"limits that differ only far behind", ledSet + "devices = [\"*\"]\nwhere.brightness.in = [91,92,93,94,95,96,97,98,4]\n[[grant]]\nid = \"b\"\nusers = [1000]\nverbs = [\"control\"]\ndevices = [\"*\"]\nwhere.brightness.in = [91,92,93,94,95,96,97,98,5]", "Led.Set", front, "b"},
		{"without a limit before with one", ledSet + "devices = [\"front\"]\nwhere.brightness.max = 6\n[[grant]]\nid = \"b\"\nusers = [1000]\nverbs = [\"control\"]\ndevices = [\"*\"]", "Led.Set", front, "b"},
		{"without a rate before with one", ledSet + "devices = [\"front\"]\nrate = \"1/s\"\n[[grant]]\nid = \"b\"\nusers = [1000]\nverbs = [\"control\"]\ndevices = [\"*\"]\nwhere.brightness.max = 6", "Led.Set", front, "b"},
		{"of somebody else", strings.Replace(ledSet, "1000", "1001", 1) + `devices = ["*"]`, "Led.Set", front, "denied"},

		{"open: varlink", "", "org.varlink.service.GetInfo", `{}`, "open"},
		{"open: oneself", "", "Policy.WhoAmI", `{}`, "open"},
		{"open: a list", "", "Board.List", `{}`, "open"},
		{"open: a device", "", "Board.Describe", `{"device":"Led/front"}`, "open"},
		{"open, and granted with a limit", head + "methods = [\"io.halberd.Board.*\"]\ndevices = [\"Gpio/*\"]\nrate = \"1/h\"", "Board.Describe", `{"device":"Led/front"}`, "open"},
		{"not open", "", "Policy.Reload", `{}`, "denied"},
	}
	cat := configtest.Catalog()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, _ := compile(t, cat, tt.policy)
			s := p.Snapshot(Identity{UID: 1000, GID: 1000})
			call := configtest.Call(cat, full(tt.method), tt.parameters)
			defer call.Release()
			verdict := s.Check(call)
			explained := p.Explain(Identity{UID: 1000, GID: 1000}, call.Method, call)
			grant, err := s.Decide(call)
			if got := answer(grant, err); got != tt.want {
				t.Errorf("got %s (%v), want %s", got, err, tt.want)
			}
			if verdict.Allowed != (err == nil) || verdict.Grant != grantOf(grant, err) || verdict.Reason == "" {
				t.Errorf("Check: got %+v", verdict)
			}
			if explained.Allowed != (err == nil) || err == nil && explained.Grant != grant || explained.Reason == "" {
				t.Errorf("Explain: got %+v", explained)
			}
			if !s.Covers(call.Method) && tt.want != "denied" {
				t.Errorf("the method is not covered")
			}
			if again := s.Permit(call); (again == nil) != (err == nil) {
				t.Errorf("Permit: got %v", again)
			}
		})
	}
}

// grantOf is the grant that a decision names.
func grantOf(grant string, err error) string {
	if denied, ok := err.(*hal.PermissionDenied); ok {
		return denied.Grant.Value
	}
	return grant
}

func full(method string) string {
	if strings.HasPrefix(method, "org.") {
		return method
	}
	return "io.halberd." + method
}

func TestCachesAreBounded(t *testing.T) {
	cat := configtest.Catalog()
	p, _ := compile(t, cat, "[[grant]]\nid = \"a\"\nusers = [\"0-60000\"]\nverbs = [\"administer\"]\n[[grant]]\nid = \"b\"\nusers = [5]\nverbs = [\"administer\"]")
	first := p.Snapshot(Identity{UID: 0})
	for uid := range uint32(3 * maxCached) {
		s := p.Snapshot(Identity{UID: uid})
		if uid != 5 && s.view != first.view {
			t.Fatalf("uid %d has a view of its own", uid)
		}
	}
	if len(p.snapshots) != maxCached || len(p.views) != 2 {
		t.Errorf("%d snapshots and %d views are kept, want %d and 2", len(p.snapshots), len(p.views), maxCached)
	}
	if p.Snapshot(Identity{UID: 3 * maxCached}); len(p.snapshots) != 1 {
		t.Errorf("after one more than fit, %d are kept", len(p.snapshots))
	}
	many := ""
	for i := range maxCached + 10 {
		many += fmt.Sprintf("[[grant]]\nid = \"g%d\"\nusers = [%d]\nverbs = [\"administer\"]\n", i, i)
	}
	p, _ = compile(t, cat, many)
	for uid := range uint32(maxCached + 10) {
		p.Snapshot(Identity{UID: uid})
	}
	if len(p.views) != 10 {
		t.Errorf("after 10 more than fit, %d views are kept", len(p.views))
	}
}

// A method of another catalog is none of the policy's.
func TestForeignMethod(t *testing.T) {
	cat, other := configtest.Catalog(), configtest.Catalog()
	p, _ := compile(t, cat, "[[grant]]\nid = \"a\"\nusers = [1]\nmethods = [\"io.halberd.*\"]\ndevices = [\"*\"]")
	s := p.Snapshot(Identity{UID: 1})
	if err := s.Permit(configtest.Call(other, "io.halberd.Policy.Reload", `{}`)); answer("", err) != "denied" {
		t.Errorf("got %v", err)
	}
	if err := s.Permit(configtest.Call(other, "io.halberd.Policy.WhoAmI", `{}`)); err != nil {
		t.Errorf("an open method: got %v", err)
	}
}

func TestMayTouch(t *testing.T) {
	cat := configtest.Catalog()
	for _, tt := range []struct {
		grant string
		want  string
	}{
		{"methods = [\"io.halberd.Led.Get\"]\ndevices = [\"front\", \"panel-*\"]", "Led/front Led/panel-1 Led/panel-2"},
		{"methods = [\"io.halberd.Led.Set\"]\ndevices = [\"Led/front\", \"Gpio/*\"]\nwhere.brightness.max = 1\nrate = \"1/h\"", "Led/front"},
		{"methods = [\"io.halberd.Led.Count\"]", ""},
		{"methods = [\"io.halberd.Led.Count\"]\ndevices = [\"*\"]", ""},
		{"methods = [\"io.halberd.Board.Safe\"]\ndevices = [\"Gpio/chip/*\", \"Led/back\"]", "Led/back Gpio/chip/4 Gpio/chip/5"},
		{"methods = [\"io.halberd.Board.List\", \"io.halberd.Board.Describe\"]\ndevices = [\"*\"]", ""},
		{"verbs = [\"hazard\"]\ndevices = [\"eeprom\"]", "I2c/eeprom"},
		{"methods = [\"io.halberd.*\"]\ndevices = [\"*\"]", "Led/front Led/panel-1 Led/panel-2 Led/back Gpio/relay-pump Gpio/relay-fan Gpio/chip/4 Gpio/chip/5 I2c/eeprom"},
	} {
		p, _ := compile(t, cat, "[[grant]]\nid = \"a\"\nusers = [1]\n"+tt.grant)
		var got []string
		for _, class := range []string{"Led", "Gpio", "I2c"} {
			for _, id := range configtest.Devices(class) {
				if p.Snapshot(Identity{UID: 1}).MayTouch(class, id) {
					got = append(got, class+"/"+id)
				}
				if p.Snapshot(Identity{UID: 2}).MayTouch(class, id) {
					t.Errorf("%s: somebody else may touch %s", tt.grant, id)
				}
			}
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s: got %v, want %s", tt.grant, got, tt.want)
		}
	}
}

func TestGrants(t *testing.T) {
	cat := configtest.Catalog()
	p, _ := compile(t, cat, `
[[grant]]
id = "b"
users = [1]
methods = ["io.halberd.Led.*"]
verbs = ["control", "observe"]
devices = ["front", "Led/p*", "*"]
where = { brightness = { max = 5 }, mode.in = ["once"] }
rate = "5/min"
burst = 7
[[grant]]
id = "a"
groups = [1]
verbs = ["administer"]
[[grant]]
id = "c"
users = [2]
verbs = ["administer"]
`)
	for _, c := range []struct {
		name string
		id   Identity
		want bool
	}{{"a user", Identity{UID: 2, GID: 9}, true}, {"a group", Identity{UID: 9, GID: 1}, true}, {"neither", Identity{UID: 9, GID: 9}, false}} {
		if got := p.Snapshot(c.id).IsNamed(); got != c.want {
			t.Errorf("%s is named: %t", c.name, got)
		}
	}
	got := fmt.Sprintf("%+v", p.Snapshot(Identity{UID: 1, GID: 1}).Grants())
	want := `[{ID:b Methods:[io.halberd.Led.*] Verbs:[control observe] Devices:[front Led/p* *] Where:[brightness at most 5 mode "once"] Rate:5/min Burst:7} ` +
		`{ID:a Methods:[] Verbs:[administer] Devices:[] Where:[] Rate: Burst:0}]`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestDeniedMethod(t *testing.T) {
	cat := configtest.Catalog()
	p, _ := compile(t, cat, "[[grant]]\nid = \"secret\"\nusers = [1]\nverbs = [\"administer\"]")
	denied := p.DeniedMethod(p.Snapshot(Identity{UID: 1000}), cat.Method([]byte("io.halberd.Gpio.Set")))
	if want := (hal.PermissionDenied{Reason: "no grant of uid 1000 covers io.halberd.Gpio.Set"}); *denied != want {
		t.Errorf("got %+v", denied)
	}
}

// What a caller is told speaks only of grants that are for the caller.
func TestReasonsOfOthers(t *testing.T) {
	cat := configtest.Catalog()
	p, _ := compile(t, cat, "[[grant]]\nid = \"secret\"\nusers = [1]\nmethods = [\"io.halberd.Led.Set\"]\ndevices = [\"*\"]\n"+
		"[[grant]]\nid = \"own\"\nusers = [2]\nmethods = [\"io.halberd.Led.Set\"]\ndevices = [\"back\"]")
	call := configtest.Call(cat, "io.halberd.Led.Set", `{"led":"front","brightness":1}`)
	for uid, want := range map[uint32]string{
		2: "permission denied: grant own: it covers io.halberd.Led.Set, and not the device front",
		3: "permission denied: no grant of uid 3 covers io.halberd.Led.Set",
	} {
		if err := p.Snapshot(Identity{UID: uid}).Permit(call); err == nil || err.Error() != want {
			t.Errorf("uid %d: got %v, want %s", uid, err, want)
		}
	}
}

func TestOpenListIsReviewed(t *testing.T) {
	want := "io.halberd.Policy.WhoAmI io.halberd.Policy.Check io.halberd.Policy.Grants io.halberd.Board.List io.halberd.Board.Describe io.halberd.Board.Holders"
	if got := strings.Join(openMethods[:], " "); got != want {
		t.Errorf("open to everybody: %s", got)
	}
	var open []string
	for _, m := range configtest.Catalog().Methods() {
		if IsOpen(m) {
			open = append(open, m.FullName())
		}
	}
	if got, want := strings.Join(open, " "), "org.varlink.service.GetInfo io.halberd.Board.List io.halberd.Board.Describe io.halberd.Policy.WhoAmI"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
