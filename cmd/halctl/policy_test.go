package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/halberd-io/halberd/service/servicetest"
)

// withHalberd runs halctl as a process of its own, with a program halberd on its path that does as a script says, or with none.
func withHalberd(t *testing.T, script string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	dir := t.TempDir()
	if script != "" {
		if err := os.WriteFile(filepath.Join(dir, "halberd"), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := servicetest.Command(t, args...)
	cmd.Env = append(os.Environ(), programVariable+"=1", "PATH=relative:"+dir)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// TestPolicyTest: halberd tries the policy, and how it ends is how halctl ends.
func TestPolicyTest(t *testing.T) {
	rows := []struct {
		name, script, args string
		status             int
		stdout, stderr     string
	}{
		{"met", `echo "$@"`, "policy test a.toml", 0, "check -config= -root= -test=a.toml\n", ""},
		{"with folders and several files", `echo "$@"`, "policy test -config /c -root=/r a.toml -- -b.toml", 0, "check -config=/c -root=/r -test=a.toml -test=-b.toml\n", ""},
		{"with a folder behind the files", `echo "$@"`, "policy test a.toml -config /c b.toml", 0, "check -config=/c -root= -test=a.toml -test=b.toml\n", ""},
		{"a folder that is missing", "", "policy test a.toml -config", 2, "", "usage: halctl policy test [-config DIR] [-root DIR] FILE...: flag needs an argument: -config\n"},
		{"another option behind a file", "", "policy test a.toml -frob", 2, "", "usage: halctl policy test [-config DIR] [-root DIR] FILE...: flag provided but not defined: -frob\n"},
		{"not met", "echo 'halberd: no' >&2; exit 1", "policy test a.toml", 1, "", "halberd: no\n"},
		{"used wrongly", "exit 2", "policy test a.toml", 2, "", ""},
		{"no halberd", "", "policy test a.toml", 1, "", "halctl: cannot find the program halberd, …"},
		{"no file", "", "policy test", 2, "", "usage: halctl policy test [-config DIR] [-root DIR] FILE...\n"},
		{"no command", "", "policy", 2, "", "usage: halctl policy test …"},
		{"another command", "", "policy show a.toml", 2, "", "usage: halctl policy test …"},
		{"another option", "", "policy test -frob a.toml", 2, "", "usage: halctl policy test …"},
		{"as JSON", "", "-j policy test a.toml", 2, "", "usage: halctl policy test [-config DIR] [-root DIR] FILE..., without -j\n"},
		{"help", "", "policy test -h", 0, "usage: halctl policy test [-config DIR] [-root DIR] FILE...\ntry what files of …", ""},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			status, stdout, stderr := withHalberd(t, row.script, strings.Fields(row.args)...)
			if status != row.status || !matches(stdout, row.stdout) || !matches(stderr, row.stderr) {
				t.Errorf("got %d, %q, %q\nwant %d, %q, %q", status, stdout, stderr, row.status, row.stdout, row.stderr)
			}
		})
	}
}
