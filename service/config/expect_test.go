package config

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/halberd-io/halberd/service/config/configtest"
)

// household is a root folder with users and groups.
func household(t *testing.T) Options {
	t.Helper()
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"passwd": "root:x:0:0::/:\nkiosk:x:1000:77::/:\nkiosk:x:5:5::/:\nlonely:x:1001\n",
		"group":  "kiosk:x:77:\nleds:x:300:kiosk,other\nother:x:4:kiosk2\nvideo:x:44:kiosk\nvideo:x:45:kiosk\nbroken:x:none:kiosk\n",
	} {
		if err := os.WriteFile(filepath.Join(root, "etc", name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return Options{Root: root, TrustCaller: true}
}

// call ends an [[expect]] that says who.
const call = "\nmethod = \"io.halberd.Led.Set\"\nparameters = { led = \"front\", brightness = 5 }\nallowed = true\n"

func TestExpectationsWho(t *testing.T) {
	tests := []struct {
		name, text string
		want       Caller
	}{
		{"a user with the groups of the files", `user = "kiosk"`, Caller{UID: 1000, GID: 77, Groups: []uint32{44, 300}}},
		{"a user of no group", `user = "lonely"`, Caller{UID: 1001}},
		{"a user with other groups", "user = \"kiosk\"\ngid = 5\ngroups = [7, \"leds\"]", Caller{UID: 1000, GID: 5, Groups: []uint32{7, 300}}},
		{"a user with no groups", "user = \"kiosk\"\ngroups = []", Caller{UID: 1000, GID: 77}},
		{"a number", "uid = 1000", Caller{UID: 1000, GID: 1000}},
		{"a number with all that there is", "uid = 7\ngid = 8\ngroups = [9]\nunit = \"a.service\"\nlabel = \"l\"\ntransport = \"seqpacket\"", Caller{UID: 7, GID: 8, Groups: []uint32{9}, Unit: "a.service", Label: "l"}},
		{"root", "uid = 0", Caller{}},
		{"nobody", "uid = 65534", Caller{UID: 65534, GID: 65534}},
		{"a datagram", "uid = 1\ntransport = \"dgram\"", Caller{UID: 1, GID: 1, Datagram: true}},
	}
	for _, tt := range tests {
		all, err := ParseExpectations(household(t), configtest.Catalog(), "e.toml", "[[expect]]\n"+tt.text+call)
		if err != nil || len(all) != 1 || !reflect.DeepEqual(all[0].Who, tt.want) {
			t.Errorf("%s: got %+v, %v, want %+v", tt.name, all, err, tt.want)
		}
	}
}

func TestExpectations(t *testing.T) {
	all, err := ParseExpectations(household(t), configtest.Catalog(), "e.toml", `
[[expect]]
name = "the kiosk dims"
uid = 1000`+call+`grant = "dim"

[[expect]]
uid = 1
method = "io.halberd.Led.Count"
allowed = false

[[expect]]
uid = 1
method = "io.halberd.Led.Count"
parameters = {}
allowed = false
`)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range all {
		got = append(got, fmt.Sprintf("%s:%d %q %s %v %v %q", e.File, e.Line, e.Name, e.Method.FullName(), e.Call != nil, e.Allowed, e.Grant))
	}
	want := []string{
		`e.toml:2 "the kiosk dims" io.halberd.Led.Set true true "dim"`,
		`e.toml:10 "" io.halberd.Led.Count false false ""`,
		`e.toml:15 "" io.halberd.Led.Count true false ""`,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if id := all[0].Call.DeviceID(0); id != "front" {
		t.Errorf("the first call is about %q, want front", id)
	}
}

func TestBadExpectations(t *testing.T) {
	const head = "[[expect]]\nuid = 1\n"
	tests := []struct {
		name, text string
		want       []string
	}{
		{"nothing", "", []string{"e.toml:1: there are no expectations: each is an [[expect]]"}},
		{"no TOML", "x", []string{"e.toml:1: "}},
		{"another table", "[[grant]]\n", []string{`e.toml:1: unknown key "grant"`}},
		{"an empty one", "\n[[expect]]\n", []string{"e.toml:2: expectation is about nobody: give user or uid", "e.toml:2: expectation is about no call: give method", "e.toml:2: expectation has no allowed: give true or false"}},
		{"an unknown key", head + "methods = 1" + call, []string{`e.toml:3: unknown key "methods" (did you mean method?)`}},
		{"a user and a uid", head + "user = \"kiosk\"" + call, []string{"e.toml:2: give user or uid, not both"}},
		{"a user that is not there", "[[expect]]\nuser = \"ghost\"" + call, []string{`e.toml:2: user "ghost" is not in `}},
		{"a user that is a number", "[[expect]]\nuser = 7" + call, []string{"e.toml:2: user must be a string, not an integer"}},
		{"a uid that is too large", "[[expect]]\nuid = 4294967296" + call, []string{"e.toml:2: uid must be from 0 to 4294967295"}},
		{"a group that is not there", head + "groups = [7,\n\"ghost\"]" + call, []string{`e.toml:4: group "ghost" is not in `}},
		{"a group of another type", head + "groups = [true]" + call, []string{"e.toml:3: group must be a name or a number, not a boolean"}},
		{"a group that is too large", head + "groups = [-1]" + call, []string{"e.toml:3: group -1 must be from 0 to 4294967295"}},
		{"groups that are none", head + "groups = 7" + call, []string{"e.toml:3: groups must be an array, not an integer"}},
		{"another transport", head + "transport = \"tcp\"" + call, []string{"e.toml:3: transport must be one of stream, seqpacket, dgram"}},
		{"an unknown method", head + "method = \"io.halberd.Led.Sett\"\nallowed = true", []string{`e.toml:3: unknown method "io.halberd.Led.Sett" (did you mean io.halberd.Led.Set?)`}},
		{"a pattern for a method", head + "method = \"io.halberd.Led.*\"\nallowed = true", []string{"e.toml:3: unknown method"}},
		{"a parameter that is missing", head + "method = \"io.halberd.Led.Set\"\nparameters = { led = \"front\" }\nallowed = true", []string{"e.toml:4: brightness is missing"}},
		{"an unknown parameter", head + "method = \"io.halberd.Led.Get\"\nallowed = true\n[expect.parameters]\nled = \"front\"\nspeed = 1\n", []string{"e.toml:7: speed unknown"}},
		{"a parameter of another type", head + "method = \"io.halberd.Led.Get\"\nallowed = true\nparameters.led = 7", []string{"e.toml:5: led must be a string, not an integer"}},
		{"a date as a parameter", head + "method = \"io.halberd.Led.Get\"\nallowed = true\nparameters.led = 2026-01-01", []string{"e.toml:5: must not be a date"}},
		{"parameters that are none", head + "method = \"io.halberd.Led.Get\"\nallowed = true\nparameters = 7", []string{"e.toml:5: parameters must be a table, not an integer"}},
		{"neither yes nor no", head + "method = \"io.halberd.Led.Get\"\nallowed = \"yes\"", []string{"e.toml:4: allowed must be true or false, not a string"}},
		{"a grant that denies", head + "method = \"io.halberd.Led.Get\"\nallowed = false\ngrant = \"x\"", []string{"e.toml:5: grant needs allowed = true: no grant denies a call"}},
		{"all at once", head + "gid = -1\nmethod = 3\nallowed = 1", []string{"e.toml:3: gid must be from 0", "e.toml:4: method must be a string", "e.toml:5: allowed must be"}},
	}
	for _, tt := range tests {
		all, err := ParseExpectations(household(t), configtest.Catalog(), "e.toml", tt.text)
		if err == nil {
			t.Errorf("%s: got %+v, want an error", tt.name, all)
			continue
		}
		got := strings.Split(err.Error(), "\n")
		for i, want := range tt.want {
			if i >= len(got) || !strings.HasPrefix(got[i], want) || len(got) != len(tt.want) {
				t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
				break
			}
		}
	}
}

// TestExpectKeys: each key that is read is in the reference.
func TestExpectKeys(t *testing.T) {
	text := "[[expect]]\n"
	for _, k := range ExpectKeys() {
		text += k.Name + " = " + map[string]string{
			"uid": "1", "gid": "1", "groups": "[1]", "parameters": "{ led = \"front\" }", "allowed": "true", "method": `"io.halberd.Led.Get"`, "transport": `"stream"`,
		}[k.Name]
		if strings.HasSuffix(text, " = ") {
			text += `"root"`
		}
		text += "\n"
	}
	_, err := ParseExpectations(household(t), configtest.Catalog(), "e.toml", strings.Replace(text, "user = \"root\"\n", "", 1))
	if err != nil {
		t.Errorf("got %v of\n%s", err, text)
	}
}
