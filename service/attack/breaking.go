package attack

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/service/peer"
	"github.com/halberd-io/halberd/service/servicetest"
)

// breaking are attacks by breaking the protocol.
var breaking = []assault{
	{name: "nonsense", run: func(a *attacker) error { return a.broken("nonsense") }},
	{name: "brackets", run: func(a *attacker) error {
		return a.broken(`{"method":"a","parameters":{"a":` + strings.Repeat("[", 65_000))
	}},
	{name: "packets without a byte", run: func(a *attacker) error { return a.packets(nil) }},
	{name: "packets that are too long", run: func(a *attacker) error { return a.packets([]byte(strings.Repeat("x", 150_000))) }},
	{name: "long parameters", run: longParameters},
	{name: "halves of connections", run: halves},
	{name: "bytes out of band", run: outOfBand},
	{name: "descriptors", run: descriptors, unless: emulated},
	{name: "a socket that is sent through itself", run: cycles, unless: emulated},
	{name: "forged credentials", run: forged},
}

// emulated is for attacks by control data.
func emulated(t *Target) string {
	if t.Emulated {
		return "the emulator gives the kernel more room for control data, and takes the descriptors for itself: MSG_CTRUNC is missing"
	}
	return ""
}

// broken sends what is no call, on new connections, and is thrown out each time.
func (a *attacker) broken(msg string) error {
	for a.goOn() {
		for _, kind := range connections {
			r, err := a.dial(kind)
			if err != nil {
				return err
			}
			if err := r.Send(framed(kind, msg)); err != nil && !over(err) {
				return err
			}
			said, err := closed(r)
			if err != nil || len(said) > 0 {
				return fmt.Errorf("got %.200q, %v, want the end", said, err)
			}
			a.done++
		}
		a.closeAll()
	}
	return nil
}

// packets sends packets of one kind on one connection after another.
func (a *attacker) packets(b []byte) error {
	for a.goOn() {
		r, err := a.dial(peer.Seqpacket)
		if err != nil {
			return err
		}
		for range 20 {
			if _, err := push(r, b); err != nil {
				if err != unix.EAGAIN && !over(err) {
					return err
				}
				break
			}
			a.done++
		}
		a.closeAll()
	}
	return nil
}

// longParameters sends calls that are as long as they may be and of every shape, each of which is refused.
func longParameters(a *attacker) error {
	if err := a.dialMany(2); err != nil {
		return err
	}
	const room = 60_000
	for a.goOn() {
		for _, parameters := range []string{
			`"` + strings.Repeat("x", room) + `":1`,
			`"a":"` + strings.Repeat(`\u0041`, room/6) + `"`,
			`"a":[` + strings.Repeat("1,", room/2) + `1]`,
			`"a":` + strings.Repeat("9", room),
			`"a":[` + strings.Repeat(`{"b":1},`, room/8) + `1]`,
			`"a":{` + keys(5000) + `"z":1}`,
			keys(5000) + `"z":1`,
			strings.Repeat(" ", room) + `"a":1`,
		} {
			for _, r := range a.open {
				reply, err := r.Call(strings.TrimSuffix(a.Read, "}}") + "," + parameters + "}}")
				if err != nil {
					return err
				}
				if err := refusedAs(reply, "org.varlink.service.InvalidParameter"); err != nil {
					return fmt.Errorf("%.40s: %w", parameters, err)
				}
				a.done++
			}
		}
	}
	return nil
}

// keys are members of an object, all different.
func keys(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"k%d":1,`, i)
	}
	return b.String()
}

// halves shuts down one direction or both, with calls on their way.
func halves(a *attacker) error {
	for a.goOn() {
		for _, how := range []int{unix.SHUT_RD, unix.SHUT_WR, unix.SHUT_RDWR} {
			for _, kind := range connections {
				r, err := a.dial(kind)
				if err != nil {
					return err
				}
				if err := r.Write(a.Read); err != nil {
					return err
				}
				if err := unix.Shutdown(r.FD, how); err != nil {
					return err
				}
				if how != unix.SHUT_WR {
					_, _ = push(r, framed(kind, a.Read)) // whatever becomes of it
					continue
				}
				if said, err := closed(r); err != nil || len(said) != 1 {
					return fmt.Errorf("shut down for writing, it got %q, %v, want one reply", said, err)
				}
				a.done++
			}
		}
		a.closeAll()
	}
	return nil
}

// outOfBand sends urgent bytes, which no message has (MSG_OOB, in Unix sockets since Linux 5.15).
func outOfBand(a *attacker) error {
	for a.goOn() {
		r, err := a.dial(peer.Stream)
		if err != nil {
			return err
		}
		for _, b := range []byte("{\x00") {
			if err := unix.Sendto(r.FD, []byte{b}, unix.MSG_OOB|unix.MSG_NOSIGNAL, nil); err != nil && !over(err) && err != unix.EOPNOTSUPP {
				return err
			}
		}
		if err := r.Write(a.Read); err != nil && !over(err) {
			return err
		}
		a.done++
		a.closeAll()
	}
	return nil
}

// messages are of every kind, for what rides on them.
func (a *attacker) messages() []string {
	return []string{a.Read, oneway(a.Read), a.Denied, a.Watch, "nonsense", " ", strings.Repeat(" ", 70_000)}
}

// descriptors sends descriptors that nobody asked for with messages of every kind. Linux 6.16 and newer refuse them for the daemon (EPERM).
func descriptors(a *attacker) error {
	for a.goOn() {
		for _, kind := range kinds {
			for _, msg := range a.messages() {
				for _, n := range []int{1, 2, 253} {
					r, err := a.dial(kind)
					if err != nil {
						return err
					}
					if err := a.withDescriptors(r, kind, msg, n); err != nil {
						return fmt.Errorf("%s with %d descriptors: %w", kind, n, err)
					}
					a.closeAll()
					a.done++
				}
			}
		}
	}
	return nil
}

// withDescriptors sends a message with a socket's own descriptor, n times.
func (a *attacker) withDescriptors(r *servicetest.Raw, kind peer.Transport, msg string, n int) error {
	fds := make([]int, n)
	for i := range fds {
		fds[i] = r.FD
	}
	var to unix.Sockaddr
	if kind == peer.Datagram {
		to = &unix.SockaddrUnix{Name: a.Target}
	}
	_, err := unix.SendmsgN(r.FD, framed(kind, msg), unix.UnixRights(fds...), to, unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT)
	switch {
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EAGAIN), errors.Is(err, unix.ETOOMANYREFS), err != nil && over(err):
		return nil
	case err != nil || kind == peer.Datagram:
		return err
	}
	said, err := closed(r)
	if err == nil && len(said) > 0 {
		err = fmt.Errorf("got %.200q, want the end", said)
	}
	return err
}

// cycles sends a connection through itself, so that only the kernel's collector can close it.
func cycles(a *attacker) error {
	for a.goOn() {
		for _, kind := range connections {
			r, err := a.dial(kind)
			if err != nil {
				return err
			}
			for range 5 {
				err := unix.Sendmsg(r.FD, framed(kind, oneway(a.Read)), unix.UnixRights(r.FD, r.FD), nil, unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT)
				if err != nil && err != unix.EPERM && err != unix.EAGAIN && err != unix.ETOOMANYREFS && !over(err) {
					return err
				}
			}
			r.Close()
			a.done++
		}
		a.closeAll()
	}
	return nil
}

// forged says that it is root, that it is another process, and who it is. Only the last is taken, by the kernel itself, and changes nothing on a connection.
func forged(a *attacker) error {
	own := unix.Ucred{Pid: int32(unix.Getpid()), Uid: uint32(unix.Getuid()), Gid: uint32(unix.Getgid())}
	root, other := own, own
	root.Uid, root.Gid, other.Pid = 0, 0, 1
	for a.goOn() {
		for _, kind := range kinds {
			for _, row := range []struct {
				cred unix.Ucred
				want error
			}{{root, unix.EPERM}, {other, unix.EPERM}, {own, nil}} {
				if err := a.claimToBe(kind, row.cred, row.want); err != nil {
					return fmt.Errorf("%s as %+v: %w", kind, row.cred, err)
				}
				a.done++
			}
			a.closeAll()
		}
	}
	return nil
}

// claimToBe sends WhoAmI with credentials.
func (a *attacker) claimToBe(kind peer.Transport, cred unix.Ucred, want error) error {
	r, err := a.dial(kind)
	if err != nil {
		return err
	}
	var to unix.Sockaddr
	if kind == peer.Datagram {
		to = &unix.SockaddrUnix{Name: a.Target}
	}
	for {
		_, err = unix.SendmsgN(r.FD, framed(kind, whoAmI), unix.UnixCredentials(&cred), to, unix.MSG_NOSIGNAL)
		if err != unix.EINTR {
			break
		}
	}
	if err != want {
		return fmt.Errorf("the kernel says %v, want %v", err, want)
	}
	if err != nil {
		return nil
	}
	reply, err := r.Read()
	if err != nil {
		return err
	}
	if uid := uidIn(reply); uid != fmt.Sprint(unix.Getuid()) {
		return fmt.Errorf("the daemon takes it for %s", uid)
	}
	return nil
}
