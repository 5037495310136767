package main

import (
	"os"
	"strings"
	"testing"

	"github.com/halberd-io/halberd/service/servicetest"
)

// TestLend: a command gets the descriptor that a method gives, for as long as it runs.
func TestLend(t *testing.T) {
	rows := []struct {
		name, args     string
		command        string // to a shell
		status         int
		stdout, stderr string
	}{
		{"a port", "serial open modem 115200", "printf ping >&3; head -c 4 <&3", 0, "ping", ""},
		{"a command that fails", "serial open modem 9600", "exit 7", 1, "", "halctl: the command ended with status 7\n"},
		{"a call that is refused", "serial open modem 9600 --bits 9", "echo never", 1, "", "halctl: io.halberd.Serial.Open: org.varlink.service.InvalidParameter: {\"parameter\":\"bits\"}…"},
		{"without a command", "serial open modem 9600", "", 2, "", "usage: halctl serial open PORT BAUD…"},
	}
	for _, kind := range connections {
		for _, row := range rows {
			t.Run(row.name+" over "+kind.String(), func(t *testing.T) {
				s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()))
				args := strings.Fields(row.args)
				if row.command != "" {
					args = append(args, "--", "sh", "-c", row.command)
				}
				status, stdout, stderr := at(t, s, kind, args...)
				if strings.Contains(stderr, "ENOSYS") {
					t.Skip("a terminal answers ENOSYS: this is user-mode emulation")
				}
				if status != row.status || stdout != row.stdout || !matches(stderr, row.stderr) {
					t.Errorf("got %d, %q, %q, want %d, %q, %q", status, stdout, stderr, row.status, row.stdout, row.stderr)
				}
			})
		}
	}
}

// TestPortInUse: it is said that somebody has it, and how to find out who.
func TestPortInUse(t *testing.T) {
	for _, kind := range connections {
		s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()))
		got, err := s.MustDial(t, kind).Call(`{"method":"io.halberd.Serial.Open","parameters":{"port":"modem","baud":9600}}`)
		if strings.Contains(got, "ENOSYS") {
			t.Skip("a terminal answers ENOSYS: this is user-mode emulation")
		}
		if err != nil || strings.Contains(got, "error") {
			t.Fatalf("got %s, %v", got, err)
		}
		status, _, stderr := at(t, s, kind, "serial", "open", "modem", "9600", "--", "true")
		want := "halctl: io.halberd.Serial.Open: io.halberd.Busy: {\"class\":\"Serial\",\"device\":\"modem\",\"holder\":\"lease\"}\nSomebody has a descriptor of it: halctl holders says who.\n"
		if status != 1 || stderr != want {
			t.Errorf("%s: got %d, %q, want %q", kind, status, stderr, want)
		}
		if _, stdout, _ := at(t, s, kind, "holders"); !strings.Contains(stdout, "Serial/modem") {
			t.Errorf("%s: holders has %q", kind, stdout)
		}
	}
}
