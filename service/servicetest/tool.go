package servicetest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Varlinkctl gives the path of systemd's varlinkctl: what HALBERD_VARLINKCTL says, the one of this machine, or the one that cross/varlinkctl.sh
// provides. Where there is none the test is skipped.
func Varlinkctl(t testing.TB) string {
	t.Helper()
	path, why := varlinkctl()
	if path == "" {
		t.Skip(why)
	}
	return path
}

var varlinkctl = sync.OnceValues(func() (path, why string) {
	if path := os.Getenv("HALBERD_VARLINKCTL"); path != "" {
		return path, ""
	}
	if path, err := exec.LookPath("varlinkctl"); err == nil {
		return path, ""
	}
	root, err := moduleRoot()
	if err != nil {
		return "", err.Error()
	}
	cmd := exec.Command("bash", filepath.Join(root, "cross/varlinkctl.sh"))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", "varlinkctl: " + err.Error() + ": " + strings.TrimSpace(stderr.String())
	}
	return strings.TrimSpace(string(out)), ""
})

// moduleRoot finds go.mod above the folder that go test stands in, which is the package's.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", os.ErrNotExist
		}
		dir = filepath.Dir(dir)
	}
	return "", err
}
