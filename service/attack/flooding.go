package attack

import (
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/service/peer"
)

// flooding are attacks by doing too much of what may be done.
var flooding = []assault{
	{name: "calls that nobody answers", run: oneways},
	{name: "calls that are denied", run: denied},
	{name: "pipelined calls", run: pipelined},
	{name: "datagrams: calls", run: func(a *attacker) error { return a.datagrams(a.Read) }},
	{name: "datagrams: calls that nobody answers", run: func(a *attacker) error { return a.datagrams(oneway(a.Read)) }},
	{name: "datagrams: calls that are denied", run: func(a *attacker) error { return a.datagrams(a.Denied) }},
	{name: "datagrams: nonsense", run: func(a *attacker) error { return a.datagrams("nonsense") }},
	{name: "datagrams: empty", run: func(a *attacker) error { return a.datagrams("") }},
	{name: "datagrams: too long", run: func(a *attacker) error { return a.datagrams(strings.Repeat("x", 100_000)) }},
	{name: "datagrams: without a name", run: unnamed},
	{name: "datagrams: from a path", run: fromPath},
	{name: "datagrams: from a link to a path", run: fromLink},
	{name: "datagrams: of those who are gone", run: gone},
	{name: "datagrams: of those who do not read", run: deaf},
	{name: "datagrams: under a name that is another's then", run: rebound},
}

func oneway(call string) string { return strings.TrimSuffix(call, "}") + `,"oneway":true}` }

// oneways keeps the daemon busy on a few connections.
func oneways(a *attacker) error {
	for range 8 {
		if _, err := a.dial(peer.Stream); err != nil {
			return err
		}
	}
	batch := []byte(strings.Repeat(oneway(a.Read)+"\x00", 500))
	rest := make([][]byte, len(a.open))
	for a.goOn() {
		for i, r := range a.open {
			if len(rest[i]) == 0 {
				rest[i] = batch
				a.done += 500
			}
			n, err := push(r, rest[i])
			if err != nil && err != unix.EAGAIN {
				return fmt.Errorf("a connection ended: %w", err)
			}
			rest[i] = rest[i][max(n, 0):]
		}
	}
	return nil
}

// denied asks for what it may not do, and is told so each time.
func denied(a *attacker) error {
	if err := a.dialMany(2); err != nil {
		return err
	}
	for a.goOn() {
		for _, r := range a.open {
			reply, err := r.Call(a.Denied)
			if err != nil {
				return err
			}
			if err := refusedAs(reply, "org.varlink.service.PermissionDenied"); err != nil {
				return err
			}
			a.done++
		}
	}
	return nil
}

// pipelined sends many calls at once, and reads their replies.
func pipelined(a *attacker) error {
	if err := a.dialMany(4); err != nil {
		return err
	}
	const many = 64
	for a.goOn() {
		for i, r := range a.open {
			for range many {
				if err := r.Send(framed(connections[i%2], a.Read)); err != nil {
					return err
				}
			}
		}
		for _, r := range a.open {
			for range many {
				if reply, err := r.Read(); err != nil || !strings.HasPrefix(reply, `{"parameters":`) {
					return fmt.Errorf("got %q, %v", reply, err)
				}
				a.done++
			}
		}
	}
	return nil
}

// datagram sends one. It is best effort: what the kernel does not take is lost.
func (a *attacker) datagram(fd int, msg string) error {
	switch err := unix.Sendto(fd, []byte(msg), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, &unix.SockaddrUnix{Name: a.Target}); err {
	case nil:
		a.done++
	case unix.EAGAIN, unix.EINTR, unix.ENOBUFS:
		time.Sleep(50 * time.Microsecond)
	default:
		return err
	}
	return nil
}

func (a *attacker) datagrams(msg string) error {
	r, err := a.dial(peer.Datagram)
	if err != nil {
		return err
	}
	buf := make([]byte, 64<<10)
	for a.goOn() {
		if err := a.datagram(r.FD, msg); err != nil {
			return err
		}
		if _, _, err := unix.Recvfrom(r.FD, buf, unix.MSG_DONTWAIT); err != nil && err != unix.EAGAIN && err != unix.EINTR {
			return err
		}
	}
	return nil
}

// socket makes a datagram socket that is bound to a name, or to none where the name is "".
func (a *attacker) socket(name string) (int, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err == nil && name != "" {
		if err = unix.Bind(fd, &unix.SockaddrUnix{Name: name}); err != nil {
			unix.Close(fd)
		}
	}
	return fd, err
}

func unnamed(a *attacker) error { return a.sendFrom("", a.Change[0]) }

// sendFrom floods from a socket of a name.
func (a *attacker) sendFrom(name, msg string) error {
	fd, err := a.socket(name)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	for a.goOn() {
		if err := a.datagram(fd, msg); err != nil {
			return err
		}
	}
	return nil
}

// fromPath expects no answer, which root would write to a place that the sender chose.
func fromPath(a *attacker) error {
	dir, err := os.MkdirTemp("", "halberd-attack-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	fd, err := a.socket(dir + "/socket")
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return a.nothing(fd, fd)
}

// fromLink binds a name below a folder that is a link, and makes the link another one then.
func fromLink(a *attacker) error {
	dir, err := os.MkdirTemp("", "halberd-attack-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for _, name := range []string{"/own", "/other"} {
		if err := os.Mkdir(dir+name, 0o755); err != nil {
			return err
		}
	}
	if err := os.Symlink("own", dir+"/link"); err != nil {
		return err
	}
	other, err := a.socket(dir + "/other/socket") // whom the daemon would write to
	if err != nil {
		return err
	}
	defer unix.Close(other)
	fd, err := a.socket(dir + "/link/socket")
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := os.Remove(dir + "/link"); err != nil {
		return err
	}
	if err := os.Symlink("other", dir+"/link"); err != nil {
		return err
	}
	return a.nothing(fd, other)
}

// nothing sends from a socket with a path, and expects that nothing comes to where that path leads now.
func (a *attacker) nothing(from, to int) error {
	for a.goOn() {
		if err := a.datagram(from, a.Read); err != nil {
			return err
		}
		if _, _, err := unix.Recvfrom(to, make([]byte, 1), unix.MSG_DONTWAIT); err != unix.EAGAIN && err != unix.EINTR {
			return fmt.Errorf("the daemon wrote to a path: %v", err)
		}
	}
	return nil
}

// gone sends from sockets that are closed before they can be answered.
func gone(a *attacker) error {
	for a.goOn() {
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		err = unix.Bind(fd, &unix.SockaddrUnix{})
		if err == nil {
			err = a.datagram(fd, a.Read)
		}
		unix.Close(fd)
		if err != nil {
			return err
		}
	}
	return nil
}

// deaf never reads the answers, so that its queue is full.
func deaf(a *attacker) error {
	r, err := a.dial(peer.Datagram)
	if err != nil {
		return err
	}
	for a.goOn() {
		if err := a.datagram(r.FD, a.Read); err != nil {
			return err
		}
	}
	return nil
}

// rebound sends under a name, and is somebody else under the same name when the answer comes. Whoever that is gets an answer, and no more than one.
func rebound(a *attacker) error {
	name := fmt.Sprintf("@halberd-attack-%d", os.Getpid())
	for a.goOn() {
		first, err := a.socket(name)
		if err != nil {
			return err
		}
		err = a.datagram(first, a.Read)
		unix.Close(first)
		if err != nil {
			return err
		}
		second, err := a.socket(name)
		if err != nil {
			return err
		}
		buf := make([]byte, 64<<10)
		for range 20 {
			n, _, err := unix.Recvfrom(second, buf, unix.MSG_DONTWAIT)
			if err == nil && !strings.HasPrefix(string(buf[:n]), `{"parameters":`) {
				unix.Close(second)
				return fmt.Errorf("got %q", buf[:n])
			}
		}
		unix.Close(second)
	}
	return nil
}
