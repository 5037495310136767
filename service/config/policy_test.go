package config

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/service/config/configtest"
)

// image makes a root folder with accounts.
func image(t testing.TB) string {
	t.Helper()
	root := t.TempDir()
	put(t, root, "etc/passwd", "root:x:0:0::/root:/bin/sh\nkiosk:x:900:900::/:\nnobody:x:65534:65534::/:\ndyn:x:61200:61200::/:\nkiosk:x:1:1::/:\nbroken\n:x:5:5::/:\nbad:x:many:1::/:\nlast:x:901:1::/:\n")
	put(t, root, "etc/group", "root:x:0:\nleds:x:300:kiosk\nnogroup:x:65534:\n")
	return root
}

// put writes a file, with modes that are trusted.
func put(t testing.TB, root, name, text string) string {
	t.Helper()
	path := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func testOptions(t testing.TB) Options {
	return Options{Dirs: Default(), Root: image(t), TrustCaller: true}
}

// parsePolicy reads one file called f.toml.
func parsePolicy(t testing.TB, text string) (*PolicyFiles, error) {
	return ParsePolicy(testOptions(t), configtest.Catalog(), "f.toml", text)
}

// messages takes joined errors apart.
func messages(err error) []string {
	if err == nil {
		return nil
	}
	var all []string
	for _, e := range err.(interface{ Unwrap() []error }).Unwrap() {
		all = append(all, e.Error())
	}
	return all
}

const led = "[[grant]]\nid = \"a\"\nusers = [1000]\nmethods = [\"io.halberd.Led.Set\"]\ndevices = [\"*\"]\n"

func TestPolicyRefused(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"no id", "[[grant]]\nusers = [0]\nverbs = [\"administer\"]", "f.toml:1: grant has no id"},
		{"empty id", led[:10] + "id = \"\"\n" + led[19:], "f.toml:2: id must not be empty"},
		{"id is a number", "[[grant]]\nid = 5\nusers = [0]\nverbs = [\"administer\"]", "f.toml:2: id must be a string, not an integer"},
		{"id with a space", "[[grant]]\nid = \"a b\"\nusers = [0]\nverbs = [\"administer\"]", `f.toml:2: id "a b" cannot be used: ' ' cannot stand in a name`},
		{"id twice", led + led, `f.toml:7: id "a" is taken already, at f.toml:2`},
		{"no identity", "[[grant]]\nid = \"a\"\nverbs = [\"administer\"]", "f.toml:1: grant names nobody: give users, groups, units or labels"},
		{"nothing permitted", "[[grant]]\nid = \"a\"\nusers = [0]", "f.toml:1: grant permits nothing: give methods, verbs or both"},
		{"no devices", "[[grant]]\nid = \"a\"\nusers = [0]\nmethods = [\"io.halberd.Led.Set\"]",
			`f.toml:1: grant has no devices, and io.halberd.Led.Set takes one: give devices, or ["*"] for all`},
		{"no devices for verbs", "[[grant]]\nid = \"a\"\nusers = [0]\nverbs = [\"control\"]",
			`f.toml:1: grant has no devices, and io.halberd.Led.Set takes one: give devices, or ["*"] for all`},
		{"no devices for a pattern", "[[grant]]\nid = \"a\"\nusers = [0]\nmethods = [\"io.halberd.Led.*\"]\nverbs = [\"administer\"]",
			`f.toml:1: grant has no devices, and io.halberd.Led.Get takes one: give devices, or ["*"] for all`},

		{"unknown key", led + "user = [1]", `f.toml:6: unknown key "user" (did you mean users?)`},
		{"mis-cased key", led + "Rate = \"5/s\"", `f.toml:6: unknown key "Rate" (did you mean rate?)`},
		{"far key", led + "colour = 1", `f.toml:6: unknown key "colour"`},
		{"unknown table", led + "[other]\na = 1", `f.toml:6: unknown key "other"`},
		{"mis-cased table", "[[Grant]]\nid = \"a\"", `f.toml:1: unknown key "Grant" (did you mean grant?)`},
		{"grant not in an array", "[grant]\nid = \"a\"", "f.toml:1: grant must be written [[grant]]"},
		{"grant an array of numbers", "grant = [\n1]", "f.toml:2: grant must be tables, not an integer"},
		{"grant a number", "grant = 1", "f.toml:1: grant must be written [[grant]]"},

		{"users no array", "[[grant]]\nid = \"a\"\nusers = \"kiosk\"\nverbs = [\"administer\"]", "f.toml:3: users must be an array, not a string"},
		{"users empty", "[[grant]]\nid = \"a\"\nusers = []\nverbs = [\"administer\"]", "f.toml:3: users must not be empty"},
		{"users tables", "[[grant]]\nid = \"a\"\nverbs = [\"administer\"]\n[[grant.users]]\na=1", "f.toml:4: users must be an array of values, not of tables"},
		{"user a number in a string", user(`"1000"`), "f.toml:3: user must be a number, not a string (write 1000 without quotes)"},
		{"user a fraction", user("1.5"), "f.toml:3: user must be a name, a number or a range, not a fraction"},
		{"user a boolean", user("true"), "f.toml:3: user must be a name, a number or a range, not a boolean"},
		{"user a date", user("1979-05-27"), "f.toml:3: user must be a name, a number or a range, not a date"},
		{"user an array", user("[1]"), "f.toml:3: user must be a name, a number or a range, not an array"},
		{"user empty", user(`""`), `f.toml:3: "" is neither the name of a user nor a number nor a range like "10000-19999"`},
		{"user with a colon", user(`"a:b"`), `f.toml:3: "a:b" is neither the name of a user nor a number nor a range like "10000-19999"`},
		{"user with an asterisk", user(`"*"`), `f.toml:3: "*" is neither the name of a user nor a number nor a range like "10000-19999"`},
		{"user with a line end", user(`"a\nb"`), `f.toml:3: "a\nb" is neither the name of a user nor a number nor a range like "10000-19999"`},
		{"user negative", user("-1"), "f.toml:3: user -1 must be from 0 to 4294967294"},
		{"user too large", user("4294967296"), "f.toml:3: user 4294967296 must be from 0 to 4294967294"},
		{"user -1 of 32 bits", user("4294967295"), "f.toml:3: user 4294967295 is no valid number (4294967295)"},
		{"user nobody", user("65534"), "f.toml:3: user 65534 is nobody (65534), which stands for everybody unknown"},
		{"user nobody by name", user(`"nobody"`), `f.toml:3: user "nobody" (65534) is nobody (65534), which stands for everybody unknown`},
		{"user dynamic", user("61184"), "f.toml:3: user 61184 is a dynamic user or group (61184-65519), which changes with every start: name the unit in units"},
		{"user dynamic, the last", user("65519"), "f.toml:3: user 65519 is a dynamic user or group (61184-65519), which changes with every start: name the unit in units"},
		{"user dynamic by name", user(`"dyn"`), `f.toml:3: user "dyn" (61200) is a dynamic user or group (61184-65519), which changes with every start: name the unit in units`},
		{"range over dynamic", user(`"60000-61184"`), "f.toml:3: the range 60000-61184 takes in a dynamic user or group (61184-65519), which changes with every start: name the unit in units"},
		{"range over nobody", user(`"65520-70000"`), "f.toml:3: the range 65520-70000 takes in nobody (65534), which stands for everybody unknown"},
		{"range to the end", user(`"70000-4294967295"`), "f.toml:3: the range 70000-4294967295 takes in no valid number (4294967295)"},
		{"range over the end", user(`"70000-99999999999999999999"`), "f.toml:3: the range 70000-9223372036854775807 must be from 0 to 4294967294"},
		{"range backwards", user(`"9-5"`), "f.toml:3: the range 9-5 ends before it begins"},
		{"group a number in a string", "[[grant]]\nid = \"a\"\ngroups = [\n 5,\n \"7\"]\nverbs = [\"administer\"]", "f.toml:5: group must be a number, not a string (write 7 without quotes)"},
		{"group nogroup", "[[grant]]\nid = \"a\"\ngroups = [\"nogroup\"]\nverbs = [\"administer\"]",
			`f.toml:3: group "nogroup" (65534) is nobody (65534), which stands for everybody unknown`},

		{"unit without its ending", unit("kiosk"), `f.toml:3: unit "kiosk" must end in .service, .scope or .slice`},
		{"unit of another kind", unit("kiosk.socket"), `f.toml:3: unit "kiosk.socket" must end in .service, .scope or .slice`},
		{"unit as a pattern", unit("kiosk*.service"), `f.toml:3: unit "kiosk*.service" must be a whole name`},
		{"unit too long", unit(strings.Repeat("u", 250) + ".service"), `f.toml:3: unit "` + strings.Repeat("u", 250) + `.service" must be a whole name`},
		{"unit of an ending alone that is none", unit("x."), `f.toml:3: unit "x." must end in .service, .scope or .slice`},
		{"label too long", "[[grant]]\nid = \"a\"\nlabels = [\"" + strings.Repeat("l", 1025) + "\"]\nverbs = [\"administer\"]",
			`f.toml:3: label "` + strings.Repeat("l", 64) + `" must have at most 1024 bytes and no control characters`},
		{"unit a number", "[[grant]]\nid = \"a\"\nunits = [5]\nverbs = [\"administer\"]", "f.toml:3: units must be strings, not an integer"},
		{"unit empty", unit(""), "f.toml:3: units must not contain an empty string"},
		{"label with a control character", "[[grant]]\nid = \"a\"\nlabels = [\"a\\u0007\"]\nverbs = [\"administer\"]",
			`f.toml:3: label "a\a" must have at most 1024 bytes and no control characters`},

		{"unknown method", method("io.halberd.Led.Sett"), `f.toml:4: unknown method "io.halberd.Led.Sett" (did you mean io.halberd.Led.Set?)`},
		{"mis-cased method", method("io.halberd.Led.set"), `f.toml:4: unknown method "io.halberd.Led.set" (did you mean io.halberd.Led.Set?)`},
		{"unknown interface", method("io.halberd.Leds.*"), `f.toml:4: unknown interface "io.halberd.Leds" of method "io.halberd.Leds.*" (did you mean io.halberd.Led?)`},
		{"mis-cased interface", method("io.halberd.led.Set"), `f.toml:4: unknown interface "io.halberd.led" of method "io.halberd.led.Set" (did you mean io.halberd.Led?)`},
		{"method without interface", method("Set"), `f.toml:4: unknown interface "" of method "Set"`},
		{"pattern too wide", method("io.*"), `f.toml:4: unknown interface "io" of method "io.*"`},
		{"pattern of everything", method("*"), "f.toml:4: method * is no pattern: write a full name, INTERFACE.* or io.halberd.*"},
		{"pattern at the beginning", method("*.Set"), "f.toml:4: method *.Set is no pattern: write a full name, INTERFACE.* or io.halberd.*"},
		{"pattern in the middle", method("io.*.Set"), "f.toml:4: method io.*.Set is no pattern: write a full name, INTERFACE.* or io.halberd.*"},
		{"pattern in a name", method("io.halberd.Led.S*"), "f.toml:4: method io.halberd.Led.S* is no pattern: write a full name, INTERFACE.* or io.halberd.*"},
		{"unknown varlink method", method("org.varlink.service.Nothing"), `f.toml:4: unknown method "org.varlink.service.Nothing"`},
		{"unknown verb", "[[grant]]\nid = \"a\"\nusers = [0]\nverbs = [\"administer\", \"Observe\"]\ndevices = [\"*\"]", `f.toml:4: unknown verb "Observe" (did you mean observe?)`},
		{"unknown verbs", "[[grant]]\nid = \"a\"\nusers = [0]\nverbs = [\n\"all\",\n\"none\"]\ndevices = [\"*\"]", "f.toml:5: unknown verb \"all\"\nf.toml:6: unknown verb \"none\""},
		{"verbs empty", "[[grant]]\nid = \"a\"\nusers = [0]\nverbs = []\ndevices = [\"*\"]", "f.toml:4: verbs must not be empty"},

		{"devices empty", device(""), "f.toml:5: devices must not be empty"},
		{"device empty", device(`""`), "f.toml:5: devices must not contain an empty string"},
		{"device with * in the middle", device(`"a*b"`), `f.toml:5: device "a*b" has a * that is not at its end`},
		{"device with **", device(`"a**"`), `f.toml:5: device "a**" has a * that is not at its end`},
		{"device with a space", device(`"a b"`), `f.toml:5: device "a b" cannot be a name: ' ' cannot stand in a name`},
		{"device too long", device(`"` + strings.Repeat("x", 129) + `"`), `f.toml:5: device "` + strings.Repeat("x", 129) + `" cannot be a name: a name has 1 to 128 characters`},
		{"device a number", device("5"), "f.toml:5: devices must be strings, not an integer"},
		{"mis-cased class", device(`"led/front"`), `f.toml:5: unknown class "led" of device "led/front" (did you mean Led?)`},
		{"mis-cased class of a number", device(`"gpio/4"`), `f.toml:5: unknown class "gpio" of device "gpio/4" (did you mean Gpio?)`},
		{"mistyped class", device(`"Leds/front"`), `f.toml:5: unknown class "Leds" of device "Leds/front" (did you mean Led?)`},
		{"unknown class", device(`"Rocket/front"`), `f.toml:5: unknown class "Rocket" of device "Rocket/front" (an ID with a slash needs its class in front: Class/Rocket/front)`},
		{"a class without devices", device(`"Policy/front"`), `f.toml:5: unknown class "Policy" of device "Policy/front" (an ID with a slash needs its class in front: Class/Policy/front)`},
		{"the class of Class/ID", device(`"Board/front"`), `f.toml:5: unknown class "Board" of device "Board/front" (an ID with a slash needs its class in front: Class/Board/front)`},
		{"class alone", device(`"Led/"`), `f.toml:5: device "Led/" cannot be a name: a name has 1 to 128 characters`},

		{"where no table", led + "where = 5", "f.toml:6: where must be a table, not an integer"},
		{"where empty", led + "where = {}", "f.toml:6: where must not be empty"},
		{"limit no table", led + "where = { brightness = 5 }", "f.toml:6: brightness must be a table, not an integer"},
		{"limit empty", led + "where = { brightness = {} }", "f.toml:6: brightness has no limit: give min, max or in"},
		{"limit unknown key", led + "where = { brightness = { maximum = 5, max = 5 } }", `f.toml:6: unknown key "maximum"`},
		{"limit mis-cased", led + "[grant.where]\nbrightness.Max = 5\nbrightness.max = 5", `f.toml:7: unknown key "Max" (did you mean max?)`},
		{"limit a string", led + "where = { brightness = { max = \"5\" } }", "f.toml:6: max must be an integer, not a string (write 5 without quotes)"},
		{"limit a word", led + "where = { brightness = { max = \"much\" } }", "f.toml:6: max must be an integer, not a string"},
		{"limit a fraction", led + "where = { brightness = { max = 5.0 } }", "f.toml:6: max must be an integer, not a fraction"},
		{"min over max", led + "where = { brightness = { min = 6, max = 5 } }", "f.toml:6: brightness has a min of 6, which is more than its max of 5"},
		{"in empty", led + "where = { brightness = { in = [] } }", "f.toml:6: in must not be empty"},
		{"in of fractions", led + "where = { brightness = { in = [1.5] } }", "f.toml:6: in must be integers, strings or booleans, not a fraction"},
		{"in a string where a number is due", led + "where = { brightness = { in = [1, \"5\"] } }", `f.toml:6: parameter brightness cannot be "5": it is an integer`},
		{"in a number where a string is due", led + "where = { led = { in = [5] } }", "f.toml:6: parameter led cannot be 5: it is a string"},
		{"in no word of an enum", led + "where = { mode = { in = [\"once\", \"twice\"] } }", `f.toml:6: parameter mode cannot be "twice": it is one of once, repeat`},
		{"min of a string", led + "where = { led = { min = 1 } }", "f.toml:6: parameter led cannot have min or max: it is no integer"},
		{"in of integers for a boolean", led + "where = { steady = { in = [1] } }", "f.toml:6: parameter steady cannot be 1: it is a boolean"},
		{"unknown parameter", led + "where = { brightnes = { max = 5 } }", `f.toml:6: unknown parameter "brightnes": none of the grant's methods has it (did you mean brightness?)`},
		{"parameter inside a number", led + "where = { brightness = { red = { max = 5 } } }", `f.toml:6: unknown parameter "brightness.red": none of the grant's methods has it`},
		{"parameter of another method", "[[grant]]\nid = \"a\"\nusers = [0]\nmethods = [\"io.halberd.Led.Get\"]\ndevices = [\"*\"]\nwhere = { brightness = { max = 5 } }",
			`f.toml:6: unknown parameter "brightness": none of the grant's methods has it`},
		{"parameter of another verb", "[[grant]]\nid = \"a\"\nusers = [0]\nmethods = [\"io.halberd.Led.*\"]\nverbs = [\"observe\"]\ndevices = [\"*\"]\nwhere = { brightness = { max = 5 } }",
			`f.toml:7: unknown parameter "brightness": none of the grant's methods has it`},
		{"limit on bytes", i2c("data = { in = [\"AAAA\"] }"), "f.toml:6: parameter data cannot be limited: it is bytes, so name their length"},
		{"limit on the length of what has none", i2c("note.length = { max = 1 }"), `f.toml:6: unknown parameter "note.length": none of the grant's methods has it`},
		{"limit on the length in words", i2c("data.length = { in = [\"a\"] }"), `f.toml:6: parameter data.length cannot be "a": it is an integer`},
		{"limit on any object", i2c("extra = { in = [\"a\"] }"), "f.toml:6: parameter extra cannot be limited: it is an object of any kind"},
		{"limit on a list", i2c("messages = { max = 1 }"), "f.toml:6: parameter messages cannot be limited: it is a list of messages, so name one of their fields"},
		{"limit on an array that may be missing", i2c("messages.bytes = { max = 1 }"), "f.toml:6: parameter messages.bytes cannot be limited: it may be left out of some elements"},
		{"limit twice", i2c("messages.address = { max = 1 }, \"messages.address\" = { max = 5 }"), "f.toml:6: messages.address is limited twice"},

		{"rate a number", led + "rate = 50", "f.toml:6: rate must be a string, not an integer"},
		{"rate without a time", led + `rate = "50"`, `f.toml:6: rate "50" must be written 50/s, 100/min or 10/h, with 1 to 1000000 calls`},
		{"rate of none", led + `rate = "0/s"`, `f.toml:6: rate "0/s" must be written 50/s, 100/min or 10/h, with 1 to 1000000 calls`},
		{"rate of many", led + `rate = "1000001/s"`, `f.toml:6: rate "1000001/s" must be written 50/s, 100/min or 10/h, with 1 to 1000000 calls`},
		{"rate with a sign", led + `rate = "+5/s"`, `f.toml:6: rate "+5/s" must be written 50/s, 100/min or 10/h, with 1 to 1000000 calls`},
		{"rate a day", led + `rate = "5/day"`, `f.toml:6: rate "5/day" must be written 50/s, 100/min or 10/h, with 1 to 1000000 calls`},
		{"rate empty", led + `rate = ""`, "f.toml:6: rate must not be empty"},
		{"burst without rate", led + "burst = 5", "f.toml:6: burst needs a rate"},
		{"burst of none", led + "rate = \"5/s\"\nburst = 0", "f.toml:7: burst must be from 1 to 1000000"},
		{"burst a string", led + "rate = \"5/s\"\nburst = \"5\"", "f.toml:7: burst must be an integer, not a string (write 5 without quotes)"},

		{"no TOML", "[[grant]]\nid = \n", "f.toml:2: expected value but found '\\n' instead"},
		{"a key twice", led + "id = \"b\"", "f.toml:6: Key 'grant.id' has already been defined."},
		{"a limit twice inline", led + "where = { brightness = { max = 1, max = 2 } }", "f.toml:6: Key 'grant.where.brightness.max' has already been defined."},
		{"no UTF-8", led + "# \xff", "f.toml:6: must be UTF-8"},
		{"a NUL", led + "# \x00", "f.toml:6: must not contain control characters"},
		{"a lone carriage return", led + "# \r ", "f.toml:6: must not contain a carriage return without a line feed"},
		{"nested too deep", led + "where = " + strings.Repeat("[", 20) + strings.Repeat("]", 20), "f.toml:6: must not be nested deeper than 16"},
		{"a key too deep", led + strings.Repeat("a.", 20) + "b = 1", "f.toml:6: must not be nested deeper than 16"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := parsePolicy(t, tt.text)
			if p != nil {
				t.Error("a policy came with the error")
			}
			if got := strings.Join(messages(err), "\n"); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func user(entry string) string {
	return "[[grant]]\nid = \"a\"\nusers = [" + entry + "]\nverbs = [\"administer\"]"
}

func unit(name string) string {
	return "[[grant]]\nid = \"a\"\nunits = [\"" + name + "\"]\nverbs = [\"administer\"]"
}

func method(name string) string {
	return "[[grant]]\nid = \"a\"\nusers = [0]\nmethods = [\"" + name + "\"]\ndevices = [\"*\"]"
}

func device(entry string) string {
	return "[[grant]]\nid = \"a\"\nusers = [0]\nmethods = [\"io.halberd.*\"]\ndevices = [" + entry + "]"
}

func i2c(where string) string {
	return "[[grant]]\nid = \"a\"\nusers = [0]\nmethods = [\"io.halberd.I2c.Transfer\"]\ndevices = [\"*\"]\nwhere = { " + where + " }"
}

func TestPolicyReportsEverything(t *testing.T) {
	root := image(t)
	put(t, root, "etc/halberd/policy.d/20-b.toml", "[[grant]]\nid = \"a\"\nusers = []\nmethods = [\"io.halberd.Led.Set\"]\n")
	put(t, root, "etc/halberd/policy.d/10-a.toml", "[[grant]]\nid = \"a\"\nUsers = [0]\nverbs = [\"all\"]\nrate = 5\n")
	_, err := LoadPolicy(Options{Dirs: Default(), Root: root, TrustCaller: true}, configtest.Catalog())
	a, b := filepath.Join(root, "etc/halberd/policy.d/10-a.toml"), filepath.Join(root, "etc/halberd/policy.d/20-b.toml")
	want := []string{
		a + ":1: grant names nobody: give users, groups, units or labels",
		a + `:3: unknown key "Users" (did you mean users?)`,
		a + `:4: unknown verb "all"`,
		a + ":5: rate must be a string, not an integer",
		b + `:1: grant has no devices, and io.halberd.Led.Set takes one: give devices, or ["*"] for all`,
		b + `:2: id "a" is taken already, at ` + a + ":2",
		b + ":3: users must not be empty",
	}
	if got := messages(err); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	var one *Error
	if !errors.As(err, &one) || one.File != a || one.Line != 1 {
		t.Errorf("the first error is %+v", one)
	}
}

func TestPolicyTaken(t *testing.T) {
	p, err := parsePolicy(t, `
[[grant]]
id      = "kiosk-lights"
users   = ["kiosk", 1000, "10000-19999"]
groups  = ["leds"]
units   = ["kiosk.service"]
labels  = ["u:r:kiosk_app:s0"]
methods = ["io.halberd.Led.Set"]
verbs   = ["control"]
devices = ["front", "panel-*", "Led/back", "chip/4", "chip/*"]
where   = { brightness = { max = 128 }, mode.in = ["once"], "rampMSec" = { min = -5, max = 5, in = [1, 2] }, steady.in = [true] }
rate    = "50/s"
burst   = 10
`)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Grants) != 1 || len(p.Warnings) != 0 {
		t.Fatalf("got %d grants and the warnings %v", len(p.Grants), p.Warnings)
	}
	g := &p.Grants[0]
	for _, c := range []struct {
		name      string
		got, want any
	}{
		{"id", g.ID, "kiosk-lights"},
		{"place", place(g.File, g.Line), "f.toml:2"},
		{"users", g.Users.Ranges, []Range{{900, 900}, {1000, 1000}, {10000, 19999}}},
		{"users as written", g.Users.Text, []string{"kiosk", "1000", "10000-19999"}},
		{"groups", g.Groups.Ranges, []Range{{300, 300}}},
		{"units", g.Units, []string{"kiosk.service"}},
		{"labels", g.Labels, []string{"u:r:kiosk_app:s0"}},
		{"methods", g.Methods, []string{"io.halberd.Led.Set"}},
		{"verbs", g.Verbs, []hal.Verb{hal.Control}},
		{"devices", g.Devices, []Pattern{{"", "front", false, 10}, {"", "panel-", true, 10}, {"Led", "back", false, 10}, {"", "chip/4", false, 10}, {"", "chip/", true, 10}}},
		{"where", words(g.Where), []string{`brightness at most 128`, `mode "once"`, `rampMSec -5 to 5 and one of 1, 2`, `steady true`}},
		{"rate", g.Rate, Rate{50, 1e9, 10}},
	} {
		if !equal(c.got, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, c.got, c.want)
		}
	}
}

func words(limits []Limit) []string {
	var all []string
	for i := range limits {
		all = append(all, limits[i].String())
	}
	return all
}

func TestPolicyAccepts(t *testing.T) {
	for _, tt := range []struct{ name, text string }{
		{"nothing", ""},
		{"a comment", "# nothing\n"},
		{"dashes in a name", user(`"www-data-5"`)},
		{"a name behind broken lines", user(`"last"`)},
		{"units", unit("aZz0-9A:_.\\\\x2d@1.service") + "\n" + strings.Replace(unit(strings.Repeat("u", 247)+".service"), `"a"`, `"b"`, 1) + "\n" + strings.Replace(unit("init.scope"), `"a"`, `"c"`, 1)},
		{"the longest label", "[[grant]]\nid = \"a\"\nlabels = [\"" + strings.Repeat("l", 1024) + "\"]\nverbs = [\"administer\"]"},
		{"the whole first range", user(`"0-61183"`)},
		{"between dynamic and nobody", user(`"65520-65533"`)},
		{"after nobody", user(`"65535-4294967294"`)},
		{"a range of one", user(`"5-5"`)},
		{"a hexadecimal uid", user("0x10")},
		{"plain methods without devices", "[[grant]]\nid=\"a\"\nusers=[0]\nmethods=[\"io.halberd.Policy.*\"]"},
		{"open methods", "[[grant]]\nid=\"a\"\nusers=[0]\nmethods=[\"org.varlink.service.*\", \"org.varlink.service.GetInfo\", \"org.varlink.service.GetInterfaceDescription\", \"io.halberd.Policy.WhoAmI\"]"},
		{"verbs of plain methods alone", "[[grant]]\nid=\"a\"\nusers=[0]\nverbs=[\"administer\"]"},
		{"a verb that no method has", "[[grant]]\nid=\"a\"\nusers=[0]\nverbs=[\"configure\"]"},
		{"an inline grant", "grant = [{ id = \"a\", users = [0],\n verbs = [\"administer\"] }]"},
		{"a GPIO line", device(`"pinctrl-bcm2835/4", "INT33FF:00/*", "INT33FF:00/1*", "chip*"`)},
		{"a class before a slash", device(`"Gpio/led/4", "Gpio/*", "Led/f*"`)},
		{"nested limits", i2c("messages = { address = { in = [80] } , length = { max = 4 } }")},
		{"a limit that one method of several has", "[[grant]]\nid=\"a\"\nusers=[0]\nmethods=[\"io.halberd.Led.*\"]\ndevices=[\"*\"]\nwhere={brightness={max=1}}"},
		{"rates", led + "rate = \"1/h\"\n" + strings.Replace(led, `"a"`, `"b"`, 1) + "rate = \"1000000/min\"\nburst=1000000"},
		{"a byte order mark", "\ufeff" + led},
		{"line ends of two characters", strings.ReplaceAll(led, "\n", "\r\n")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := parsePolicy(t, tt.text)
			if err != nil {
				t.Fatal(err)
			}
			if p.Warnings != nil && tt.name != "dashes in a name" {
				t.Errorf("warned: %v", p.Warnings)
			}
		})
	}
}

func TestPolicyWarnings(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"a slice", unit("kiosk.slice"), `f.toml:3: unit "kiosk.slice" is a slice and matches nobody: name the service in it`},
		{"unknown user", user(`"ghost"`), `f.toml:3: user "ghost" is not in ROOT/etc/passwd and matches nobody`},
		{"unknown group", "[[grant]]\nid=\"a\"\ngroups=[\n\"ghosts\",\n1]\nverbs=[\"administer\"]", `f.toml:4: group "ghosts" is not in ROOT/etc/group and matches nobody`},
		{"a name with a broken number", user(`"bad"`), `f.toml:3: user "bad" is not in ROOT/etc/passwd and matches nobody`},
		{"no method fits the verbs", "[[grant]]\nid=\"a\"\nusers=[0]\nmethods=[\"io.halberd.Led.Set\"]\nverbs=[\"administer\"]\ndevices=[\"*\"]",
			"f.toml:1: grant a covers no call: no method fits all that it asks for"},
		{"devices for a plain method", "[[grant]]\nid=\"a\"\nusers=[0]\nmethods=[\"io.halberd.Led.Count\"]\ndevices=[\"front\"]",
			"f.toml:1: grant a covers no call: no method fits all that it asks for"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			opt := testOptions(t)
			p, err := ParsePolicy(opt, configtest.Catalog(), "f.toml", tt.text)
			if err != nil {
				t.Fatal(err)
			}
			want := strings.ReplaceAll(tt.want, "ROOT", opt.Root)
			if len(p.Warnings) != 1 || p.Warnings[0].String() != want {
				t.Errorf("got %v, want %s", p.Warnings, want)
			}
		})
	}
}

// TestUselessMethods: a method that the rest of a grant never covers is warned about, also by halberd check, which does not refuse it.
func TestUselessMethods(t *testing.T) {
	const head = "[[grant]]\nid=\"a\"\nusers=[0]\n"
	for _, tt := range []struct{ name, text, want string }{
		{"without the parameter", "methods=[\"io.halberd.Led.Set\",\n\"io.halberd.Led.Get\"]\ndevices=[\"*\"]\nwhere={brightness={max=5}}", "f.toml:5: grant a never covers io.halberd.Led.Get: it has no parameter brightness"},
		{"of another verb", "methods=[\"io.halberd.Led.Get\",\"io.halberd.Led.Set\"]\nverbs=[\"control\"]\ndevices=[\"*\"]", "f.toml:4: grant a never covers io.halberd.Led.Get: its verb is observe"},
		{"without devices", "methods=[\"io.halberd.Led.Get\",\"io.halberd.Led.Count\"]\ndevices=[\"front\"]", "f.toml:4: grant a never covers io.halberd.Led.Count: it takes no device, and the grant is for some"},
		{"of several that are meant together", "methods=[\"io.halberd.Led.*\"]\ndevices=[\"*\"]\nwhere={brightness={max=5}}", ""},
		{"all fit", "methods=[\"io.halberd.Led.Get\",\"io.halberd.Led.Count\"]\ndevices=[\"*\"]", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			opt := testOptions(t)
			opt.Strict = true
			p, err := ParsePolicy(opt, configtest.Catalog(), "f.toml", head+tt.text)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, w := range p.Warnings {
				got = append(got, w.String())
			}
			if strings.Join(got, "\n") != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestUndeclared: a device that is spelt nearly as a declared one is warned about. Any other one that is not declared is where the kernel cannot have it.
func TestUndeclared(t *testing.T) {
	declared := map[string][]string{"Gpio": {"relay-pump", "lamp-1"}, "Led": {"front"}, "I2c": {"eeprom"}}
	for _, tt := range []struct{ name, method, devices, want string }{
		{"declared", "io.halberd.Gpio.Set", `"relay-pump"`, ""},
		{"misspelt", "io.halberd.Gpio.Set", "\"lamp-1\",\n\"relay-pmup\"", "f.toml:6: grant a: board.toml does not declare relay-pmup (did you mean relay-pump?)"},
		{"misspelt, with its class", "io.halberd.Gpio.Set", `"Gpio/relay-punp"`, "f.toml:5: grant a: board.toml does not declare Gpio/relay-punp (did you mean relay-pump?)"},
		{"misspelt, for all of Board", "io.halberd.Board.Describe", `"Led/fornt"`, "f.toml:5: grant a: board.toml does not declare Led/fornt (did you mean front?)"},
		{"misspelt, for everything", "io.halberd.*", `"Front"`, "f.toml:5: grant a: board.toml does not declare Front (did you mean front?)"},
		{"declared in another class", "io.halberd.Led.Set", `"relay-pump"`, ""},
		{"a name of its own", "io.halberd.Gpio.Set", `"door"`, ""},
		{"one of a row", "io.halberd.Gpio.Set", `"lamp-2", "lamp3"`, ""},
		{"misspelt, with a number", "io.halberd.Gpio.Set", `"lamp_1"`, "f.toml:5: grant a: board.toml does not declare lamp_1 (did you mean lamp-1?)"},
		{"several", "io.halberd.Gpio.Set", `"relay-pum*"`, ""},
		{"several that are not there", "io.halberd.Gpio.Set", `"lmap-*"`, ""},
		{"where all are declared", "io.halberd.I2c.Transfer", `"eeprom", "e*", "*"`, ""},
		{"where all are declared, and this one is not", "io.halberd.I2c.Transfer", `"rtc"`, "f.toml:5: grant a: board.toml does not declare rtc"},
		{"where all are declared, and none of these is", "io.halberd.I2c.*", `"I2c/r*"`, "f.toml:5: grant a: board.toml does not declare I2c/r*"},
		{"where all are declared, and in other classes they are not", "io.halberd.*", `"rtc"`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cat := configtest.Catalog()
			p, err := parsePolicy(t, "[[grant]]\nid=\"a\"\nusers=[0]\nmethods=["+strconv.Quote(tt.method)+"]\ndevices=["+tt.devices+"]\n")
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, w := range p.Undeclared(cat, declared, func(m *hal.Method) bool { return m.Class == "I2c" }) {
				got = append(got, w.String())
			}
			if strings.Join(got, "\n") != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestPolicyStrict(t *testing.T) {
	opt := testOptions(t)
	opt.Strict = true
	_, err := ParsePolicy(opt, configtest.Catalog(), "f.toml", user(`"ghost", "kiosk"`))
	if got, want := strings.Join(messages(err), "\n"), `f.toml:3: user "ghost" is not in `+opt.Root+"/etc/passwd and matches nobody"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestPolicyUntrustedAccounts(t *testing.T) {
	opt := testOptions(t)
	passwd := filepath.Join(opt.Root, "etc/passwd")
	if err := os.Chmod(passwd, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := ParsePolicy(opt, configtest.Catalog(), "f.toml", user("5")); err != nil {
		t.Errorf("a policy without names: %v", err)
	}
	_, err := ParsePolicy(opt, configtest.Catalog(), "f.toml", user(`"kiosk"`))
	if got, want := strings.Join(messages(err), "\n"), passwd+": must not be writable by its group or by others (its mode is 0666)"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestPolicyShipped(t *testing.T) {
	text, err := os.ReadFile("../../rootfs/usr/lib/halberd/policy.d/00-root.toml")
	if err != nil {
		t.Fatal(err)
	}
	p, err := parsePolicy(t, string(text))
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Grants) != 1 || len(p.Warnings) != 0 || !p.Grants[0].Users.Contain(0) || p.Grants[0].Users.Contain(1) {
		t.Errorf("got %+v", p)
	}
	for _, m := range configtest.Catalog().Methods() {
		if m.Interface != "org.varlink.service" && !(p.Grants[0].Names(m) && p.Grants[0].Covers(m)) {
			t.Errorf("%s is not granted to root", m.FullName())
		}
	}
}
