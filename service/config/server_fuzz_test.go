package config_test

import (
	"errors"
	"testing"

	"github.com/halberd-io/halberd/hal/haltest"
	"github.com/halberd-io/halberd/service/config"
	"github.com/halberd-io/halberd/service/config/configtest"
	"github.com/halberd-io/halberd/service/policy"
)

// placed makes sure that each error says where it is.
func placed(t *testing.T, file string, err error) {
	t.Helper()
	for _, e := range err.(interface{ Unwrap() []error }).Unwrap() {
		var one *config.Error
		if !errors.As(e, &one) || one.File != file || one.Line < 1 || one.What == "" {
			t.Errorf("an error without its place: %#v", e)
		}
	}
}

var serverFiles = []string{
	"", "log-level = \"debug\"\naudit = \"all\"\n[limits]\nconnections = 100\nconnections-reserved = 99\nconnections-per-uid = 100\nqueued-bytes = 65536\nqueued-bytes-per-uid = 65536\n",
	"[limits]\nwrite-timeout-msec = 1\nmessage-timeout-msec = 3600000\nwatched-devices-per-uid = 0\nclaimed-devices-per-uid = 0\npassed-descriptors-per-uid = 253\nreclaim-msec = 0\n",
	"[limits]\nqueued-bytes = 1073741824\n", "limits = { connections = 2 }", "limits = 1\naudit = 1\nlog-level = [\"x\"]", "[limits]\nConnections = 5\nconnections = \"5\"", "[limits]\nconnections = 2\nconnections-reserved = 2\n[[limits]]",
}

// checkServerFile: reading never panics, an error has its file and line, and limits that are taken do not contradict each other.
func checkServerFile(t *testing.T, text string) {
	t.Helper()
	s, err := config.ParseServer("h.toml", text)
	if err != nil {
		placed(t, "h.toml", err)
		return
	}
	l := &s.Limits
	if l.Connections < 2 || l.ConnectionsReserved < 0 || l.ConnectionsReserved >= l.Connections || l.ConnectionsPerUID < 1 || l.ConnectionsPerUID > l.Connections {
		t.Errorf("%q: connections %+v", text, l)
	}
	if l.QueuedBytes < 65536 || l.QueuedBytes > l.QueuedBytesPerUID || l.WriteTimeout <= 0 || l.MessageTimeout <= 0 || l.WatchedDevicesPerUID < 0 || l.ClaimedDevicesPerUID < 0 || l.Reclaim < 0 {
		t.Errorf("%q: limits %+v", text, l)
	}
	if l.PassedDescriptorsPerUID < 0 || l.PassedDescriptorsPerUID > 253 {
		t.Errorf("%q: %d descriptors, more than one message can carry", text, l.PassedDescriptorsPerUID)
	}
}

func FuzzServerFile(f *testing.F) {
	for _, s := range serverFiles {
		f.Add(s)
	}
	f.Fuzz(checkServerFile)
}

func TestRandomServerFiles(t *testing.T) {
	for text := range haltest.Inputs(2000, serverFiles...) {
		checkServerFile(t, text)
	}
}

var expectFiles = []string{
	"", "[[expect]]\nname = \"a\"\nuid = 1000\ngid = 5\ngroups = [5, 6]\nunit = \"a.service\"\nlabel = \"x\"\ntransport = \"dgram\"\nmethod = \"io.halberd.Led.Set\"\nparameters = { led = \"front\", brightness = 1 }\nallowed = true\ngrant = \"g\"",
	"[[expect]]\nuser = \"root\"\nmethod = \"io.halberd.I2c.Transfer\"\nallowed = false\n[expect.parameters]\nbus = \"eeprom\"\ndata = \"\"\ntags = [\"a\"]\nmessages = [{address = 80, length = 1.5}]",
	"[[expect]]\nuid = 4294967295\nmethod = \"io.halberd.Gpio.Get\"\nparameters.lines = [\"chip/4\", \"chip/4\"]\nallowed = false", "[[expect]]\nuid = 65534\nmethod = \"io.halberd.Policy.WhoAmI\"\nallowed = true", "expect = 1",
	"[[expect]]\n[[expect]]\nuid = -1\ngroups = [\"x\", 1.5, 99999999999]\ntransport = 1\nallowed = 1\nmethod = \"x\"\nparameters = 5",
}

// checkExpectFile: reading never panics, an error has its file and line, and what is taken can be held against a policy.
func checkExpectFile(t *testing.T, p *policy.Policy, opt config.Options, text string) {
	t.Helper()
	all, err := config.ParseExpectations(opt, catalog, "e.toml", text)
	if err != nil {
		placed(t, "e.toml", err)
		return
	}
	for _, e := range all {
		if e.Method == nil || e.Line < 1 || e.File != "e.toml" || !e.Allowed && e.Grant != "" || e.Call != nil && e.Call.Method != e.Method {
			t.Errorf("%q: got %+v", text, e)
		}
	}
	for _, miss := range p.Misses(all) {
		if miss.Verdict.Reason == "" || miss.Verdict.Allowed == miss.Allowed && miss.Grant == "" {
			t.Errorf("%q: got %+v", text, miss)
		}
	}
}

var catalog = configtest.Catalog()

// expected is a policy that permits some of what is expected.
func expected(t testing.TB) (*policy.Policy, config.Options) {
	opt := config.Options{Root: t.TempDir(), TrustCaller: true}
	files, err := config.ParsePolicy(opt, catalog, "f.toml", "[[grant]]\nid = \"g\"\nusers = [1000]\nmethods = [\"io.halberd.*\"]\ndevices = [\"*\"]")
	if err != nil {
		t.Fatal(err)
	}
	return policy.Compile(files, catalog, 1, nil), opt
}

func FuzzExpectFile(f *testing.F) {
	for _, s := range expectFiles {
		f.Add(s)
	}
	p, opt := expected(f)
	f.Fuzz(func(t *testing.T, text string) { checkExpectFile(t, p, opt, text) })
}

func TestRandomExpectFiles(t *testing.T) {
	p, opt := expected(t)
	for text := range haltest.Inputs(2000, expectFiles...) {
		checkExpectFile(t, p, opt, text)
	}
}
