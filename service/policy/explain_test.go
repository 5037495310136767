package policy

import (
	"fmt"
	"strings"
	"testing"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/service/config"
	"github.com/halberd-io/halberd/service/config/configtest"
)

const kiosk = `
[[grant]]
id      = "root"
users   = [0]
methods = ["io.halberd.*"]
devices = ["*"]

[[grant]]
id      = "kiosk-lights"
users   = ["kiosk", 1000, "10000-19999"]
groups  = ["leds"]
units   = ["kiosk.service"]
labels  = ["u:r:kiosk_app:s0"]
methods = ["io.halberd.Led.Set", "io.halberd.Led.Get"]
verbs   = ["control"]
devices = ["front", "panel-*"]
where   = { brightness = { max = 128 } }
rate    = "50/s"
burst   = 1

[[grant]]
id      = "status"
users   = [1000]
methods = ["io.halberd.Led.Count"]
`

func TestExplain(t *testing.T) {
	kioskID := Identity{UID: 1000, GID: 5, Groups: []uint32{300}, Unit: "kiosk.service", Label: "u:r:kiosk_app:s0"}
	with := func(change func(*Identity)) Identity {
		id := kioskID
		change(&id)
		return id
	}
	const front = `{"led":"front","brightness":128}`
	tests := []struct {
		name               string
		id                 Identity
		method, parameters string
		want               string
	}{
		{"permitted", kioskID, "Led.Set", front, "yes kiosk-lights 8: grant kiosk-lights covers the call"},
		{"permitted to root", Identity{}, "Led.Set", front, "yes root 2: grant root covers the call"},
		{"open", Identity{UID: 7}, "Policy.WhoAmI", `{}`, "yes  0: the method is open to all"},
		{"without parameters", kioskID, "Led.Set", "", "yes kiosk-lights 8: grant kiosk-lights covers io.halberd.Led.Set, for devices front, panel-*, where brightness at most 128, at most 50/s with a burst of 1"},
		{"without parameters or conditions", kioskID, "Led.Count", "", "yes status 21: grant status covers io.halberd.Led.Count"},
		{"without parameters, denied", kioskID, "Gpio.Set", "", "no status 21: grant status: it is for methods io.halberd.Led.Count, and not for io.halberd.Gpio.Set"},

		{"another user", with(func(id *Identity) { id.UID = 1001 }), "Led.Set", front,
			"no kiosk-lights 8: grant kiosk-lights: it is for users kiosk, 1000, 10000-19999, and the caller is uid 1001"},
		{"nobody", with(func(id *Identity) { id.UID = 65534 }), "Led.Set", front,
			"no kiosk-lights 8: grant kiosk-lights: uid 65534 is nobody, whom no grant matches"},
		{"another group", with(func(id *Identity) { id.Groups = []uint32{301, 5} }), "Led.Set", front,
			"no kiosk-lights 8: grant kiosk-lights: it is for groups leds, and the caller is in groups 5, 301"},
		{"no group that counts", with(func(id *Identity) { id.GID, id.Groups = 65534, nil }), "Led.Set", front,
			"no kiosk-lights 8: grant kiosk-lights: it is for groups leds, and the caller is in none"},
		{"a datagram's group", with(func(id *Identity) { id.Datagram = true }), "Led.Set", front,
			"no kiosk-lights 8: grant kiosk-lights: it is for groups leds, and the caller is in group 5, the one that counts on datagrams"},
		{"a datagram's unit", with(func(id *Identity) { id.Datagram, id.GID = true, 300 }), "Led.Set", front,
			"no kiosk-lights 8: grant kiosk-lights: it is for units kiosk.service, and the caller is in none that a datagram could show"},
		{"another unit", with(func(id *Identity) { id.Unit = "sshd.service" }), "Led.Set", front,
			"no kiosk-lights 8: grant kiosk-lights: it is for units kiosk.service, and the caller is in sshd.service"},
		{"no unit", with(func(id *Identity) { id.Unit = "" }), "Led.Set", front,
			"no kiosk-lights 8: grant kiosk-lights: it is for units kiosk.service, and the caller is in none"},
		{"another label", with(func(id *Identity) { id.Label = "x" }), "Led.Set", front,
			"no kiosk-lights 8: grant kiosk-lights: it is for labels u:r:kiosk_app:s0, and the caller has x"},
		{"another verb", kioskID, "Led.Get", `{"led":"front"}`,
			"no kiosk-lights 8: grant kiosk-lights: it is for verbs control, and io.halberd.Led.Get is observe"},
		{"another device", kioskID, "Led.Set", `{"led":"back","brightness":1}`,
			"no kiosk-lights 8: grant kiosk-lights: it is for devices front, panel-*, and not for back"},
		{"another value", kioskID, "Led.Set", `{"led":"front","brightness":200}`,
			"no kiosk-lights 8: grant kiosk-lights: brightness is 200, the grant allows at most 128"},
		{"the first thing of several", kioskID, "Led.Set", `{"led":"back","brightness":200}`,
			"no kiosk-lights 8: grant kiosk-lights: it is for devices front, panel-*, and not for back"},
	}
	cat := configtest.Catalog()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, _ := compile(t, cat, kiosk)
			m := cat.Method([]byte(full(tt.method)))
			var v Verdict
			if tt.parameters == "" {
				v = p.Explain(tt.id, m, nil)
			} else {
				v = p.Explain(tt.id, m, configtest.Call(cat, full(tt.method), tt.parameters))
			}
			if got := spell(v); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func spell(v Verdict) string {
	allowed := map[bool]string{true: "yes", false: "no"}[v.Allowed]
	return fmt.Sprintf("%s %s %d: %s", allowed, v.Grant, v.Line, v.Reason)
}

func TestExplainMore(t *testing.T) {
	const head = "[[grant]]\nid = \"a\"\nusers = [1]\n"
	for _, tt := range []struct{ name, policy, method, parameters, want string }{
		{"no grants", "", "Led.Get", "", "no  0: there are no grants"},
		{"devices for a call without", head + "methods = [\"io.halberd.Led.*\"]\ndevices = [\"front\"]", "Led.Count", `{}`,
			"no a 1: grant a: it is for devices front, and the call names none"},
		{"devices for a method without", head + "methods = [\"io.halberd.Led.*\"]\ndevices = [\"front\"]", "Led.Count", "",
			"no a 1: grant a: it is for devices front, and io.halberd.Led.Count takes none"},
		{"no devices for a call with one", head + "verbs = [\"administer\"]", "Led.Get", `{"led":"front"}`,
			"no a 1: grant a: it is for verbs administer, and io.halberd.Led.Get is observe"},
		{"a parameter of another method", head + "methods = [\"io.halberd.Led.*\"]\ndevices = [\"*\"]\nwhere.brightness.max = 5", "Led.Get", `{"led":"front"}`,
			"no a 1: grant a: it limits brightness, which io.halberd.Led.Get does not have"},
		{"a parameter left out", head + "methods = [\"io.halberd.Led.*\"]\ndevices = [\"*\"]\nwhere.rampMSec = { min = 3, max = 3 }", "Led.Set", `{"led":"front","brightness":1}`,
			"no a 1: grant a: rampMSec is left out, the grant allows 3"},
		{"many devices", head + "methods = [\"io.halberd.Led.Get\"]\ndevices = [\"a\",\"b\",\"c\",\"d\",\"e\",\"f\",\"g\",\"h\",\"i\"]", "Led.Get", `{"led":"front"}`,
			"no a 1: grant a: it is for devices a, b, c, d, e, f, g, h, …, and not for front"},
		{"as many devices as are listed", head + "methods = [\"io.halberd.Led.Get\"]\ndevices = [\"a\",\"b\",\"c\",\"d\",\"e\",\"f\",\"g\",\"h\"]", "Led.Get", `{"led":"front"}`,
			"no a 1: grant a: it is for devices a, b, c, d, e, f, g, h, and not for front"},
		{"the first of equals", head + "methods = [\"io.halberd.Led.Get\"]\ndevices = [\"a\"]\n[[grant]]\nid = \"b\"\nusers = [1]\nmethods = [\"io.halberd.Led.Get\"]\ndevices = [\"b\"]", "Led.Get", `{"led":"front"}`,
			"no a 1: grant a: it is for devices a, and not for front"},
		{"a long value", head + "methods = [\"io.halberd.I2c.*\"]\ndevices = [\"*\"]\nwhere.note.in = [\"a\", \"b\"]", "I2c.Transfer",
			`{"bus":"eeprom","messages":[],"tags":[],"data":"","note":"` + strings.Repeat("x", 100) + `"}`,
			`no a 1: grant a: note is "` + strings.Repeat("x", 64) + `"…, the grant allows one of "a", "b"`},
		{"the narrowest of equals", head + "methods = [\"io.halberd.*\"]\ndevices = [\"*\"]\n[[grant]]\nid = \"b\"\nusers = [3]\nmethods = [\"io.halberd.Led.Get\"]\ndevices = [\"front\"]", "Led.Get", `{"led":"front"}`,
			"no b 6: grant b: it is for users 3, and the caller is uid 2"},
		{"without a call, the grant that asks less: a limit, and no rate", head + "methods = [\"io.halberd.Led.Set\"]\ndevices = [\"*\"]\nrate = \"1/s\"\n" +
			"[[grant]]\nid = \"b\"\nusers = [1]\nmethods = [\"io.halberd.Led.Set\"]\ndevices = [\"*\"]\nwhere.brightness.max = 5", "Led.Set", "",
			"yes b 7: grant b covers io.halberd.Led.Set, for devices *, where brightness at most 5"},
		{"without a call, the grant that asks less: neither limit nor rate", head + "methods = [\"io.halberd.Led.Set\"]\ndevices = [\"*\"]\nwhere.brightness.max = 5\n" +
			"[[grant]]\nid = \"b\"\nusers = [1]\nmethods = [\"io.halberd.Led.Set\"]\ndevices = [\"*\"]", "Led.Set", "",
			"yes b 7: grant b covers io.halberd.Led.Set, for devices *"},
		{"without a call, the first of those that ask as much", head + "methods = [\"io.halberd.Led.Get\"]\ndevices = [\"*\"]\n[[grant]]\nid = \"b\"\nusers = [1]\nmethods = [\"io.halberd.Led.Get\"]\ndevices = [\"*\"]", "Led.Get", "",
			"yes a 1: grant a covers io.halberd.Led.Get, for devices *"},
		{"of grants that ask as much the one that Decide takes", head + "methods = [\"io.halberd.Led.Get\"]\ndevices = [\"*\"]\n" +
			"[[grant]]\nid = \"b\"\nusers = [1]\nmethods = [\"io.halberd.Led.Get\"]\ndevices = [\"front\"]", "Led.Get", `{"led":"front"}`,
			"yes b 6: grant b covers the call"},
		{"the second device, after one that a limit is met for", head + "methods = [\"io.halberd.Gpio.Set\"]\ndevices = [\"relay-*\"]\nwhere.values.max = 5", "Gpio.Set", `{"lines":["relay-pump","chip/4"],"values":{}}`,
			"no a 1: grant a: it is for devices relay-*, and not for chip/4"},
		{"the first device that is not covered", head + "methods = [\"io.halberd.Gpio.Get\"]\ndevices = [\"relay-*\"]", "Gpio.Get", `{"lines":["relay-pump","chip/4","chip/5"]}`,
			"no a 1: grant a: it is for devices relay-*, and not for chip/4"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cat := configtest.Catalog()
			p, _ := compile(t, cat, tt.policy)
			id := Identity{UID: 1}
			if strings.HasPrefix(tt.name, "the narrowest") {
				id.UID = 2
			}
			m := cat.Method([]byte(full(tt.method)))
			var v Verdict
			if tt.parameters == "" {
				v = p.Explain(id, m, nil)
			} else {
				v = p.Explain(id, m, configtest.Call(cat, full(tt.method), tt.parameters))
			}
			if got := spell(v); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// TestNearest: which of two grants is named does not depend on which comes first.
func TestNearest(t *testing.T) {
	cat := configtest.Catalog()
	call := configtest.Call(cat, full("Led.Get"), `{"led":"front"}`)
	id := Identity{UID: 1000, GID: 5, Groups: []uint32{300}, Unit: "kiosk.service", Label: "kiosk"}
	const root = "users = [0]\nmethods = [\"io.halberd.*\"]\ndevices = [\"*\"]"
	const far = "\nmethods = [\"io.halberd.Gpio.Set\"]\ndevices = [\"back\"]"
	for _, c := range []struct{ name, nearer, other string }{
		{"the same user", `users = [1000]` + "\nunits = [\"sshd.service\"]" + far, root},
		{"the same group", `groups = ["leds"]` + "\nusers = [7]" + far, root},
		{"the same unit", `units = ["kiosk.service"]` + "\nusers = [7]" + far, root},
		{"the same label", `labels = ["kiosk"]` + "\nusers = [7]" + far, root},
		{"nothing of the identity, and more of the rest", root, "users = [7]\ngroups = [301]\nunits = [\"sshd.service\"]\nlabels = [\"sshd\"]" + far},
		{"as many conditions: the method before the device", "users = [1000]\nmethods = [\"io.halberd.Led.*\"]\ndevices = [\"back\"]", "users = [1000]\nmethods = [\"io.halberd.Led.Set\"]\ndevices = [\"front\"]"},
		{"for fewer methods", "users = [7]\nmethods = [\"io.halberd.Led.Get\"]\ndevices = [\"fr*\"]", "users = [7]\nmethods = [\"io.halberd.Led.*\"]\ndevices = [\"front\"]"},
		{"for some devices, of more methods", "users = [7]\nmethods = [\"io.halberd.Led.*\"]\ndevices = [\"front\"]", "users = [7]\nmethods = [\"io.halberd.Led.Get\"]\ndevices = [\"*\"]"},
	} {
		nearer, other := "[[grant]]\nid = \"nearer\"\n"+c.nearer+"\n", "[[grant]]\nid = \"other\"\n"+c.other+"\n"
		for _, policy := range []string{nearer + other, other + nearer} {
			p, _ := compile(t, cat, policy)
			if v := p.Explain(id, call.Method, call); v.Allowed || v.Grant != "nearer" {
				t.Errorf("%s: got %+v of\n%s", c.name, v, policy)
			}
		}
	}
}

// A method alone is not out of tokens.
func TestExplainMethodAfterTheLastToken(t *testing.T) {
	cat := configtest.Catalog()
	p, _ := compile(t, cat, "[[grant]]\nid = \"a\"\nusers = [1]\nmethods = [\"io.halberd.Led.Count\"]\nrate = \"1/h\"")
	call := configtest.Call(cat, "io.halberd.Led.Count", `{}`)
	if err := p.Snapshot(Identity{UID: 1}).Permit(call); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		uid  uint32
		want bool
	}{{"out of tokens", 1, true}, {"not permitted", 2, false}} {
		if v := p.Snapshot(Identity{UID: c.uid}).Check(call); v.Allowed || v.Limited != c.want {
			t.Errorf("%s: Check says %+v", c.name, v)
		}
	}
	for _, tt := range []struct {
		name, got, want string
	}{
		{"the method", spell(p.Explain(Identity{UID: 1}, call.Method, nil)), "yes a 1: grant a covers io.halberd.Led.Count, at most 1/h with a burst of 1"},
		{"a call", spell(p.Explain(Identity{UID: 1}, call.Method, call)), "no a 1: grant a: it is out of tokens: it allows 1/h with a burst of 1, again in 3600000 ms"},
		{"a call of somebody else", spell(p.Explain(Identity{UID: 2}, call.Method, call)), "no a 1: grant a: it is for users 1, and the caller is uid 2"},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, tt.got, tt.want)
		}
	}
}

// Refusals name the grant that came nearest, with the values.
func TestRefusals(t *testing.T) {
	cat := configtest.Catalog()
	for _, tt := range []struct{ name, method, parameters, want string }{
		{"a device", "Led.Set", `{"led":"back","brightness":1}`, "grant a: it covers io.halberd.Led.Set, and not the device back"},
		{"no device", "Led.Count", `{}`, "grant a: it covers io.halberd.Led.Count only for devices, and the call names none"},
		{"a value, of the first that covers the device", "Led.Set", `{"led":"front","brightness":200}`, "grant b: brightness is 200, the grant allows at most 128"},
		{"a value of a word", "Led.Set", `{"led":"panel-1","brightness":1,"mode":"repeat"}`, `grant c: mode is "repeat", the grant allows "once"`},
		{"a value left out", "Led.Set", `{"led":"panel-1","brightness":1}`, `grant c: mode is left out, the grant allows "once"`},
	} {
		p, _ := compile(t, cat, `
[[grant]]
id = "a"
users = [1]
methods = ["io.halberd.Led.*"]
devices = ["x"]
[[grant]]
id = "b"
users = [1]
methods = ["io.halberd.Led.*"]
devices = ["fr*"]
where.brightness.max = 128
rate = "1/s"
[[grant]]
id = "c"
users = [1]
methods = ["io.halberd.Led.*"]
devices = ["front", "panel-*"]
where.mode.in = ["once"]
`)
		s := p.Snapshot(Identity{UID: 1})
		call := configtest.Call(cat, full(tt.method), tt.parameters)
		err := s.Permit(call)
		if err == nil || err.Error() != "permission denied: "+tt.want {
			t.Errorf("%s: got %v, want %s", tt.name, err, tt.want)
		}
		if v := s.Check(call); v.Reason != tt.want || v.Line == 0 || v.File != "f.toml" {
			t.Errorf("%s: Check says %+v", tt.name, v)
		}
	}
}

// TestOutside: a denial names the one value that the nearest grant's limits keep out, for the audit. Where that is not all there is to say, it names none.
func TestOutside(t *testing.T) {
	cat := configtest.Catalog()
	const transfer = `{"bus":"eeprom","data":"","tags":[],"messages":[`
	for _, tt := range []struct{ name, where, method, parameters, want string }{
		{"a number", "brightness.max = 128", "Led.Set", `{"led":"front","brightness":200}`, "brightness 200"},
		{"a word", `mode.in = ["once"]`, "Led.Set", `{"led":"front","brightness":2,"mode":"repeat"}`, `mode "repeat"`},
		{"a truth value", "steady.in = [true]", "Led.Set", `{"led":"front","brightness":2,"steady":false}`, "steady false"},
		{"the first of two", "brightness.max = 1\nwhere.rampMSec.max = 1", "Led.Set", `{"led":"front","brightness":2,"rampMSec":3}`, "brightness 2"},
		{"a value that is left out", "rampMSec.max = 1", "Led.Set", `{"led":"front","brightness":2}`, "-"},
		{"the only element of a list", "messages.address.in = [80]", "I2c.Transfer", transfer + `{"address":81}]}`, "messages.address 81"},
		{"one of two elements", "messages.address.in = [80]", "I2c.Transfer", transfer + `{"address":80},{"address":81}]}`, "-"},
		{"another device", "brightness.max = 1", "Led.Set", `{"led":"back","brightness":0}`, "-"},
	} {
		p, _ := compile(t, cat, "[[grant]]\nid = \"a\"\nusers = [1]\nmethods = [\"io.halberd.Led.Set\", \"io.halberd.I2c.Transfer\"]\ndevices = [\"front\", \"eeprom\"]\nwhere."+tt.where+"\n")
		denied, ok := p.Snapshot(Identity{UID: 1}).Permit(configtest.Call(cat, full(tt.method), tt.parameters)).(*hal.PermissionDenied)
		if !ok {
			t.Errorf("%s: the call is not denied", tt.name)
			continue
		}
		got := "-"
		if o := denied.Outside; o != nil {
			got = o.Parameter + " " + config.Quoted(o.Value)
		}
		if got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestReasonsAreShort(t *testing.T) {
	for _, c := range []struct{ name, reason, want string }{
		{"as long as may be", strings.Repeat("x", 1000), strings.Repeat("x", 1000)},
		{"a byte more", strings.Repeat("x", 1001), strings.Repeat("x", 1000) + "…"},
		{"cut between letters", strings.Repeat("ü", 5000), strings.Repeat("ü", 500) + "…"},
		{"cut within a letter", strings.Repeat("x", 999) + "üüü", strings.Repeat("x", 999) + "…"},
	} {
		if got := shorten(c.reason); got != c.want {
			t.Errorf("%s: got %s", c.name, got)
		}
	}
}
