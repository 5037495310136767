package policy

import (
	"strings"
	"testing"

	"github.com/halberd-io/halberd/service/config"
	"github.com/halberd-io/halberd/service/config/configtest"
)

const expectedPolicy = `[[grant]]
id      = "dim"
users   = ["kiosk"]
methods = ["io.halberd.Led.Set"]
devices = ["front"]
where   = { brightness = { max = 128 } }
rate    = "1/h"
burst   = 1

[[grant]]
id      = "lines"
groups  = ["leds"]
methods = ["io.halberd.Gpio.Get"]
devices = ["relay-pump", "chip/4"]

[[grant]]
id      = "unit"
units   = ["a.service"]
methods = ["io.halberd.Led.Count"]
`

// TestMisses: an expectation that holds is none, and one that does not says what the policy says, and why.
func TestMisses(t *testing.T) {
	const dim = `method = "io.halberd.Led.Set"` + "\nparameters = { led = \"front\", brightness = %s }\n"
	with := func(brightness string) string { return strings.Replace(dim, "%s", brightness, 1) }
	const count, get = "method = \"io.halberd.Led.Count\"\n", "method = \"io.halberd.Gpio.Get\"\nparameters.lines = [\"relay-pump\", \"chip/4\"]\n"
	for _, tt := range []struct{ name, text, want string }{
		{"permitted", "user = \"kiosk\"\n" + with("128") + "allowed = true", ""},
		{"permitted, by the grant", "user = \"kiosk\"\n" + with("128") + "allowed = true\ngrant = \"dim\"", ""},
		{"permitted again, since nothing takes a token", "user = \"kiosk\"\n" + with("1") + "allowed = true", ""},
		{"denied for the value", "user = \"kiosk\"\n" + with("129") + "allowed = false", ""},
		{"denied for the caller", "uid = 1\n" + with("1") + "allowed = false", ""},
		{"by another grant", "name = \"the kiosk dims\"\nuser = \"kiosk\"\n" + with("1") + "allowed = true\ngrant = \"bright\"",
			"e.toml:1: the kiosk dims: io.halberd.Led.Set is to be permitted by grant bright, and the policy permits it: grant dim covers the call (f.toml:1)"},
		{"too much is permitted", "user = \"kiosk\"\n" + with("1") + "allowed = false",
			"e.toml:1: io.halberd.Led.Set is to be denied, and the policy permits it: grant dim covers the call (f.toml:1)"},
		{"too little is permitted", "user = \"kiosk\"\n" + with("200") + "allowed = true",
			"e.toml:1: io.halberd.Led.Set is to be permitted, and the policy denies it: grant dim: brightness is 200, the grant allows at most 128 (f.toml:1)"},
		{"another caller's grant came nearest", "uid = 1\n" + with("1") + "allowed = true\ngrant = \"dim\"",
			"e.toml:1: io.halberd.Led.Set is to be permitted by grant dim, and the policy denies it: grant dim: it is for users kiosk, and the caller is uid 1 (f.toml:1)"},
		{"several devices, by a group", "uid = 1\ngroups = [\"leds\"]\n" + get + "allowed = true\ngrant = \"lines\"", ""},
		{"several devices, one denied", "uid = 1\ngroups = [\"leds\"]\nmethod = \"io.halberd.Gpio.Get\"\nparameters.lines = [\"relay-pump\", \"chip/5\"]\nallowed = true",
			"e.toml:1: io.halberd.Gpio.Get is to be permitted, and the policy denies it: grant lines: it is for devices relay-pump, chip/4, and not for chip/5 (f.toml:10)"},
		{"a supplementary group of a datagram", "uid = 1\ngroups = [\"leds\"]\ntransport = \"dgram\"\n" + get + "allowed = false", ""},
		{"a unit", "uid = 61500\nunit = \"a.service\"\n" + count + "parameters = {}\nallowed = true\ngrant = \"unit\"", ""},
		{"another unit", "uid = 61500\nunit = \"b.service\"\n" + count + "allowed = false", ""},
		{"the method alone", "user = \"kiosk\"\nmethod = \"io.halberd.Led.Set\"\nallowed = true\ngrant = \"dim\"", ""},
		{"the method alone, denied", "user = \"kiosk\"\nmethod = \"io.halberd.Gpio.Reset\"\nallowed = true",
			"e.toml:1: io.halberd.Gpio.Reset is to be permitted, and the policy denies it: grant dim: it is for methods io.halberd.Led.Set, and not for io.halberd.Gpio.Reset (f.toml:1)"},
		{"open to all", "uid = 65534\nmethod = \"io.halberd.Policy.WhoAmI\"\nallowed = true", ""},
		{"open to all, by a grant", "uid = 65534\nmethod = \"io.halberd.Policy.WhoAmI\"\nallowed = true\ngrant = \"dim\"",
			"e.toml:1: io.halberd.Policy.WhoAmI is to be permitted by grant dim, and the policy permits it: the method is open to all"},
	} {
		cat := configtest.Catalog()
		p, _ := compile(t, cat, expectedPolicy)
		all, err := config.ParseExpectations(accounts(t), cat, "e.toml", "[[expect]]\n"+tt.text+"\n")
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		got := ""
		for _, miss := range p.Misses(all) {
			got += miss.String()
		}
		if got != tt.want {
			t.Errorf("%s:\n got %q\nwant %q", tt.name, got, tt.want)
		}
	}
}

// TestMissesInOrder: of many expectations each that is not met is listed, and only those.
func TestMissesInOrder(t *testing.T) {
	cat := configtest.Catalog()
	p, _ := compile(t, cat, expectedPolicy)
	text := ""
	for _, allowed := range []string{"true", "false", "true", "false"} {
		text += "[[expect]]\nuid = 900\nmethod = \"io.halberd.Led.Set\"\nparameters = { led = \"front\", brightness = 1 }\nallowed = " + allowed + "\n"
	}
	all, err := config.ParseExpectations(accounts(t), cat, "e.toml", text)
	if err != nil {
		t.Fatal(err)
	}
	misses := p.Misses(all)
	if len(misses) != 2 || misses[0].Line != 6 || misses[1].Line != 16 {
		t.Errorf("got %+v, want those of the lines 6 and 16", misses)
	}
}
