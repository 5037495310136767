package main

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/halberd-io/halberd/hal/board"
	"github.com/halberd-io/halberd/service"
)

// installed is what `make install` lays out beside the interface texts.
var installed = []string{
	"usr/bin/halberd", "usr/bin/halctl",
	"usr/lib/halberd/halberd.toml", "usr/lib/halberd/policy.d/00-root.toml",
	"usr/lib/systemd/system/halberd-safe.service", "usr/lib/systemd/system/halberd.service", "usr/lib/systemd/system/halberd.socket",
	"usr/lib/systemd/system-preset/90-halberd.preset",
	"usr/lib/tmpfiles.d/halberd.conf",
	"usr/lib/udev/rules.d/60-halberd.rules",
	"usr/share/bash-completion/completions/halctl", "usr/share/fish/vendor_completions.d/halctl.fish", "usr/share/zsh/vendor-completions/_halctl",
	"usr/share/doc/halberd/examples/sysusers/kiosk.conf", "usr/share/doc/halberd/examples/udev/99-halberd-exclusive.rules",
}

// runIn runs a program of this machine in a folder.
func runIn(t *testing.T, dir, program string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Skip(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// source is a copy of what `make install` reads, with this machine's programs built, and other files in the place of those of arm64.
func source(t *testing.T) string {
	t.Helper()
	if host := strings.TrimSpace(runIn(t, ".", "go", "env", "GOHOSTARCH")); host != runtime.GOARCH {
		t.Skipf("an installation runs on the machine that builds: %s, not %s", host, runtime.GOARCH)
	}
	dir := t.TempDir()
	for _, name := range []string{"Makefile", "rootfs", "init/systemd"} {
		runIn(t, "../..", "cp", "-R", "--parents", name, dir)
	}
	runIn(t, ".", "go", "build", "-o", dir+"/build/", ".", "../halctl")
	for _, name := range []string{"halberd", "halctl"} {
		path := filepath.Join(dir, "build/arm64", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(name+" of arm64"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// install gives the folder that a tree was installed into.
func install(t *testing.T, variables ...string) string {
	t.Helper()
	tree := t.TempDir()
	runIn(t, source(t), "make", append([]string{"install", "DESTDIR=" + tree}, variables...)...)
	return tree
}

// files are those below a folder, with their modes checked.
func files(t *testing.T, root string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name := strings.TrimPrefix(path, root+"/")
		names = append(names, name)
		info, err := d.Info()
		if err != nil {
			return err
		}
		want := fs.FileMode(0o644)
		if strings.HasPrefix(name, "usr/bin/") {
			want = 0o755
		}
		if info.Mode() != want {
			t.Errorf("%s has mode %v, want %v", name, info.Mode(), want)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// TestInstall: the whole tree is there and nothing else, with the target's programs and the texts that this build has.
func TestInstall(t *testing.T) {
	tree := install(t, "TARGET=arm64")
	want := slices.Clone(installed)
	cat, err := service.Describe(board.Drivers())
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range cat.Interfaces() {
		if !strings.HasPrefix(i.Name, "io.halberd") {
			continue
		}
		name := "usr/share/varlink/" + i.Name + ".varlink"
		want = append(want, name)
		if text, err := os.ReadFile(filepath.Join(tree, name)); err != nil || string(text) != i.Text {
			t.Errorf("%s: got %q, %v", name, text, err)
		}
	}
	slices.Sort(want)
	got := files(t, tree)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, name := range []string{"halberd", "halctl"} {
		if text, err := os.ReadFile(filepath.Join(tree, "usr/bin", name)); err != nil || string(text) != name+" of arm64" {
			t.Errorf("%s is not that of arm64 (%v)", name, err)
		}
	}
}

// TestInstallElsewhere: with another prefix, the units start the programs from there.
func TestInstallElsewhere(t *testing.T) {
	tree := install(t, "PREFIX=/usr/local")
	for unit, want := range map[string]string{"halberd.service": "\nExecStart=/usr/local/bin/halberd\n", "halberd-safe.service": "\texec /usr/local/bin/halctl safe'\n"} {
		text, err := os.ReadFile(filepath.Join(tree, "usr/local/lib/systemd/system", unit))
		if err != nil || !bytes.Contains(text, []byte(want)) {
			t.Errorf("%s: got %s, %v, want %q in it", unit, text, err, want)
		}
	}
	if _, err := os.Stat(filepath.Join(tree, "usr/lib/halberd/policy.d/00-root.toml")); err != nil {
		t.Errorf("the default configuration is not where the daemon reads it: %v", err)
	}
}

// TestUnits: systemd finds nothing wrong with them, but for a key that is newer than it may be, and calls them well protected.
func TestUnits(t *testing.T) {
	dir := install(t)
	var paths []string
	for _, name := range []string{"halberd.service", "halberd-safe.service", "halberd.socket"} {
		path := filepath.Join(dir, "usr/lib/systemd/system", name)
		text, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(path, bytes.ReplaceAll(text, []byte("=/usr/bin/"), []byte("="+dir+"/usr/bin/")), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	for line := range strings.Lines(runIn(t, dir, "systemd-analyze", append([]string{"verify", "--man=no"}, paths...)...)) {
		if strings.Contains(line, "/halberd") && !strings.Contains(line, "Unknown key 'FileDescriptorStorePreserve'") {
			t.Error(strings.TrimSpace(line))
		}
	}
	for _, path := range paths[:2] {
		runIn(t, dir, "systemd-analyze", "security", "--offline=yes", "--threshold=15", path)
	}
}

// TestPreset: an image whose units are set to their presets has all three enabled.
func TestPreset(t *testing.T) {
	tree := install(t)
	runIn(t, tree, "systemctl", "--root="+tree, "preset-all")
	for _, link := range []string{"sockets.target.wants/halberd.socket", "multi-user.target.wants/halberd.service", "halberd.service.wants/halberd-safe.service"} {
		if _, err := os.Lstat(filepath.Join(tree, "etc/systemd/system", link)); err != nil {
			t.Error(err)
		}
	}
}
