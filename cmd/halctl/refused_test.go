package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/halberd-io/halberd/service/servicetest"
)

// suggested takes the grant out of what is printed for people.
func suggested(stderr string) string {
	var b strings.Builder
	for line := range strings.Lines(stderr) {
		if text, ok := strings.CutPrefix(line, "  "); ok {
			b.WriteString(text)
		}
	}
	return b.String()
}

// TestSuggestion: a denial says why, and what it prints as a grant permits the call once it is put into the policy. All of them can stand in one file.
func TestSuggestion(t *testing.T) {
	rows := []struct{ args, again string }{
		{"gpio set relay-pump 1", "gpio set relay-pump 0"},
		{"gpio set relay-up 1", "gpio set relay-up 0"},
		{"gpio get relay-pump", "gpio get relay-pump"},
		{"gpio get-many relay-pump relay-up", "gpio get-many relay-up"},
		{"gpio get-many relay-pump door", "gpio get-many door relay-pump"},
		{"gpio set-many relay-down=1 relay-pump=0", "gpio set-many relay-pump=1"},
		{"led set front 100", "led set front 255"},
		{"led set-color status red=1", "led set-color status blue=1"},
		{"sensor get soc", "sensor get soc"},
		{`call io.halberd.Gpio.Toggle {"line":"relay-pump"}`, "gpio toggle relay-pump"},
		{"status", "status"},
		{"explain --uid 1 gpio get door", ""},
	}
	for _, kind := range transports {
		t.Run(kind.String(), func(t *testing.T) {
			policy := fmt.Sprintf("[[grant]]\nid = \"admin\"\nusers = [%d]\nmethods = [\"io.halberd.Policy.Reload\"]\n", os.Geteuid())
			s := servicetest.Start(t, policy)
			for _, row := range rows {
				status, stdout, stderr := at(t, s, kind, strings.Fields(row.args)...)
				grant := suggested(stderr)
				if status != 1 || stdout != "" || !strings.HasPrefix(stderr, "halctl: io.halberd.") || !strings.Contains(stderr, "PermissionDenied: ") || !strings.HasPrefix(grant, "[[grant]]\n") {
					t.Fatalf("halctl %s: got %d, %q, %q, want a denial and a grant", row.args, status, stdout, stderr)
				}
				policy += grant
				s.SetPolicy(policy)
				if status, _, stderr := at(t, s, kind, "reload"); status != 0 {
					t.Fatalf("the policy with this grant is bad: %s\n%s", stderr, grant)
				}
				if row.again == "" {
					row.again = "explain --uid " + fmt.Sprint(os.Geteuid()) + " gpio get relay-pump"
				}
				if status, _, stderr := at(t, s, kind, strings.Fields(row.again)...); status != 0 {
					t.Errorf("with the grant, halctl %s: got %d, %q, want it to be permitted\n%s", row.again, status, stderr, grant)
				}
				if status, _, _ := at(t, s, kind, "led", "set", "status", "1"); status != 1 {
					t.Errorf("the grant permits more than was asked for:\n%s", grant)
				}
			}
		})
	}
}

// TestSuggestionWithinLimits: where parameters are not within limits, what is printed as a grant permits these parameters, no others, and as often as the grant that came nearest.
func TestSuggestionWithinLimits(t *testing.T) {
	rows := []struct{ name, method, device, limits, args, want, others string }{
		{"a number", "Led.Set", "front", "where = { brightness = { max = 100 } }", "led set front 200", "where   = { brightness = { in = [200] } }\n", "led set front 201"},
		{"with a rate", "Led.Set", "front", "where = { brightness = { max = 100 } }\nrate = \"50/min\"\nburst = 20", "led set front 200", "where   = { brightness = { in = [200] } }\nrate    = \"50/min\"\nburst   = 20\n", "led set front 201"},
		{"two parameters", "Led.Blink", "front", "where = { onMSec = { max = 100 }, offMSec = { max = 100 } }", "led blink front 200 50", "where   = { offMSec = { in = [50] }, onMSec = { in = [200] } }\n", "led blink front 200 300"},
		{"a map", "Gpio.SetMany", "relay-*", "where = { values = { max = 0 } }", "gpio set-many relay-pump=1 relay-up=0", "where   = { values = { in = [0, 1] } }\n", ""},
		{"a word", "Led.SetTrigger", "Led/front", `where = { trigger = { in = ["none"] } }`, "led set-trigger front heartbeat", `where   = { trigger = { in = ["heartbeat"] } }` + "\n", "led set-trigger front timer"},
		{"inside a list", "I2c.Transfer", "*", `where = { "messages.address" = { in = [81] } }`, `i2c transfer i2c0 [{"address":80,"write":"gA=="}]`, `where   = { "messages.address" = { in = [80] } }` + "\n", `i2c transfer i2c0 [{"address":82,"write":"gA=="}]`},
		{"a device, and no parameter", "Led.Set", "status", "where = { brightness = { max = 100 } }", "led set front 200", "", ""},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			policy := fmt.Sprintf("[[grant]]\nid = \"near\"\nusers = [%d]\nmethods = [\"io.halberd.%s\"]\ndevices = [%q]\n%s\n", os.Geteuid(), row.method, row.device, row.limits)
			s := servicetest.Start(t, policy)
			_, _, stderr := at(t, s, transports[0], strings.Fields(row.args)...)
			grant := suggested(stderr)
			_, more, _ := strings.Cut(grant, "devices = ")
			if _, more, _ = strings.Cut(more, "\n"); more != row.want || !strings.Contains(stderr, `widening the grant "near"`) {
				t.Fatalf("got %q of\n%s\nwant %q", more, stderr, row.want)
			}
			s.SetPolicy(policy + grant)
			s.Reload()
			if status, _, stderr := at(t, s, transports[0], strings.Fields(row.args)...); status != 0 {
				t.Errorf("with the grant: got %d, %q\n%s", status, stderr, grant)
			}
			if row.others == "" {
				return
			}
			status, _, stderr := at(t, s, transports[0], strings.Fields(row.others)...)
			if again := suggested(stderr); status != 1 || !strings.Contains(again, "-of-"+fmt.Sprint(os.Geteuid())+"-2\"\n") {
				t.Errorf("with the grant, halctl %s: got %d, %q, want a denial, and a grant of another name", row.others, status, stderr)
			}
		})
	}
}

// TestAdviceOnRates: where calls came too often, it is said which grant keeps them, and what would have permitted one more.
func TestAdviceOnRates(t *testing.T) {
	policy := func(burst int) string {
		return fmt.Sprintf("[[grant]]\nid = \"slow\"\nusers = [%d]\nmethods = [\"io.halberd.Gpio.Get\"]\ndevices = [\"door\"]\nrate = \"2/h\"\nburst = %d\n", os.Geteuid(), burst)
	}
	for _, kind := range transports {
		s := servicetest.Start(t, policy(1))
		at(t, s, kind, "gpio", "get", "door")
		status, _, stderr := at(t, s, kind, "gpio", "get", "door")
		if want := `The grant "slow" permits it 2/h, and 1 call at once.`; status != 1 || !strings.Contains(stderr, "RateLimited") || !strings.Contains(stderr, want) || suggested(stderr) != "burst   = 2\n" {
			t.Fatalf("%s: got %d, %q, want %q and a burst of 2", kind, status, stderr, want)
		}
		s = servicetest.Start(t, policy(2))
		at(t, s, kind, "gpio", "get", "door")
		if status, _, stderr := at(t, s, kind, "gpio", "get", "door"); status != 0 {
			t.Errorf("%s: with that burst: got %d, %q", kind, status, stderr)
		}
	}
}

// TestSuggestionForAWatch: the same for what is followed.
func TestSuggestionForAWatch(t *testing.T) {
	for _, kind := range connections {
		s := servicetest.Start(t, "")
		status, _, stderr := at(t, s, kind, "gpio", "watch", "door", "button")
		grant := suggested(stderr)
		for _, want := range []string{`methods = ["io.halberd.Gpio.Watch"]`, `devices = ["door", "button"]`} {
			if status != 1 || !strings.Contains(grant, want) {
				t.Errorf("%s: got %d, %q, want %q in it", kind, status, stderr, want)
			}
		}
		s.SetPolicy(grant)
		s.Reload()
		if status, _, stderr := at(t, s, kind, "check", "gpio", "watch", "door"); status != 0 {
			t.Errorf("%s: with the grant: got %d, %q", kind, status, stderr)
		}
	}
}

// TestNoSuggestion: nothing is suggested that could not be, or would not help.
func TestNoSuggestion(t *testing.T) {
	rows := []struct{ name, args string }{
		{"no device", "call io.halberd.Gpio.Get {}"},
		{"a device of another type", `call io.halberd.Gpio.Get {"line":7}`},
		{"what can be no device", `call io.halberd.Gpio.Get {"line":"a\"b"}`},
		{"one of several", `call io.halberd.Gpio.GetMany {"lines":["door","*"]}`},
		{"none of several", `call io.halberd.Gpio.GetMany {"lines":[]}`},
	}
	s := servicetest.Start(t, "")
	for _, row := range rows {
		status, _, stderr := at(t, s, transports[0], strings.Fields(row.args)...)
		if status != 1 || !strings.Contains(stderr, "PermissionDenied: ") || strings.Contains(stderr, "[[grant]]") {
			t.Errorf("%s: got %d, %q, want a denial alone", row.name, status, stderr)
		}
	}
}

func TestIdentity(t *testing.T) {
	rows := []struct {
		name string
		who  caller
		want string
	}{
		{"root", caller{UID: 0}, "users   = [0]"},
		{"a user in a unit", caller{1000, "user@1000.service"}, "users   = [1000]"},
		{"the last before dynamic users", caller{61183, "app.service"}, "users   = [61183]"},
		{"a dynamic user", caller{61184, `my\x2dapp.service`}, `units   = ["my\\x2dapp.service"]`},
		{"a dynamic user elsewhere", caller{65519, ""}, ""},
		{"a dynamic user in what no grant can name", caller{61184, "app.socket"}, ""},
		{"a dynamic user in a unit of no name", caller{61184, "app\n.service"}, ""},
		{"nobody", caller{65534, "app.service"}, ""},
		{"no uid", caller{4294967295, ""}, ""},
	}
	for _, row := range rows {
		var p proposal
		got := ""
		if p.identify(row.who) {
			got = p.identity()
		}
		if got != row.want {
			t.Errorf("%s: got %q, want %q", row.name, got, row.want)
		}
	}
}
