package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// asRoot skips a test that has to give files away.
func asRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skipf("cannot change owners: %v", syscall.EPERM)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// what gives an error's text without the folder of the test, or "".
func what(root string, err *Error) string {
	if err == nil {
		return ""
	}
	return strings.ReplaceAll(err.Error(), root, "")
}

// readIn reads a file below a root.
func readIn(root, path string, caller bool) (string, state, string) {
	text, state, err := (&Options{Root: root, TrustCaller: caller}).read(path, maxFile)
	return text, state, what(root, err)
}

func TestRead(t *testing.T) {
	tests := []struct {
		name  string
		make  func(t *testing.T, root string)
		text  string
		state state
		err   string
	}{
		{"a file", func(t *testing.T, root string) { put(t, root, "a/f", "text") }, "text", readable, ""},
		{"no file", func(t *testing.T, root string) { put(t, root, "a/g", "") }, "", missing, ""},
		{"no folder", func(t *testing.T, root string) {}, "", missing, ""},
		{"empty", func(t *testing.T, root string) { put(t, root, "a/f", "") }, "", masked, ""},
		{"a link to /dev/null", func(t *testing.T, root string) {
			put(t, root, "a/x", "")
			must(t, os.Symlink("/dev/null", filepath.Join(root, "a/f")))
		}, "", masked, ""},
		{"a link to a link to /dev/null", func(t *testing.T, root string) {
			put(t, root, "a/x", "")
			must(t, os.Symlink("/dev/null", filepath.Join(root, "a/g")))
			must(t, os.Symlink("g", filepath.Join(root, "a/f")))
		}, "", masked, ""},
		{"a relative link", func(t *testing.T, root string) {
			put(t, root, "b/g", "text")
			put(t, root, "a/x", "")
			must(t, os.Symlink("../b/./g", filepath.Join(root, "a/f")))
		}, "text", readable, ""},
		{"an absolute link stays below the root", func(t *testing.T, root string) {
			put(t, root, "b/g", "text")
			put(t, root, "a/x", "")
			must(t, os.Symlink("/b/g", filepath.Join(root, "a/f")))
		}, "text", readable, ""},
		{"a link upwards stays below the root", func(t *testing.T, root string) {
			put(t, root, "b/g", "text")
			put(t, root, "a/x", "")
			must(t, os.Symlink("../../../../../../../../b/g", filepath.Join(root, "a/f")))
		}, "text", readable, ""},
		{"a linked folder", func(t *testing.T, root string) {
			put(t, root, "b/f", "text")
			must(t, os.Symlink("b", filepath.Join(root, "a")))
		}, "text", readable, ""},
		{"a linked folder without the file", func(t *testing.T, root string) {
			put(t, root, "b/g", "text")
			must(t, os.Symlink("b", filepath.Join(root, "a")))
		}, "", missing, ""},
		{"a link to nothing", func(t *testing.T, root string) {
			put(t, root, "a/x", "")
			must(t, os.Symlink("g", filepath.Join(root, "a/f")))
		}, "", missing, "/a/g: cannot read: a link leads here, and there is nothing"},
		{"a folder linked to nothing", func(t *testing.T, root string) {
			must(t, os.Symlink("b", filepath.Join(root, "a")))
		}, "", missing, "/b: cannot read: a link leads here, and there is nothing"},
		{"a link to itself", func(t *testing.T, root string) {
			put(t, root, "a/x", "")
			must(t, os.Symlink("f", filepath.Join(root, "a/f")))
		}, "", missing, "/a/f: cannot read: too many levels of symbolic links"},
		{"a folder", func(t *testing.T, root string) { put(t, root, "a/f/x", "") }, "", missing, "/a/f: must be a regular file"},
		{"a file for a folder", func(t *testing.T, root string) { put(t, root, "a", "") }, "", missing, "/a: cannot read: not a directory"},
		{"a pipe", func(t *testing.T, root string) {
			put(t, root, "a/x", "")
			must(t, syscall.Mkfifo(filepath.Join(root, "a/f"), 0o600))
		}, "", missing, "/a/f: must be a regular file"},
		{"the longest", func(t *testing.T, root string) { put(t, root, "a/f", strings.Repeat("x", maxFile)) }, strings.Repeat("x", maxFile), readable, ""},
		{"too long", func(t *testing.T, root string) { put(t, root, "a/f", strings.Repeat("x", maxFile+1)) },
			"", missing, "/a/f: must not be longer than 1048576 bytes"},
		{"writable by the group", func(t *testing.T, root string) {
			must(t, os.Chmod(put(t, root, "a/f", "text"), 0o664))
		}, "", missing, "/a/f: must not be writable by its group or by others (its mode is 0664)"},
		{"writable by others", func(t *testing.T, root string) {
			must(t, os.Chmod(put(t, root, "a/f", "text"), 0o602))
		}, "", missing, "/a/f: must not be writable by its group or by others (its mode is 0602)"},
		{"a folder writable by the group", func(t *testing.T, root string) {
			put(t, root, "a/f", "text")
			must(t, os.Chmod(filepath.Join(root, "a"), 0o775))
		}, "", missing, "/a: must not be writable by its group or by others (its mode is 0775)"},
		{"a sticky folder", func(t *testing.T, root string) {
			put(t, root, "a/f", "text")
			must(t, os.Chmod(filepath.Join(root, "a"), 0o777|os.ModeSticky))
		}, "text", readable, ""},
		{"behind a link, a folder writable by others", func(t *testing.T, root string) {
			put(t, root, "b/f", "text")
			must(t, os.Chmod(filepath.Join(root, "b"), 0o757))
			put(t, root, "a/x", "text")
			must(t, os.Symlink("../b/f", filepath.Join(root, "a/f")))
		}, "", missing, "/b: must not be writable by its group or by others (its mode is 0757)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root := t.TempDir()
			tt.make(t, root)
			text, state, err := readIn(root, "/a/f", true)
			if text != tt.text || state != tt.state || err != tt.err {
				t.Errorf("got %.20q, %d, %s; want %.20q, %d, %s", text, state, err, tt.text, tt.state, tt.err)
			}
		})
	}
}

func TestReadOwners(t *testing.T) {
	asRoot(t)
	const other = 12345
	tests := []struct {
		name, path string // given to somebody else
		err        string
	}{
		{"nothing", "", ""},
		{"the file", "a/f", "/a/f: must be owned by root, not by uid 12345"},
		{"the folder", "a", "/a: must be owned by root, not by uid 12345"},
		{"the root", ".", ": must be owned by root, not by uid 12345"},
		{"the link's target", "b/g", "/b/g: must be owned by root, not by uid 12345"},
		{"the folder of the link's target", "b", "/b: must be owned by root, not by uid 12345"},
		{"the link", "a/l", "/a/l: must be owned by root, not by uid 12345"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root := t.TempDir()
			put(t, root, "a/f", "text")
			put(t, root, "b/g", "text")
			must(t, os.Symlink("../b/g", filepath.Join(root, "a/l")))
			if tt.path != "" {
				must(t, os.Lchown(filepath.Join(root, tt.path), other, 0))
			}
			_, _, file := readIn(root, "/a/f", true)
			_, _, link := readIn(root, "/a/l", true)
			if got := file + link; got != tt.err && got != tt.err+tt.err {
				t.Errorf("got %s and %s, want %s", file, link, tt.err)
			}
		})
	}
}

// A link in a sticky folder, where anybody may have put it, must not lead to a file that is trusted.
func TestReadStickyLink(t *testing.T) {
	asRoot(t)
	root := t.TempDir()
	put(t, root, "etc/f", "text")
	put(t, root, "a/x", "")
	must(t, os.Chmod(filepath.Join(root, "a"), 0o777|os.ModeSticky))
	must(t, os.Symlink("/etc/f", filepath.Join(root, "a/f")))
	must(t, os.Lchown(filepath.Join(root, "a/f"), 12345, 0))
	if _, _, err := readIn(root, "/a/f", false); err != "/a/f: must be owned by root, not by uid 12345" {
		t.Errorf("got %s", err)
	}
}

// What the caller owns is trusted where that was asked for, and nothing else is.
func TestReadCaller(t *testing.T) {
	root, owner := t.TempDir(), uint32(os.Geteuid())
	path := put(t, root, "a/f", "text")
	if owner == 0 {
		owner = 12345
		must(t, os.Chown(filepath.Dir(path), int(owner), -1))
		must(t, os.Chown(path, int(owner), -1))
	}
	for _, tt := range []struct {
		name   string
		caller uint32
		want   string
	}{
		{"the caller's", owner, ""},
		{"nobody's", 0, fmt.Sprintf("must be owned by root, not by uid %d", owner)},
		{"another caller's", owner + 1, fmt.Sprintf("must be owned by root, not by uid %d", owner)},
	} {
		w, e := (&Options{Root: root, TrustCaller: true}).begin("/a/f")
		if e != nil {
			t.Fatal(e)
		}
		w.caller = tt.caller
		at, err := w.run()
		if err == nil {
			_, e = w.content(&at, maxFile)
			err = none(e)
		}
		w.end()
		if got := fmt.Sprint(err); err == nil && tt.want != "" || err != nil && (tt.want == "" || !strings.HasSuffix(got, tt.want)) {
			t.Errorf("%s: got %v, want %s", tt.name, err, tt.want)
		}
	}
	_, _, refused := readIn(root, "/a/f", false)
	if want := fmt.Sprintf("must be owned by root, not by uid %d", owner); !strings.HasSuffix(refused, want) {
		t.Errorf("where the caller is not trusted: got %s, want %s", refused, want)
	}
}

// Without a root every folder from / on is asked.
func TestReadFromTheRealRoot(t *testing.T) {
	dir := t.TempDir()
	path := put(t, dir, "f", "text")
	opt := &Options{TrustCaller: true}
	if text, state, err := opt.read(path, maxFile); state != readable || text != "text" {
		t.Errorf("got %q, %v", text, err)
	}
	must(t, os.Chmod(dir, 0o777))
	if _, _, err := opt.read(path, maxFile); err == nil || err.File != dir {
		t.Errorf("a folder that all may write to: got %v", err)
	}
	must(t, os.Chmod(dir, 0o755))
	t.Chdir(dir)
	if text, _, err := opt.read("f", maxFile); text != "text" {
		t.Errorf("a relative path: %v", err)
	}
	opt.Root = filepath.Join(dir, "none")
	if _, _, err := opt.read("f", maxFile); err == nil || err.File != opt.Root {
		t.Errorf("no root: got %v", err)
	}
}

func TestReadLeavesNoDescriptor(t *testing.T) {
	root := t.TempDir()
	put(t, root, "a/b/f", "text")
	must(t, os.Symlink("a/b/f", filepath.Join(root, "l")))
	must(t, os.Symlink("m", filepath.Join(root, "m")))
	must(t, os.Chmod(put(t, root, "bad/f", "text"), 0o666))
	opt := &Options{Root: root, TrustCaller: true}
	before := descriptors(t)
	for _, path := range []string{"/a/b/f", "/l", "/m", "/bad/f", "/none", "/a/b", "/a/b/f/g"} {
		_, _, _ = opt.read(path, maxFile)
		_, _, _ = opt.list(path)
	}
	if after := descriptors(t); after != before {
		t.Errorf("%d descriptors are open, before %d", after, before)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skipf("cannot count descriptors: %v", err)
	}
	return len(all)
}

func TestList(t *testing.T) {
	root := t.TempDir()
	put(t, root, "a/z", "")
	put(t, root, "a/b", "")
	put(t, root, "open/f", "")
	must(t, os.Chmod(filepath.Join(root, "open"), 0o777))
	must(t, os.Symlink("a", filepath.Join(root, "l")))
	must(t, os.Symlink("/dev/null", filepath.Join(root, "null")))
	must(t, os.Symlink("none", filepath.Join(root, "lost")))
	for _, tt := range []struct {
		path, names string
		found       bool
		err         string
	}{
		{"/a", "b z", true, ""},
		{"/l", "b z", true, ""},
		{"/", "a l lost null open", true, ""},
		{"/none", "", false, ""},
		{"/none/at/all", "", false, ""},
		{"/null", "", false, ""},
		{"/lost", "", false, "/none: cannot read: a link leads here, and there is nothing"},
		{"/a/z", "", false, "/a/z: must be a folder"},
		{"/open", "", false, "/open: must not be writable by its group or by others (its mode is 0777)"},
	} {
		names, found, err := (&Options{Root: root, TrustCaller: true}).list(tt.path)
		if got := strings.Join(names, " "); got != tt.names || found != tt.found || what(root, err) != tt.err {
			t.Errorf("%s: got %s, %v, %v", tt.path, got, found, err)
		}
	}
	if _, _, err := (&Options{Root: "/none"}).list("/a"); err == nil {
		t.Error("a root that is not there was listed")
	}
}

func TestCheckText(t *testing.T) {
	for _, tt := range []struct {
		text, what string
		line       int
	}{
		{"", "", 0},
		{"a\tb\r\nc\n", "", 0},
		{"\uFFFD is a character as others are", "", 0},
		{"\n\xc3", "must be UTF-8", 2},
		{"\n\n\x7f", "must not contain control characters", 3},
		{"a\rb", "must not contain a carriage return without a line feed", 1},
		{"a\r", "must not contain a carriage return without a line feed", 1},
	} {
		if line, what := checkText(tt.text); line != tt.line || what != tt.what {
			t.Errorf("%q: got %d, %s", tt.text, line, what)
		}
	}
}

func TestErrors(t *testing.T) {
	if err := join(nil); err != nil {
		t.Errorf("nothing wrong: got %v", err)
	}
	b, a2, a1, a := &Error{"b", 1, "x"}, &Error{"a", 2, "x"}, &Error{"a", 1, "x"}, &Error{"a", 0, "x"}
	err := join([]*Error{b, a2, a1, a})
	if got, want := err.Error(), "b:1: x\na: x\na:1: x\na:2: x"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	many := make([]*Error, 1000)
	for i := range many {
		many[i] = &Error{"a", i + 1, "x"}
	}
	if all := messages(join(many)); len(all) != 101 || all[99] != "a:100: x" || all[100] != "a:101: x (and 899 errors more)" {
		t.Errorf("of 1000 errors: got %d, the last %s", len(all), all[len(all)-1])
	}
	if !errors.Is(err, a1) {
		t.Error("an error is not found in the joined one")
	}
}
