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
