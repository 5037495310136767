package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

func TestUsage(t *testing.T) {
	rows := []struct {
		name       string
		args       []string
		want       int
		wantStdout string // a part of it
		wantStderr string // a part of it
	}{
		{"the version", []string{"-version"}, 0, "halberd devel\n", ""},
		{"help", []string{"-h"}, 0, "", "-socket-fd N"},
		{"help about check", []string{"check", "-h"}, 0, "", "-root DIR"},
		{"help about detect", []string{"detect", "-h"}, 0, "", "halberd detect"},
		{"help names the other commands", []string{"-h"}, 0, "", "halberd check [FLAG]..."},
		{"an unknown flag", []string{"-frob"}, 2, "", "-frob"},
		{"an unknown command", []string{"frobnicate"}, 2, "", `cannot understand "frobnicate"`},
		{"a command behind flags", []string{"-sim", "check"}, 2, "", `cannot understand "check"`},
		{"an address without a type", []string{"-listen", "@halberd"}, 2, "", `cannot read address "@halberd"`},
		{"an address of the network", []string{"-listen", "tcp:80"}, 2, "", `cannot read address "tcp:80"`},
		{"a packet socket with a path", []string{"-listen", "seqpacket:/run/x"}, 2, "", "only a stream socket can have a path"},
		{"no number of a descriptor", []string{"-socket-fd", "three"}, 2, "", `"three"`},
		{"a flag without its value", []string{"-config"}, 2, "", "-config"},
		{"an unknown flag of check", []string{"check", "-sim"}, 2, "", "-sim"},
		{"an argument of check", []string{"check", "board.toml"}, 2, "", `cannot understand "board.toml"`},
		{"an argument of detect", []string{"detect", "gpio"}, 2, "", `cannot understand "gpio"`},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			got := run(row.args, &stdout, &stderr)
			if got != row.want {
				t.Errorf("got exit status %d, want %d", got, row.want)
			}
			if !strings.Contains(stdout.String(), row.wantStdout) || row.wantStdout == "" && stdout.Len() > 0 {
				t.Errorf("got standard output %q, want %q in it", stdout.String(), row.wantStdout)
			}
			if !strings.Contains(stderr.String(), row.wantStderr) || row.wantStderr == "" && stderr.Len() > 0 {
				t.Errorf("got standard error %q, want %q in it", stderr.String(), row.wantStderr)
			}
		})
	}
}

// TestExitStatus: what run gives is what the process ends with.
func TestExitStatus(t *testing.T) {
	rows := []struct {
		name string
		args []string
		want int
	}{
		{"done", []string{"-version"}, 0},
		{"failed", []string{"-config", "/nowhere"}, 1},
		{"usage", []string{"-frob"}, 2},
	}
	for _, row := range rows {
		p := start(t, daemon(t, row.args...))
		if <-p.done; p.ProcessState.ExitCode() != row.want {
			t.Errorf("%s: got exit status %d, want %d", row.name, p.ProcessState.ExitCode(), row.want)
		}
	}
}

// TestCannotServe: what keeps a daemon from serving is named, and it ends with 1.
func TestCannotServe(t *testing.T) {
	taken := name()
	bind(t, 0, taken)
	full := folder(t, map[string]string{"file": "", "socket": ""})
	rows := []struct {
		name string
		args []string
		want []string
	}{
		{"a folder that is not there", []string{"-config", "/nowhere"}, []string{"/nowhere: cannot read: no such folder"}},
		{"an address that somebody has", []string{"-sim", "-listen", "stream:" + taken}, []string{"cannot listen on stream:" + taken, "address already in use"}},
		{"a path where a file is", []string{"-sim", "-listen", "stream:" + full + "/file"}, []string{full + "/file", "something else than a socket"}},
		{"a descriptor that is not there", []string{"-sim", "-socket-fd", "99"}, []string{"-socket-fd 99", "bad file descriptor"}},
		{"a descriptor that is no socket", []string{"-sim", "-socket-fd", "0"}, []string{"-socket-fd 0", "socket operation on non-socket"}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			p := start(t, daemon(t, row.args...))
			p.exits(t, 1)
			for _, want := range row.want {
				if got := p.stderr.String(); !strings.Contains(got, want) || !strings.HasPrefix(got, "halberd: ") {
					t.Errorf("got standard error %q, want %q in it", got, want)
				}
			}
		})
	}
	if _, err := os.Stat(full + "/file"); err != nil {
		t.Errorf("the file in the way: %v", err)
	}
}
