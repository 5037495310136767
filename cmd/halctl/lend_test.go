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
