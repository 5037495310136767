package client

import (
	"context"
	"fmt"

	"golang.org/x/sys/unix"
)

// conn is one socket to the server. It belongs to one goroutine at a time; only its waker is touched by others.
type conn struct {
	to       address
	settings *settings
	life     context.Context // of the Client
	unhook   func() bool     // from life
	fd       int
	waker    waker
	polled   [2]unix.PollFd // the socket and the waker
	peer     Peer           // over datagrams: who answered last
	dropped  int            // datagrams during this call that were not the server's
	stranger Peer           // who sent the last of them

	in      []byte // in[:used] is the frame in use, in[used:filled] what came behind it
	used    int
	filled  int
	control []byte
	files   []int // descriptors that belong to the frame

	late   bool // the reply of a call that was given up is still to come
	broken bool // no more calls
}

// dial connects, and checks who listens where the kernel tells before anything is sent.
func dial(ctx context.Context, to address, s *settings, life context.Context) (*conn, error) {
	fd, err := unix.Socket(unix.AF_UNIX, to.kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot make a socket: %w", err)
	}
	k := &conn{to: to, settings: s, life: life, fd: fd, peer: nobody, in: make([]byte, maxMessage+1), control: make([]byte, controlSize)}
	if err := k.waker.open(); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("cannot make an eventfd: %w", err)
	}
	k.polled = [2]unix.PollFd{{Fd: int32(fd)}, {Fd: int32(k.waker.fd), Events: unix.POLLIN}}
	k.unhook = context.AfterFunc(life, k.waker.wake)
	if err := k.connect(ctx); err != nil {
		k.close()
		return nil, fmt.Errorf("cannot reach %v: %w", to, err)
	}
	return k, nil
}

func (k *conn) close() {
	k.unhook()
	k.waker.close()
	unix.Close(k.fd)
	closeAll(k.files)
}

// connect waits in the kernel while the server's backlog is full, since poll does not tell when it has room, and looks up each time that SO_SNDTIMEO ends the wait.
func (k *conn) connect(ctx context.Context) error {
	if err := unix.SetsockoptTimeval(k.fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &unix.Timeval{Usec: 20_000}); err != nil {
		return err
	}
	for {
		if err := k.ended(ctx); err != nil {
			return err
		}
		switch err := unix.Connect(k.fd, &unix.SockaddrUnix{Name: k.to.name}); err {
		case unix.EAGAIN, unix.EINTR:
		case unix.ECONNREFUSED, unix.ENOENT:
			return fmt.Errorf("%w: %w", ErrNoDaemon, err)
		case nil:
			return k.identify()
		default:
			return err
		}
	}
}

// identify asks the kernel who listens. A datagram socket is told apart by each answer; it gets its address only after it is connected, when the kernel
// lets nobody but the server send to it.
func (k *conn) identify() (err error) {
	if k.to.kind != unix.SOCK_DGRAM {
		k.peer, err = listener(k.fd)
		if err == nil && !k.settings.trusts(k.peer.UID) {
			err = fmt.Errorf("%w: its uid is %d", ErrUntrustedServer, k.peer.UID)
		}
		return err
	}
	if err := unix.SetsockoptInt(k.fd, unix.SOL_SOCKET, unix.SO_PASSCRED, 1); err != nil {
		return err
	}
	return unix.Bind(k.fd, &unix.SockaddrUnix{}) // autobind
}

// hook lets the end of ctx end a wait, until the function that it returns is called.
func (k *conn) hook(ctx context.Context) func() bool { return context.AfterFunc(ctx, k.waker.wake) }

// ended gives the reason not to go on.
func (k *conn) ended(ctx context.Context) error {
	if k.life.Err() != nil {
		k.broken = true
		return ErrClosed
	}
	return ctx.Err()
}

// wait returns when the socket has one of the events, or with the reason not to go on. ctx must be hooked.
func (k *conn) wait(ctx context.Context, events int16) error {
	k.polled[0].Events = events
	for {
		if err := k.ended(ctx); err != nil {
			return err
		}
		_, err := unix.Poll(k.polled[:], -1)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return fmt.Errorf("cannot wait: %w", err)
		case k.polled[1].Revents == 0:
			return nil
		default:
			k.waker.clear()
		}
	}
}
