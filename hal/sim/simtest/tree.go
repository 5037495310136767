package simtest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/kernel"
)

// Tree unpacks a /sys and gives the running kernel with that tree as its root. A line of the file is a link, "path -> target", or an attribute, "path = text", where \n is a line feed within the text. The trees are kept in
// one file each, since names in /sys have colons, which the files of a Go module may not have.
func Tree(t *testing.T, file string) hal.Kernel {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := unpack(root, line); err != nil {
			t.Fatal(err)
		}
	}
	return kernel.Linux{Root: root}
}

func unpack(root, line string) error {
	path, target, isLink := strings.Cut(line, " -> ")
	path, text, _ := strings.Cut(path, " = ")
	path = filepath.Join(root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if isLink {
		return os.Symlink(target, path)
	}
	return os.WriteFile(path, []byte(strings.ReplaceAll(text, `\n`, "\n")+"\n"), 0o644)
}
