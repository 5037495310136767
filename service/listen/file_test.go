package listen

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/service/peer"
)

// shortFolder is a folder whose name leaves room for a socket's.
func shortFolder(t testing.TB) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "hl")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	return folder
}

// The modes are the same whatever the umask: clients of every uid must get through.
func TestBindPath(t *testing.T) {
	defer unix.Umask(unix.Umask(0o077))
	path := filepath.Join(shortFolder(t), "a", "b", "socket")
	s := bind(t, Address{peer.Stream, path})
	checkMode(t, path, os.ModeSocket|0o666)
	checkMode(t, filepath.Dir(path), os.ModeDir|0o755)
	checkMode(t, filepath.Dir(filepath.Dir(path)), os.ModeDir|0o755)
	dial(t, s.Address)
	if got, err := nameOf(s.FD); got != path || err != nil {
		t.Errorf("name: got %q (%v), want %q", got, err, path)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after Close: got %v, want that the path is gone", err)
	}
	if got := unix.Umask(0o077); got != 0o077 {
		t.Errorf("umask: got %#o, want it as before", got)
	}
}

func checkMode(t *testing.T, path string, want os.FileMode) {
	t.Helper()
	st, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := st.Mode(); got != want {
		t.Errorf("mode of %s: got %v, want %v", path, got, want)
	}
}

func TestBindLongestPath(t *testing.T) {
	path := shortFolder(t) + "/"
	path += strings.Repeat("x", 107-len(path))
	s := bind(t, Address{peer.Stream, path})
	if got, err := nameOf(s.FD); got != path || err != nil {
		t.Errorf("name: got %q (%v), want %q", got, err, path)
	}
	dial(t, s.Address)
}

// stale leaves a socket behind that nobody listens on, as a process does that was killed.
func stale(t *testing.T, path string) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := (Address{peer.Stream, path}).call(unix.SYS_BIND, fd); err != nil {
		t.Fatal(err)
	}
}

func TestBindWhatIsThere(t *testing.T) {
	tests := []struct {
		name  string
		there func(t *testing.T, path string)
		want  string // in the error; none where it is replaced
	}{
		{"a stale socket", stale, ""},
		{"a live socket", func(t *testing.T, path string) { bind(t, Address{peer.Stream, path}) }, "somebody else has it"},
		{"a file", func(t *testing.T, path string) { create(t, path) }, "something else than a socket"},
		{"a folder", func(t *testing.T, path string) { check(t, os.Mkdir(path, 0o755)) }, "something else than a socket"},
		{"a link to nothing", func(t *testing.T, path string) { check(t, os.Symlink(path+"-target", path)) }, "something else than a socket"},
		{"a link to a stale socket", func(t *testing.T, path string) {
			stale(t, path+"-target")
			check(t, os.Symlink(path+"-target", path))
		}, "something else than a socket"},
		{"a datagram socket", func(t *testing.T, path string) {
			check(t, (Address{peer.Datagram, path}).call(unix.SYS_BIND, unbound(t, unix.SOCK_DGRAM)))
		}, "somebody else has it"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			leakCheck(t)
			path := filepath.Join(shortFolder(t), "socket")
			test.there(t, path)
			before := entries(t, filepath.Dir(path))
			s, err := Bind(Address{peer.Stream, path})
			if test.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				dial(t, s.Address)
				check(t, s.Close())
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want an error with %q", err, test.want)
			}
			if after := entries(t, filepath.Dir(path)); after != before {
				t.Errorf("the folder changed from %s to %s", before, after)
			}
		})
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func create(t *testing.T, path string) { t.Helper(); check(t, os.WriteFile(path, nil, 0o600)) }

func entries(t *testing.T, folder string) string {
	t.Helper()
	all, err := os.ReadDir(folder)
	check(t, err)
	var b strings.Builder
	for _, e := range all {
		b.WriteString(fs.FormatDirEntry(e) + "; ")
	}
	return b.String()
}

// Only what we put there is removed: after a restart by somebody else, the path is theirs.
func TestCloseLeavesWhatIsNotOurs(t *testing.T) {
	tests := []struct {
		name    string
		replace func(t *testing.T, path string)
		left    bool
	}{
		{"ours", func(*testing.T, string) {}, false},
		{"another socket", func(t *testing.T, path string) { check(t, os.Rename(path, path+"-old")); stale(t, path) }, true},
		{"a file", func(t *testing.T, path string) { check(t, os.Rename(path, path+"-old")); create(t, path) }, true},
		{"nothing", func(t *testing.T, path string) { check(t, os.Remove(path)) }, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(shortFolder(t), "socket")
			s := bind(t, Address{peer.Stream, path})
			test.replace(t, path)
			check(t, s.Close())
			check(t, s.Close())
			_, err := os.Lstat(path)
			if left := err == nil; left != test.left {
				t.Errorf("path left: got %v, want %v", left, test.left)
			}
		})
	}
}

func TestBindPathErrors(t *testing.T) {
	leakCheck(t)
	folder := shortFolder(t)
	create(t, filepath.Join(folder, "file"))
	if s, err := Bind(Address{peer.Stream, filepath.Join(folder, "file", "socket")}); !errors.Is(err, unix.ENOTDIR) {
		t.Errorf("below a file: got %v, %v, want ENOTDIR", s, err)
	}
}
