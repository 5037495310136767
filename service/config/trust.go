package config

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// maxFile is the longest file that is read, in bytes.
const maxFile = 1 << 20

// maxLinks is how many symbolic links one path may lead through, as in the kernel.
const maxLinks = 40

// state is what was found at a path.
type state uint8

const (
	missing  state = iota
	masked         // empty, or /dev/null
	readable       // text
)

// walk follows a path one name at a time, so that the owner and the mode of everything on the way are those of what is then opened. It keeps a descriptor of every folder
// that it stands in, and never leaves the one it began in.
type walk struct {
	caller uint32   // whose files are trusted beside root's; 0 for nobody's
	way    []step   // from the root to the standing folder
	names  []string // still to go
	owed   int      // how many of these, from the first on, a link put there
	links  int
}

// step is one file or folder that was reached: a descriptor that can only be asked about it.
type step struct {
	fd   int
	path string
	stat unix.Stat_t
}

func (s *step) is(kind uint32) bool { return s.stat.Mode&unix.S_IFMT == kind }

// begin stands in the root, which is trusted only where it is the real one's business to be.
func (o *Options) begin(path string) (*walk, *Error) {
	root := o.Root
	if root == "" {
		root = "/"
		absolute, err := filepath.Abs(path)
		if err != nil {
			return nil, fault(path, "cannot read: %v", err)
		}
		path = absolute
	}
	w := &walk{names: strings.Split(path, "/")}
	if o.TrustCaller {
		w.caller = uint32(os.Geteuid())
	}
	fd, err := unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fault(root, "cannot read: %v", err)
	}
	s := step{fd: fd, path: root}
	if err := unix.Fstat(fd, &s.stat); err != nil {
		_ = unix.Close(fd)
		return nil, fault(root, "cannot read: %v", err)
	}
	w.way = []step{s}
	if e := w.trust(&s); e != nil {
		w.end()
		return nil, e
	}
	return w, nil
}

// end closes everything.
func (w *walk) end() { w.back(0) }

// back returns to the n-th folder of the way.
func (w *walk) back(n int) {
	for len(w.way) > n {
		last := len(w.way) - 1
		_ = unix.Close(w.way[last].fd)
		w.way = w.way[:last]
	}
}

func (w *walk) here() *step { return &w.way[len(w.way)-1] }

// trust refuses what somebody else owns or may write to.
func (w *walk) trust(s *step) *Error {
	mode := s.stat.Mode
	switch {
	case s.stat.Uid != 0 && s.stat.Uid != w.caller:
		return fault(s.path, "must be owned by root, not by uid %d", s.stat.Uid)
	case s.is(unix.S_IFLNK) || s.is(unix.S_IFDIR) && mode&unix.S_ISVTX != 0:
		return nil
	case mode&0o022 != 0:
		return fault(s.path, "must not be writable by its group or by others (its mode is %04o)", mode&0o7777)
	}
	return nil
}

// reached is where a walk ended: the standing folder, or a file in it.
type reached struct {
	name  string // of a file in the folder; "" for the folder itself
	stat  unix.Stat_t
	masks bool // it is /dev/null
}

// run goes along all names. A missing one is ENOENT, unless a link named it.
func (w *walk) run() (reached, error) {
	for len(w.names) > 0 {
		name, linked := w.next()
		switch name {
		case "", ".":
			continue
		case "..":
			w.back(max(1, len(w.way)-1))
			continue
		}
		s, err := w.open(name, unix.O_PATH)
		switch {
		case err == unix.ENOENT && linked:
			return reached{}, fault(s.path, "cannot read: a link leads here, and there is nothing")
		case err != nil:
			return reached{}, err
		}
		if at, err := w.enter(s, name); err != nil {
			return reached{}, err
		} else if at != nil {
			return *at, nil
		}
	}
	return reached{}, nil
}

// next takes the next name, and tells whether a link put it there.
func (w *walk) next() (name string, linked bool) {
	name, w.names = w.names[0], w.names[1:]
	if linked = w.owed > 0; linked {
		w.owed--
	}
	return name, linked
}

// enter goes into a folder, or where a link leads, and gives a file, which ends the walk.
func (w *walk) enter(s step, name string) (*reached, error) {
	if s.is(unix.S_IFDIR) {
		w.way = append(w.way, s)
		return nil, none(w.trust(&s))
	}
	_ = unix.Close(s.fd)
	if s.is(unix.S_IFLNK) {
		target, err := w.follow(&s, name)
		if err == nil && target == os.DevNull && len(w.names) == 0 {
			return &reached{masks: true}, nil
		}
		parts := strings.Split(target, "/")
		w.names, w.owed = append(parts, w.names...), w.owed+len(parts)
		return nil, err
	}
	if len(w.names) > 0 {
		return nil, fault(s.path, "cannot read: %v", unix.ENOTDIR)
	}
	return &reached{name: name, stat: s.stat, masks: isNull(&s)}, nil
}

// none makes a nil error of a nil *Error.
func none(e *Error) error {
	if e == nil {
		return nil
	}
	return e
}

// isNull recognises the device 1:3, whatever it is called.
func isNull(s *step) bool { return s.is(unix.S_IFCHR) && s.stat.Rdev == unix.Mkdev(1, 3) }

// open opens one name in the standing folder, without following it.
func (w *walk) open(name string, flags int) (step, error) {
	s := step{path: filepath.Join(w.here().path, name)}
	fd, err := unix.Openat(w.here().fd, name, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return s, s.cannot(err)
	}
	s.fd = fd
	if err := unix.Fstat(fd, &s.stat); err != nil {
		_ = unix.Close(fd)
		return s, s.cannot(err)
	}
	return s, nil
}

// cannot keeps ENOENT apart, since a missing file is no error everywhere.
func (s *step) cannot(err error) error {
	if err == unix.ENOENT {
		return err
	}
	return fault(s.path, "cannot read: %v", err)
}

// follow reads a link and returns to the root where it is absolute. In a sticky folder anybody may have put a link, so its owner counts as well.
func (w *walk) follow(s *step, name string) (string, error) {
	if e := w.trust(s); e != nil {
		return "", e
	}
	if w.links++; w.links > maxLinks {
		return "", fault(s.path, "cannot read: %v", unix.ELOOP)
	}
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(w.here().fd, name, buf)
	if err != nil {
		return "", s.cannot(err)
	}
	target := string(buf[:n])
	if strings.HasPrefix(target, "/") {
		w.back(1)
	}
	return target, nil
}

// read gives the text of a file that only root, or the caller where that was asked for, can have written. A link that leads nowhere is an error.
func (o *Options) read(path string, limit int64) (string, state, *Error) {
	w, e := o.begin(path)
	if e != nil {
		return "", missing, e
	}
	defer w.end()
	at, err := w.run()
	switch {
	case err == unix.ENOENT:
		return "", missing, nil
	case err != nil:
		return "", missing, w.explain(o.shown(path), err)
	case at.masks:
		return "", masked, nil
	}
	text, e := w.content(&at, limit)
	switch {
	case e != nil:
		return "", missing, e
	case text == "":
		return "", masked, nil
	}
	return text, readable, nil
}

// explain names the file in an error that does not yet.
func (w *walk) explain(path string, err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return fault(path, "cannot read: %v", err)
}

// content reads the file that a walk reached. Its kind is known before it is opened for reading, since opening a device may do something.
func (w *walk) content(at *reached, limit int64) (string, *Error) {
	before := step{stat: at.stat, path: filepath.Join(w.here().path, at.name)}
	if !before.is(unix.S_IFREG) {
		return "", fault(before.path, "must be a regular file")
	}
	s, err := w.open(at.name, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY)
	if err != nil {
		return "", w.explain(before.path, err)
	}
	f := os.NewFile(uintptr(s.fd), s.path)
	defer f.Close()
	if s.stat.Dev != at.stat.Dev || s.stat.Ino != at.stat.Ino {
		return "", fault(s.path, "cannot read: it was replaced meanwhile")
	}
	if e := w.trust(&s); e != nil {
		return "", e
	}
	return slurp(f, limit)
}

// slurp reads a whole file as text.
func slurp(f *os.File, limit int64) (string, *Error) {
	text := make([]byte, 0, 4096)
	for {
		n, err := f.Read(text[len(text):cap(text)])
		text = text[:len(text)+n]
		switch {
		case int64(len(text)) > limit:
			return "", fault(f.Name(), "must not be longer than %d bytes", limit)
		case err == io.EOF:
			return string(text), nil
		case err != nil:
			return "", fault(f.Name(), "cannot read: %v", err)
		case len(text) == cap(text):
			text = append(text, 0)[:len(text)]
		}
	}
}

// list names what is in a folder, sorted; found is false where there is no such folder.
func (o *Options) list(path string) (names []string, found bool, e *Error) {
	w, e := o.begin(path)
	if e != nil {
		return nil, false, e
	}
	defer w.end()
	at, err := w.run()
	switch {
	case err == unix.ENOENT, err == nil && at.masks:
		return nil, false, nil
	case err != nil:
		return nil, false, w.explain(o.shown(path), err)
	case at.name != "":
		return nil, false, fault(o.shown(path), "must be a folder")
	}
	s, err := w.open(".", unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil, false, w.explain(o.shown(path), err)
	}
	f := os.NewFile(uintptr(s.fd), s.path)
	defer f.Close()
	names, err = f.Readdirnames(-1)
	if err != nil {
		return nil, false, fault(s.path, "cannot read: %v", err)
	}
	sort.Strings(names)
	return names, true, nil
}

// checkText refuses what is no TOML text before anything looks at it: the reader below gets nothing but UTF-8 without control characters.
func checkText(text string) (line int, what string) {
	line = 1
	for i, r := range text {
		switch {
		case r == '\n':
			line++
		case r == utf8.RuneError && !strings.HasPrefix(text[i:], "\uFFFD"):
			return line, "must be UTF-8"
		case r == '\r' && !strings.HasPrefix(text[i:], "\r\n"):
			return line, "must not contain a carriage return without a line feed"
		case r != '\t' && r != '\r' && (r < ' ' || r == 0x7f):
			return line, "must not contain control characters"
		}
	}
	return 0, ""
}
