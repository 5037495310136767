// Package listen makes the sockets that clients reach the daemon by: those it binds itself, and those that somebody bound for it.
package listen

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/service/peer"
)

// Address is where clients find a socket.
type Address struct {
	Type peer.Transport
	// Name begins with @ for an abstract name (of exactly the bytes that follow), with / for a path. It is empty for a socket without a name,
	// as a connection that was handed over has none.
	Name string
}

// maxName is the longest path (with its NUL), and the longest abstract name (with the NUL before it), in bytes: sizeof(sun_path).
const maxName = 108

// Parse reads an address as it is typed: "stream:@halberd", "seqpacket:@halberd", "dgram:@halberd", "stream:/run/halberd/io.halberd". Paths are
// for streams alone.
func Parse(s string) (Address, error) {
	word, name, _ := strings.Cut(s, ":")
	a := Address{Name: name}
	var err error
	if a.Type, err = parseType(word); err == nil {
		err = checkName(a)
	}
	if err != nil {
		return Address{}, fmt.Errorf("cannot read address %q: %w", s, err)
	}
	return a, nil
}

func parseType(word string) (peer.Transport, error) {
	for _, t := range [...]peer.Transport{peer.Stream, peer.Seqpacket, peer.Datagram} {
		if word == t.String() {
			return t, nil
		}
	}
	return 0, errors.New(`it begins with none of "stream:", "seqpacket:" and "dgram:"`)
}

func checkName(a Address) error {
	switch {
	case a.Name == "" || a.Name[0] != '@' && a.Name[0] != '/':
		return errors.New("a name begins with @ (abstract) or / (path)")
	case a.Name == "@" || strings.HasSuffix(a.Name, "/"):
		return errors.New("the name is empty")
	case strings.IndexByte(a.Name, 0) >= 0:
		return errors.New("a name holds no NUL byte")
	case len(a.Name) > maxName-1+len(a.prefix()):
		return fmt.Errorf("a name has at most %d bytes", maxName-1)
	case a.Name[0] == '/' && a.Type != peer.Stream:
		return errors.New("only a stream socket can have a path")
	}
	return nil
}

// prefix is the @ of an abstract name, which is no part of the name's length.
func (a Address) prefix() string {
	if a.abstract() {
		return "@"
	}
	return ""
}

func (a Address) abstract() bool { return strings.HasPrefix(a.Name, "@") }

// String is the address as Parse reads it; bytes that cannot be printed (which Parse takes, but nobody should choose) are escaped.
func (a Address) String() string {
	quoted := strconv.Quote(a.Name)
	return a.Type.String() + ":" + quoted[1:len(quoted)-1]
}

// sockaddr is struct sockaddr_un, with the path as bytes on every architecture.
type sockaddr struct {
	family uint16
	path   [maxName]byte
}

// raw is the address as the kernel takes it, with its length: a path with its NUL, an abstract name with exactly its bytes. (x/sys takes no abstract
// name of 107 bytes.)
func (a Address) raw() (address *sockaddr, length uintptr) {
	address = &sockaddr{family: unix.AF_UNIX}
	length = unsafe.Offsetof(address.path) + uintptr(copy(address.path[:], a.Name))
	if a.abstract() {
		address.path[0] = 0
		return address, length
	}
	return address, length + 1
}

// call is bind(2) or connect(2) with the address.
func (a Address) call(number uintptr, fd int) error {
	address, length := a.raw()
	if _, _, errno := unix.Syscall(number, uintptr(fd), uintptr(unsafe.Pointer(address)), length); errno != 0 {
		return errno
	}
	return nil
}

// Defaults are the four addresses that the daemon always has, so that nobody can squat on one.
func Defaults() []Address {
	return []Address{
		{peer.Stream, "@halberd"},
		{peer.Stream, "/run/halberd/io.halberd"},
		{peer.Seqpacket, "@halberd"},
		{peer.Datagram, "@halberd"},
	}
}
