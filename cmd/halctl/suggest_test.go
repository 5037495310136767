package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/halberd-io/halberd/hal/board"
	"github.com/halberd-io/halberd/hal/wire"
	"github.com/halberd-io/halberd/service"
	"github.com/halberd-io/halberd/service/config"
	"github.com/halberd-io/halberd/service/policy"
	"github.com/halberd-io/halberd/service/servicetest"
)

// recorded writes records into a file, one a line, and gives its name.
func recorded(t *testing.T, lines ...string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "records")
	if err := os.WriteFile(name, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

// denial is a record as the daemon tells it.
func denial(uid int, method, more string) string {
	return fmt.Sprintf(`{"timeUSec":1,"decision":"denied","method":"io.halberd.%s","uid":%d,"gid":5,"pid":7,"transport":"stream",%s"reason":"no","omitted":0,"sequence":1,"lost":0}`, method, uid, more)
}

func on(devices ...string) string { return `"devices":["` + strings.Join(devices, `","`) + `"],` }

func beyond(device, parameter, value string) string {
	quoted, _ := json.Marshal(value)
	return on(device) + fmt.Sprintf(`"uncovered":%q,"grant":"dim","parameter":%q,"value":%s,`, device, parameter, quoted)
}

// grantOf is a grant as it is printed.
func grantOf(id, who, methods, more string) string {
	return fmt.Sprintf("[[grant]]\nid      = %q\n%s\nmethods = [%s]\n%s", id, who, methods, more)
}

const (
	setOne  = `"io.halberd.Gpio.Set"`
	getOne  = `"io.halberd.Gpio.Get"`
	ledSet  = `"io.halberd.Led.Set"`
	of1000  = "users   = [1000]"
	devices = "devices = [%s]\n"
)

// suggestions are records and the grants that come of them, without comments.
var suggestions = []struct {
	name    string
	records []string
	want    []string
	notes   []string // in comments
}{
	{"nothing", nil, nil, []string{"# No grant would have permitted anything that was denied.\n"}},
	{"one denial", []string{denial(1000, "Gpio.Set", on("relay-pump"))},
		[]string{grantOf("gpio-set-relay-pump-of-1000", of1000, setOne, fmt.Sprintf(devices, `"relay-pump"`))}, []string{": 1 of them.", "# Denied once: no\n"}},
	{"the same again", []string{denial(1000, "Gpio.Set", on("relay-pump")), denial(1000, "Gpio.Set", on("relay-pump"))},
		[]string{grantOf("gpio-set-relay-pump-of-1000", of1000, setOne, fmt.Sprintf(devices, `"relay-pump"`))}, []string{": 2 of them.", "# Denied 2 times: no\n"}},
	{"two devices of one method", []string{denial(1000, "Gpio.Set", on("relay-up")), denial(1000, "Gpio.Set", on("relay-down"))},
		[]string{grantOf("gpio-set-relay-down+relay-up-of-1000", of1000, setOne, fmt.Sprintf(devices, `"relay-down", "relay-up"`))}, nil},
	{"two methods on one device", []string{denial(1000, "Gpio.Set", on("relay-up")), denial(1000, "Gpio.Get", on("relay-up"))},
		[]string{grantOf("gpio-relay-up-of-1000", of1000, getOne+", "+setOne, fmt.Sprintf(devices, `"relay-up"`))}, nil},
	{"two methods on different devices", []string{denial(1000, "Gpio.Set", on("relay-up")), denial(1000, "Gpio.Get", on("door"))},
		[]string{grantOf("gpio-get-door-of-1000", of1000, getOne, fmt.Sprintf(devices, `"door"`)), grantOf("gpio-set-relay-up-of-1000", of1000, setOne, fmt.Sprintf(devices, `"relay-up"`))}, nil},
	{"two callers", []string{denial(1001, "Gpio.Set", on("relay-up")), denial(1000, "Gpio.Set", on("relay-up"))},
		[]string{grantOf("gpio-set-relay-up-of-1000", of1000, setOne, fmt.Sprintf(devices, `"relay-up"`)), grantOf("gpio-set-relay-up-of-1001", "users   = [1001]", setOne, fmt.Sprintf(devices, `"relay-up"`))}, nil},
	{"what was covered already is left out", []string{denial(1000, "Gpio.GetMany", on("door", "button", "relay-up")+`"uncovered":"button","grant":"x",`)},
		[]string{grantOf("gpio-get-many-button+relay-up-of-1000", of1000, `"io.halberd.Gpio.GetMany"`, fmt.Sprintf(devices, `"button", "relay-up"`))}, []string{"# Denied once: no\n"}},
	{"a dynamic user", []string{denial(61500, "Gpio.Set", `"unit":"pump.service",`+on("relay-up")), denial(62000, "Gpio.Set", `"unit":"pump.service",`+on("relay-up"))},
		[]string{grantOf("gpio-set-relay-up-of-pump.service", `units   = ["pump.service"]`, setOne, fmt.Sprintf(devices, `"relay-up"`))}, []string{"# Denied 2 times: no\n"}},
	{"callers that no grant can name", []string{denial(61500, "Gpio.Set", on("relay-up")), denial(65534, "Gpio.Set", `"unit":"a.service",`+on("relay-up")), denial(61500, "Gpio.Set", on("relay-up"))}, nil,
		[]string{"# Left out, denied 2 times: io.halberd.Gpio.Set of uid 61500: no grant can name this caller", "# Left out, denied once: io.halberd.Gpio.Set of uid 65534: "}},
	{"no device is known", []string{denial(1000, "Gpio.Set", "")}, nil, []string{"# Left out, denied once: io.halberd.Gpio.Set of uid 1000: no device is known"}},
	{"what can be no device", []string{denial(1000, "Gpio.Set", on("*")), denial(1000, "Gpio.Set", on("a", "b c"))}, nil, []string{"# Left out, denied 2 times: io.halberd.Gpio.Set of uid 1000: what it names can be no device"}},
	{"a method of another version", []string{denial(1000, `Gpio.Explode\n[[grant]]`, on("relay-up"))}, nil, []string{"# Left out, denied once: io.halberd.Gpio.Explode [[grant]] of uid 1000: there is no such method\n"}},
	{"what is open to all", []string{denial(1000, "Board.Describe", on("Gpio/relay-up"))}, nil, nil},
	{"what came too often", []string{denial(1000, "Gpio.Set", on("relay-up")+`"retryAfterMSec":3,`)}, nil, []string{"# Left out: 1 call came more often than"}},
	{"what is permitted or dropped", []string{strings.Replace(denial(1000, "Gpio.Set", on("relay-up")), "denied", "allowed", 1), strings.Replace(denial(1000, "Gpio.Set", on("relay-up")), "denied", "dropped", 1)}, nil, nil},
	{"records that were left out", []string{strings.Replace(denial(1000, "Gpio.Set", on("relay-up")), `"omitted":0`, `"omitted":7`, 1)},
		[]string{grantOf("gpio-set-relay-up-of-1000", of1000, setOne, fmt.Sprintf(devices, `"relay-up"`))}, []string{"# NOT ALL IS HERE: 7 denials came too fast to be recorded"}},
	{"records of what is permitted that were left out", []string{strings.NewReplacer(`"omitted":0`, `"omitted":7`, "denied", "allowed").Replace(denial(1000, "Gpio.Set", on("relay-up")))}, nil, []string{"# No grant would have permitted anything that was denied.\n"}},
	{"a method without a device", []string{denial(1000, "Board.Claim", on("Gpio/relay-up"))},
		[]string{grantOf("board-claim-Gpio/relay-up-of-1000", of1000, `"io.halberd.Board.Claim"`, fmt.Sprintf(devices, `"Gpio/relay-up"`))}, nil},
	{"a value", []string{denial(1000, "Led.Set", beyond("front", "brightness", "200"))},
		[]string{grantOf("led-set-front-of-1000", of1000, ledSet, fmt.Sprintf(devices, `"front"`)+"where   = { brightness = { in = [200] } }\n")}, nil},
	{"several values", []string{denial(1000, "Led.Set", beyond("front", "brightness", "200")), denial(1000, "Led.Set", beyond("front", "brightness", "150")), denial(1000, "Led.Set", beyond("front", "brightness", "200"))},
		[]string{grantOf("led-set-front-of-1000", of1000, ledSet, fmt.Sprintf(devices, `"front"`)+"where   = { brightness = { in = [150, 200] } }\n")}, nil},
	{"many values", manyValues(),
		[]string{grantOf("led-set-front-of-1000", of1000, ledSet, fmt.Sprintf(devices, `"front"`)+"where   = { brightness = { min = 200, max = 208 } }\n")}, nil},
	{"values of two devices", []string{denial(1000, "Led.Set", beyond("front", "brightness", "200")), denial(1000, "Led.Set", beyond("status", "brightness", "150")), denial(1000, "Led.Set", beyond("back", "brightness", "150"))},
		[]string{grantOf("led-set-back+status-of-1000", of1000, ledSet, fmt.Sprintf(devices, `"back", "status"`)+"where   = { brightness = { in = [150] } }\n"),
			grantOf("led-set-front-of-1000", of1000, ledSet, fmt.Sprintf(devices, `"front"`)+"where   = { brightness = { in = [200] } }\n")}, nil},
	{"a value, and a denial that had none", []string{denial(1000, "Led.Set", beyond("front", "brightness", "200")), denial(1000, "Led.Set", on("front"))},
		[]string{grantOf("led-set-front-of-1000", of1000, ledSet, fmt.Sprintf(devices, `"front"`))}, nil},
	{"a word", []string{denial(1000, "Led.SetTrigger", beyond("front", "trigger", `a "b" é`))},
		[]string{grantOf("led-set-trigger-front-of-1000", of1000, `"io.halberd.Led.SetTrigger"`, fmt.Sprintf(devices, `"front"`)+`where   = { trigger = { in = ["a \"b\" \u00e9"] } }`+"\n")}, nil},
	{"values that cannot be told", []string{denial(1000, "Led.Set", beyond("front", "brightness", "two")), denial(1000, "Led.Set", beyond("back", "colour", "2")), denial(1000, "Led.SetTrigger", beyond("front", "trigger", "a\x7f"))},
		[]string{grantOf("led-set-back+front-of-1000", of1000, ledSet, fmt.Sprintf(devices, `"back", "front"`)), grantOf("led-set-trigger-front-of-1000", of1000, `"io.halberd.Led.SetTrigger"`, fmt.Sprintf(devices, `"front"`))}, nil},
	{"an ID that is taken", []string{denial(1000, "Gpio.Set", on("relay-up")+`"grant":"gpio-set-relay-up-of-1000",`)},
		[]string{grantOf("gpio-set-relay-up-of-1000-2", of1000, setOne, fmt.Sprintf(devices, `"relay-up"`))}, nil},
	{"an ID with no room for devices", []string{denial(1000, "Gpio.Set", on(strings.Repeat("x", 100)))},
		[]string{grantOf("gpio-set-of-1000", of1000, setOne, fmt.Sprintf(devices, `"`+strings.Repeat("x", 100)+`"`))}, nil},
	{"hazards, beside what is none", []string{denial(1000, "Remoteproc.Stop", on("dsp")), denial(1000, "Remoteproc.Get", on("dsp"))},
		[]string{grantOf("remoteproc-get-dsp-of-1000", of1000, `"io.halberd.Remoteproc.Get"`, fmt.Sprintf(devices, `"dsp"`))},
		[]string{"# WARNING: such calls may stop the board, or reach past one device.", "# [[grant]]\n# id      = \"remoteproc-stop-dsp-of-1000\"\n# users   = [1000]\n# methods = [\"io.halberd.Remoteproc.Stop\"]\n# devices = [\"dsp\"]\n"}},
	{"administration", []string{denial(1000, "Policy.Reload", ""), denial(1000, "Policy.Status", ""), denial(1000, "Gpio.Get", on("door"))},
		[]string{grantOf("gpio-get-door-of-1000", of1000, getOne, fmt.Sprintf(devices, `"door"`))},
		[]string{"# WARNING: such calls are about Halberd itself", "# [[grant]]\n# id      = \"policy-of-1000\"\n# users   = [1000]\n# methods = [\"io.halberd.Policy.Reload\", \"io.halberd.Policy.Status\"]\n"}},
}

func manyValues() (all []string) {
	for _, n := range []int{203, 207, 200, 204, 201, 208, 205, 202, 206} {
		all = append(all, denial(1000, "Led.Set", beyond("front", "brightness", fmt.Sprint(n))))
	}
	return all
}

// grantsIn takes the comments out of what was printed.
func grantsIn(text string) []string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if line[0] != '#' && line != "\n" {
			b.WriteString(line)
		}
	}
	if b.Len() == 0 {
		return nil
	}
	all := strings.Split(b.String(), "[[grant]]\n")[1:]
	for i := range all {
		all[i] = "[[grant]]\n" + all[i]
	}
	return all
}

// strictly reads a policy as halberd check does.
func strictly(t *testing.T, text string) *policy.Policy {
	t.Helper()
	cat, err := service.Describe(board.Drivers())
	if err != nil {
		t.Fatal(err)
	}
	files, err := config.ParsePolicy(config.Options{Strict: true}, cat, "suggested.toml", text)
	if err != nil {
		t.Errorf("halberd check would say:\n%v\nof\n%s", err, text)
		return nil
	}
	return policy.Compile(files, cat, 1, nil)
}

func TestSuggest(t *testing.T) {
	for _, row := range suggestions {
		t.Run(row.name, func(t *testing.T) {
			status, stdout, stderr := halctl(t, "suggest", recorded(t, row.records...))
			got := grantsIn(stdout)
			if status != 0 || stderr != "" || strings.Join(got, "") != strings.Join(row.want, "") {
				t.Errorf("got %d, %q and\n%s\nwant\n%s", status, stderr, strings.Join(got, ""), strings.Join(row.want, ""))
			}
			for _, want := range row.notes {
				if !strings.Contains(stdout, want) {
					t.Errorf("got\n%s\nwant %q in it", stdout, want)
				}
			}
			strictly(t, stdout)
			// What is commented out is as good.
			if uncommented := strings.NewReplacer("\n# [[grant]]", "\n[[grant]]", "\n# id ", "\nid ", "\n# users ", "\nusers ", "\n# methods ", "\nmethods ", "\n# devices ", "\ndevices ").Replace(stdout); uncommented != stdout {
				strictly(t, uncommented)
			}
		})
	}
}

// TestSuggestAsJSON: for programs, a grant is an object.
func TestSuggestAsJSON(t *testing.T) {
	status, stdout, _ := halctl(t, "-j", "suggest", recorded(t, denial(1000, "Policy.Status", ""), denial(1000, "Led.Set", beyond("front", "brightness", "200"))))
	objects := jsonLines(t, stdout)
	if status != 0 || len(objects) != 2 || objects[0]["id"] != "led-set-front-of-1000" || objects[0]["doubtful"] != false || objects[1]["doubtful"] != true || !strings.Contains(stdout, `"where":{"brightness":{"in":[200]}}`) {
		t.Errorf("got %d, %s", status, stdout)
	}
}

// TestSuggestAsJSONTellsWhatIsMissing: where there is no place for a comment, it is told beside.
func TestSuggestAsJSONTellsWhatIsMissing(t *testing.T) {
	_, stdout, stderr := halctl(t, "-j", "suggest", recorded(t, strings.Replace(denial(1000, "Policy.Status", ""), `"omitted":0`, `"omitted":1`, 1)))
	if want := "halctl: 1 denial came too fast to be recorded"; len(jsonLines(t, stdout)) != 1 || !strings.HasPrefix(stderr, want) {
		t.Errorf("got %s and %q, want one grant and %q", stdout, stderr, want)
	}
}

// journalLine is a record as journalctl -o json shows it.
func journalLine(by, uid string, more string) string {
	return `{"__REALTIME_TIMESTAMP":"1","_UID":"` + by + `","_SYSTEMD_UNIT":"halberd.service","MESSAGE":"denied","PRIORITY":"4","HALBERD_DECISION":"denied","HALBERD_METHOD":"io.halberd.Led.Set",` +
		`"HALBERD_VERB":"control","HALBERD_UID":"` + uid + `",` + more + `"HALBERD_GRANT":"dim","HALBERD_REASON":"no","HALBERD_TRANSPORT":"stream"}`
}

// TestSuggestFromJournal: records of the journal teach the same, unless somebody else wrote them.
func TestSuggestFromJournal(t *testing.T) {
	const front = `"HALBERD_DEVICES":"back front","HALBERD_UNCOVERED":"front",`
	const limited = `"HALBERD_PARAMETER":"brightness","HALBERD_VALUE":"200","HALBERD_OMITTED":"3",`
	rows := []struct {
		name, line string
		want       string
	}{
		{"a denial", journalLine("0", "1000", front), grantOf("led-set-front-of-1000", of1000, ledSet, fmt.Sprintf(devices, `"front"`))},
		{"a value", journalLine("0", "1000", front+limited), grantOf("led-set-front-of-1000", of1000, ledSet, fmt.Sprintf(devices, `"front"`)+"where   = { brightness = { in = [200] } }\n")},
		{"of a daemon of one's own", journalLine(fmt.Sprint(os.Geteuid()), "1000", front), grantOf("led-set-front-of-1000", of1000, ledSet, fmt.Sprintf(devices, `"front"`))},
		{"a unit", journalLine("0", "61500", front+`"HALBERD_UNIT":"a.service",`), grantOf("led-set-front-of-a.service", `units   = ["a.service"]`, ledSet, fmt.Sprintf(devices, `"front"`))},
		{"forged", journalLine("4242", "4242", front), ""},
		{"forged, with what looks like the journal's own", `{"_UID":["0","4242"],"HALBERD_DECISION":"denied","HALBERD_METHOD":"io.halberd.Led.Set","HALBERD_UID":"4242","HALBERD_DEVICES":"front"}`, ""},
		{"of nobody", `{"HALBERD_DECISION":"denied","HALBERD_METHOD":"io.halberd.Led.Set","HALBERD_UID":"4242","HALBERD_DEVICES":"front"}`, ""},
		{"without a caller", journalLine("0", "", front), ""},
		{"out of tokens", journalLine("0", "1000", front+`"HALBERD_RETRY_AFTER_MSEC":"20",`), ""},
		{"bytes for devices", journalLine("0", "1000", `"HALBERD_DEVICES":[1,2],`), ""},
		{"another message", `{"_UID":"0","MESSAGE":"reloaded","HALBERD_GENERATION":"2"}`, ""},
	}
	for _, row := range rows {
		status, stdout, stderr := halctl(t, "suggest", recorded(t, row.line, ""))
		if got := strings.Join(grantsIn(stdout), ""); status != 0 || stderr != "" || got != row.want {
			t.Errorf("%s: got %d, %q and\n%s\nwant\n%s", row.name, status, stderr, got, row.want)
		}
	}
	both := recorded(t, journalLine("0", "1000", front), denial(1000, "Gpio.Set", on("relay-up")))
	if _, stdout, _ := halctl(t, "suggest", both, recorded(t, denial(1001, "Gpio.Set", on("relay-up")))); len(grantsIn(stdout)) != 3 {
		t.Errorf("of two files: got\n%s\nwant three grants", stdout)
	}
}

// TestSuggestFails: what cannot be read is told with its place, and what was learned before is not lost.
func TestSuggestFails(t *testing.T) {
	good := denial(1000, "Gpio.Set", on("relay-up"))
	rows := []struct {
		name   string
		args   []string
		status int
		want   string
		grants int
	}{
		{"no file", []string{"/nowhere"}, 1, "open /nowhere: no such file", 0},
		{"no JSON", []string{recorded(t, "", "hello")}, 1, "records:2: not a JSON object", 0},
		{"an array", []string{recorded(t, "[]")}, 1, "records:1: not a JSON object", 0},
		{"a line cut off", []string{recorded(t, good, good[:50])}, 1, "records:2: not a JSON object", 1},
		{"a uid that is a word", []string{recorded(t, good, `{"decision":"denied","uid":"x"}`)}, 1, "records:2: ", 1},
		{"a line without end", []string{recorded(t, good, strings.Repeat(" ", maxLine+1))}, 1, "records:2: cannot read on: ", 1},
		{"a duration of nothing", []string{"--for", "0s"}, 2, "usage: halctl suggest [--for DURATION | FILE...]", 0},
		{"no duration", []string{"--for"}, 2, "usage: halctl suggest", 0},
		{"a duration and a file", []string{"--for=1s", "x"}, 2, "usage: halctl suggest", 0},
		{"an unknown option", []string{"--frob", "1s"}, 2, "usage: halctl suggest", 0},
	}
	for _, row := range rows {
		status, stdout, stderr := halctl(t, append([]string{"suggest"}, row.args...)...)
		if status != row.status || !strings.Contains(stderr, row.want) || len(grantsIn(stdout)) != row.grants {
			t.Errorf("%s: got %d, %q, %q, want %d, %q and %d grants", row.name, status, stdout, stderr, row.status, row.want, row.grants)
		}
	}
}

// TestSuggestionsCoverNoMore: the grants permit each call that was denied, and no other one on these or other devices, by these or other callers.
func TestSuggestionsCoverNoMore(t *testing.T) {
	uids, lines := []int{1000, 1001}, []string{"door", "relay-up", "relay-down"}
	methods := []string{"Get", "Toggle", "Watch"}
	denied := map[string]bool{}
	var records []string
	for i, uid := range uids {
		for j, line := range lines {
			for k, method := range methods {
				if (i+j*k)%2 == 0 {
					records = append(records, denial(uid, "Gpio."+method, on(line)))
					denied[fmt.Sprint(uid, method, line)] = true
				}
			}
		}
	}
	_, stdout, _ := halctl(t, "suggest", recorded(t, records...))
	p := strictly(t, stdout)
	cat, err := service.Describe(board.Drivers())
	if err != nil || p == nil {
		t.Fatal(err)
	}
	for _, uid := range append(uids, 1002) {
		for _, line := range append(lines, "button") {
			for _, method := range append(methods, "Set") {
				m := cat.Method([]byte("io.halberd.Gpio." + method))
				parameters := map[string]string{"Watch": `{"lines":["` + line + `"]}`, "Set": `{"line":"` + line + `","value":1}`}[method]
				if parameters == "" {
					parameters = `{"line":"` + line + `"}`
				}
				call, err := m.Decode(wire.Value(parameters))
				if err != nil {
					t.Fatal(err)
				}
				if got, want := p.Explain(policy.Identity{UID: uint32(uid)}, m, call).Allowed, denied[fmt.Sprint(uid, method, line)]; got != want {
					t.Errorf("uid %d, %s of %s: permitted %v, want %v by\n%s", uid, method, line, got, want, stdout)
				}
			}
		}
	}
}

// TestSuggestEndToEnd: what a denied program lacks is learned from the daemon, and put into the policy permits it that, and nothing on another device.
func TestSuggestEndToEnd(t *testing.T) {
	admin := fmt.Sprintf("[[grant]]\nid = \"admin\"\nusers = [%[1]d]\nmethods = [\"io.halberd.Policy.*\"]\n\n"+
		"[[grant]]\nid = \"dim\"\nusers = [%[1]d]\nmethods = [\"io.halberd.Led.Set\"]\ndevices = [\"front\"]\nwhere = { brightness = { max = 100 } }\n\n", os.Geteuid())
	app := []string{"gpio set relay-pump 1", "gpio get relay-pump", "gpio get-many relay-pump door", "led set front 200", "claim Gpio/relay-pump"}
	others := []string{"gpio set relay-up 1", "gpio get relay-up", "gpio get-many relay-pump button", "led set front 201", "led set status 1", "safe"}
	for _, kind := range connections {
		t.Run(kind.String(), func(t *testing.T) {
			s := servicetest.Start(t, admin)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			learning := begin(ctx, "-a", s.Address(kind), "suggest")
			learning.stderr.await(t, 1)
			watching := begin(ctx, "-a", s.Address(kind), "-j", "audit")
			watching.stdout.await(t, 1)
			for _, args := range append(app, "safe") {
				if status, _, stderr := at(t, s, kind, strings.Fields(args)...); status != 1 || !strings.Contains(stderr, "PermissionDenied") {
					t.Fatalf("halctl %s: got %d, %q, want a denial", args, status, stderr)
				}
			}
			records := watching.stdout.await(t, 1+len(app)+1)
			if lines := learning.stderr.await(t, 1+len(app)+1); lines[1] != fmt.Sprintf("denied: uid %d: Gpio.Set relay-pump", os.Geteuid()) {
				t.Errorf("told %q of the first denial", lines[1])
			}
			cancel()
			if status := <-learning.status; status != 0 {
				t.Fatalf("halctl suggest: got %d, %s", status, learning.stderr)
			}
			grants := learning.stdout.String()
			if _, same, _ := halctl(t, "suggest", recorded(t, records...)); same != grants {
				t.Errorf("of the records: got\n%s\nand of the daemon\n%s", same, grants)
			}
			strictly(t, admin+grants)
			s.SetPolicy(admin + grants)
			if status, _, stderr := at(t, s, kind, "reload"); status != 0 {
				t.Fatalf("the policy with these grants is bad: %s\n%s", stderr, grants)
			}
			for _, args := range app[:len(app)-1] {
				if status, _, stderr := at(t, s, kind, strings.Fields(args)...); status != 0 {
					t.Errorf("with the grants, halctl %s: got %d, %q, want it to be permitted\n%s", args, status, stderr, grants)
				}
			}
			if status, _, stderr := at(t, s, kind, "call", "io.halberd.Board.Claim", `{"devices":["Gpio/relay-pump"]}`); status != 0 {
				t.Errorf("with the grants, a claim: got %d, %q", status, stderr)
			}
			for _, args := range others {
				if status, _, stderr := at(t, s, kind, strings.Fields(args)...); status != 1 || !strings.Contains(stderr, "PermissionDenied") {
					t.Errorf("with the grants, halctl %s: got %d, %q, want a denial\n%s", args, status, stderr, grants)
				}
			}
		})
	}
}

// TestSuggestTellsWhatIsMissing: of many denials at once, those that are on record are learned, and it is told how many are not, also where no later record tells.
func TestSuggestTellsWhatIsMissing(t *testing.T) {
	for _, kind := range connections {
		s := servicetest.Start(t, fmt.Sprintf("[[grant]]\nid = \"admin\"\nusers = [%d]\nmethods = [\"io.halberd.Policy.*\"]\n", os.Geteuid()))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		learning := begin(ctx, "-a", s.Address(kind), "suggest")
		learning.stderr.await(t, 1)
		const denied = 100
		app := s.MustDial(t, kind)
		for i := range denied {
			if got, err := app.Call(fmt.Sprintf(`{"method":"io.halberd.Gpio.Get","parameters":{"line":"line-%d"}}`, i)); err != nil || !strings.Contains(got, "PermissionDenied") {
				t.Fatalf("got %s, %v, want a denial", got, err)
			}
		}
		var now struct{ Unrecorded int }
		if _, stdout, _ := at(t, s, kind, "-j", "status"); json.Unmarshal([]byte(stdout), &now) != nil || now.Unrecorded == 0 {
			t.Fatalf("got %+v of %s, want denials without records", now, stdout)
		}
		learning.stderr.await(t, 1+denied-now.Unrecorded)
		cancel()
		if status := <-learning.status; status != 0 {
			t.Fatalf("got %d, %s", status, learning.stderr)
		}
		want := fmt.Sprintf("%d denials came too fast to be recorded", now.Unrecorded)
		grants := strings.Join(grantsIn(learning.stdout.String()), "")
		if got := learning.stdout.String(); !strings.Contains(got, "# NOT ALL IS HERE: "+want) || strings.Count(grants, `"line-`) != denied-now.Unrecorded {
			t.Errorf("%s: got\n%s\nwant %d lines, and that %s", kind, got, denied-now.Unrecorded, want)
		}
		if got := learning.stderr.String(); !strings.Contains(got, "halctl: "+want) {
			t.Errorf("%s: told %q, want that %s", kind, got, want)
		}
	}
}

// TestSuggestForATime: it ends by itself, with nothing learned where nothing was denied.
func TestSuggestForATime(t *testing.T) {
	s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()))
	for _, kind := range connections {
		status, stdout, stderr := at(t, s, kind, "suggest", "--for", "50ms")
		if status != 0 || !strings.HasPrefix(stdout, "# No grant") || !strings.HasPrefix(stderr, "learning ") {
			t.Errorf("%s: got %d, %q, %q", kind, status, stdout, stderr)
		}
	}
	status, stdout, _ := at(t, s, transports[2], "suggest", "--for=50ms")
	if status != 1 || stdout != "" {
		t.Errorf("over datagrams: got %d, %q, want 1", status, stdout)
	}
}
