package state_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/service/state"
)

// both are the kinds of state, each in two views, of which the second is what a restarted daemon has: of Memory there is one.
func both(t *testing.T) map[string][2]hal.State {
	dir := filepath.Join(t.TempDir(), "var", "halberd")
	var m state.Memory
	return map[string][2]hal.State{"folder": {state.NewFolder(dir), state.NewFolder(dir)}, "memory": {&m, &m}}
}

func TestSaveAndLoad(t *testing.T) {
	for kind, s := range both(t) {
		t.Run(kind, func(t *testing.T) {
			if got, err := s[0].Load("rtc-wakes"); got != nil || err != nil {
				t.Errorf("before: got %q, %v, want nothing", got, err)
			}
			for _, text := range []string{"one", "another one", "", strings.Repeat("x", state.MaxSize)} {
				data := []byte(text)
				if err := s[0].Save("rtc-wakes", data); err != nil {
					t.Fatal(err)
				}
				clear(data)
				if got, err := s[1].Load("rtc-wakes"); err != nil || got == nil || string(got) != text {
					t.Errorf("got %.20q, %v, want %.20q", got, err, text)
				}
			}
			if err := s[0].Save("rtc-wakes", make([]byte, state.MaxSize+1)); err == nil {
				t.Error("what is too long is saved")
			}
			if got, err := s[1].Load("rtc-wakes"); err != nil || !bytes.Equal(got, bytes.Repeat([]byte("x"), state.MaxSize)) {
				t.Errorf("what was refused changed what was saved: %.20q, %v", got, err)
			}
		})
	}
}

func TestNames(t *testing.T) {
	for kind, s := range both(t) {
		for _, name := range []string{"", ".", "..", "../x", "a/b", "/etc/passwd", ".rtc.new", "-x", "Rtc", "a b", "a\x00", "ä", strings.Repeat("a", 65)} {
			if err := s[0].Save(name, nil); err == nil {
				t.Errorf("%s: %q is saved", kind, name)
			}
			if _, err := s[0].Load(name); err == nil {
				t.Errorf("%s: %q is loaded", kind, name)
			}
		}
		for _, name := range []string{"a", "rtc-wakes", "0", strings.Repeat("a", 64)} {
			if err := s[0].Save(name, []byte(name)); err != nil {
				t.Errorf("%s: %v", kind, err)
			}
		}
	}
}

// TestFiles: the folder and the file are for the daemon alone, nothing else is left, and what a crash left in between does no harm.
func TestFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "halberd")
	f := state.NewFolder(dir)
	if _, err := f.Load("a"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("loading makes the folder (%v)", err)
	}
	if err := f.Save("a", []byte("before")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, ".a.new"), []byte("half"), 0o666); err != nil {
		t.Fatal(err)
	}
	if got, err := f.Load("a"); string(got) != "before" || err != nil {
		t.Errorf("got %q, %v, want what was saved before", got, err)
	}
	if err := f.Save("a", []byte("after")); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 || entries[0].Name() != "a" {
		t.Fatalf("the folder has %v, %v, want a alone", entries, err)
	}
	file, err := entries[0].Info()
	if err != nil || file.Mode() != 0o600 {
		t.Errorf("the file has mode %v, %v, want 0600", file.Mode(), err)
	}
	if folder, err := os.Stat(dir); err != nil || folder.Mode().Perm() != 0o700 {
		t.Errorf("the folder has mode %v, %v, want 0700", folder.Mode(), err)
	}
}

// TestUntrusted: a folder that others can write to, and a file that is none, are refused, and nothing is written through them.
func TestUntrusted(t *testing.T) {
	for _, c := range []struct {
		name    string
		prepare func(dir string) error
		loads   error // nil where any error will do
	}{
		{"a folder that others can write to", func(dir string) error { return os.Chmod(dir, 0o777) }, nil},
		{"a file that is a link", func(dir string) error { return os.Symlink("../target", filepath.Join(dir, "a")) }, unix.ELOOP},
		{"a file that is a folder", func(dir string) error { return os.MkdirAll(filepath.Join(dir, "a", "b"), 0o700) }, unix.EISDIR},
		{"a file that is too long", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "a"), make([]byte, state.MaxSize+1), 0o600)
		}, unix.EFBIG},
	} {
		t.Run(c.name, func(t *testing.T) {
			base := t.TempDir()
			dir, target := filepath.Join(base, "halberd"), filepath.Join(base, "target")
			err := errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(target, []byte("theirs"), 0o600), c.prepare(dir))
			if err != nil {
				t.Fatal(err)
			}
			f := state.NewFolder(dir)
			if got, err := f.Load("a"); err == nil || c.loads != nil && !errors.Is(err, c.loads) {
				t.Errorf("loading: got %.20q, %v, want %v", got, err, c.loads)
			}
			_ = f.Save("a", []byte("ours"))
			if got, err := os.ReadFile(target); string(got) != "theirs" || err != nil {
				t.Errorf("the other file is %q, %v", got, err)
			}
			if left, _ := filepath.Glob(filepath.Join(dir, ".*.new")); len(left) > 0 {
				t.Errorf("%q is left", left)
			}
		})
	}
}

// TestFolderOfAnother: of another user even when nobody else can write to it.
func TestFolderOfAnother(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skipf("cannot give a folder away: %v", unix.EPERM)
	}
	dir := t.TempDir()
	if err := errors.Join(os.Chmod(dir, 0o700), os.Chown(dir, 4711, 4711)); err != nil {
		t.Fatal(err)
	}
	if err := state.NewFolder(dir).Save("a", nil); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("got %v, want it refused, with the folder's name", err)
	}
}

func TestPath(t *testing.T) {
	for value, want := range map[string]string{"": state.Default, "/run/x": "/run/x", "/a:/b": "/a", "relative": state.Default} {
		t.Setenv("STATE_DIRECTORY", value)
		if got := state.Path(); got != want {
			t.Errorf("STATE_DIRECTORY=%s: got %s, want %s", value, got, want)
		}
	}
}

// TestManyGoroutines: whoever loads sees one of those that were saved, whole.
func TestManyGoroutines(t *testing.T) {
	for kind, s := range both(t) {
		var all sync.WaitGroup
		for _, text := range []string{"aaaaaaaa", "bbbb"} {
			all.Go(func() {
				for range 20 {
					if err := s[0].Save("a", []byte(text)); err != nil {
						t.Errorf("%s: %v", kind, err)
					}
					if got, err := s[0].Load("a"); err != nil || string(got) != "aaaaaaaa" && string(got) != "bbbb" {
						t.Errorf("%s: got %q, %v", kind, got, err)
					}
				}
			})
		}
		all.Wait()
	}
}
