package sysfs

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
)

// maxText is the longest text that ReadText takes. An attribute has a page, but lists of triggers may have more.
const maxText = 64 << 10

var (
	errShort  = errors.New("the kernel took only a part of it")
	errLong   = fmt.Errorf("longer than %d bytes", maxText)
	errNumber = errors.New("not an integer")
)

// Attribute is one file of sysfs, kept open. Reads see the value of now and writes take effect at once, as the kernel handles them; both may block
// where the hardware is slow. It is for one goroutine at a time.
type Attribute struct {
	kernel hal.Kernel
	path   string
	fd     int
	buf    [32]byte
}

// Open opens an attribute: flags are O_RDONLY, O_WRONLY or O_RDWR. A symbolic link in the last place is refused with ELOOP. The caller closes it.
func Open(k hal.Kernel, path string, flags int) (*Attribute, error) {
	fd, err := k.Open(path, flags|unix.O_NOFOLLOW|unix.O_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("cannot open %s: %w", path, err)
	}
	return &Attribute{kernel: k, path: path, fd: fd}, nil
}

// Close lets go of the descriptor. Closing nil or closing twice does no harm.
func (a *Attribute) Close() {
	if a != nil && a.fd >= 0 {
		_ = a.kernel.Close(a.fd)
		a.fd = -1
	}
}

// ReadInt reads a decimal integer. It does not allocate.
func (a *Attribute) ReadInt() (int64, error) {
	n, err := a.kernel.Pread(a.fd, a.buf[:], 0)
	if err != nil {
		return 0, a.cannot("read", err)
	}
	v, err := strconv.ParseInt(string(trim(a.buf[:n])), 10, 64)
	if err != nil {
		return 0, a.cannot("read", errNumber)
	}
	return v, nil
}

// WriteInt writes a decimal integer. It does not allocate.
func (a *Attribute) WriteInt(v int64) error {
	return a.write(strconv.AppendInt(a.buf[:0], v, 10))
}

// Begins reports whether the text begins with prefix, of at most 32 bytes. It reads no more than that, and does not allocate.
func (a *Attribute) Begins(prefix string) (bool, error) {
	n, err := a.kernel.Pread(a.fd, a.buf[:len(prefix)], 0)
	if err != nil {
		return false, a.cannot("read", err)
	}
	return string(a.buf[:n]) == prefix, nil
}

// ReadText reads the whole text, without the line feed at its end.
func (a *Attribute) ReadText() (string, error) {
	buf := make([]byte, 0, 4096)
	for {
		n, err := a.kernel.Pread(a.fd, buf[len(buf):cap(buf)], int64(len(buf)))
		if err != nil {
			return "", a.cannot("read", err)
		}
		buf = buf[:len(buf)+n]
		switch {
		case n == 0:
			return string(trim(buf)), nil
		case len(buf) >= maxText:
			return "", a.cannot("read", errLong)
		case len(buf) == cap(buf):
			buf = append(make([]byte, 0, 4*cap(buf)), buf...)
		}
	}
}

// WriteText writes a text of one write.
func (a *Attribute) WriteText(text string) error { return a.write([]byte(text)) }

func (a *Attribute) write(p []byte) error {
	n, err := a.kernel.Pwrite(a.fd, p, 0)
	switch {
	case err != nil:
		return a.cannot("write", err)
	case n != len(p):
		return a.cannot("write", errShort)
	}
	return nil
}

func (a *Attribute) cannot(do string, err error) error {
	return fmt.Errorf("cannot %s %s: %w", do, a.path, err)
}

func trim(text []byte) []byte {
	for n := len(text); n > 0 && (text[n-1] == '\n' || text[n-1] == 0); n = len(text) {
		text = text[:n-1]
	}
	return text
}

// Read reads the text of an attribute that is not kept.
func Read(k hal.Kernel, path string) (string, error) {
	a, err := Open(k, path, unix.O_RDONLY)
	if err != nil {
		return "", err
	}
	defer a.Close()
	return a.ReadText()
}

// ReadInt reads the decimal integer of an attribute that is not kept.
func ReadInt(k hal.Kernel, path string) (int64, error) {
	a, err := Open(k, path, unix.O_RDONLY)
	if err != nil {
		return 0, err
	}
	defer a.Close()
	return a.ReadInt()
}

// Write writes a text into an attribute that is not kept, since it comes and goes.
func Write(k hal.Kernel, path, text string) error {
	a, err := Open(k, path, unix.O_WRONLY)
	if err != nil {
		return err
	}
	defer a.Close()
	return a.WriteText(text)
}

// Missing reports whether an error says that there is no such file, which for an attribute means that the hardware or its driver does not have it.
func Missing(err error) bool { return errors.Is(err, unix.ENOENT) }

// Word finds the one word of a list that stands in brackets: "none [timer] heartbeat".
func Word(text string) string {
	if _, rest, ok := strings.Cut(text, "["); ok {
		word, _, _ := strings.Cut(rest, "]")
		return word
	}
	return ""
}
