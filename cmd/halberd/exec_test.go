package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/halberd-io/halberd/service/servicetest"
)

// TestVarlinkctlExec: systemd's varlinkctl starts the daemon for one connection, with nothing listening anywhere.
func TestVarlinkctlExec(t *testing.T) {
	tool := servicetest.Varlinkctl(t)
	program := daemon(t, "-sim")
	script := "#!/bin/sh\nexport " + roleVariable + "=" + roleDaemon + "\nexec " + strings.Join(program.Args, " ") + "\n"
	path := filepath.Join(t.TempDir(), "halberd")
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(tool, "call", "exec:"+path, "io.halberd.Policy.WhoAmI", "{}").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var who identity
	if err := json.Unmarshal(out, &who); err != nil || who.UID != int64(os.Geteuid()) || who.Transport != "stream" {
		t.Errorf("got %s, %v, want uid %d alone on standard output", out, err, os.Geteuid())
	}
	out, err = exec.Command(tool, "info", "exec:"+path).CombinedOutput()
	if want := fmt.Sprintf("Product: %s", "halberd"); err != nil || !strings.Contains(string(out), want) {
		t.Errorf("got %s, %v, want %q in it", out, err, want)
	}
}
