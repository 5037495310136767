package client

import (
	"bytes"
	"context"
	"fmt"

	"golang.org/x/sys/unix"
)

// frame gives the next message, which lives until the next one is asked for.
func (k *conn) frame(ctx context.Context) ([]byte, error) {
	if err := k.ended(ctx); err != nil {
		return nil, err
	}
	k.used, k.filled = 0, copy(k.in, k.in[k.used:k.filled])
	if k.to.kind == unix.SOCK_STREAM {
		return k.line(ctx)
	}
	err := k.fill(ctx)
	k.used = k.filled
	frame := bytes.TrimSuffix(k.in[:k.filled], []byte{0})
	if err == nil && len(frame) > maxMessage {
		err = errTooLong
	}
	return frame, err
}

// line gives the next message of a stream, without its NUL.
func (k *conn) line(ctx context.Context) ([]byte, error) {
	for seen := 0; ; {
		if n := bytes.IndexByte(k.in[seen:k.filled], 0); n >= 0 {
			k.used = seen + n + 1
			return k.in[:seen+n], nil
		}
		if seen = k.filled; seen == len(k.in) {
			return nil, errTooLong
		}
		if err := k.fill(ctx); err != nil {
			return nil, err
		}
	}
}

// fill waits until the server sent something and takes it in. It polls before it reads: a blocking read of a stream would be woken twice.
func (k *conn) fill(ctx context.Context) error {
	for {
		if err := k.wait(ctx, unix.POLLIN); err != nil {
			return err
		}
		got, err := recvmsg(k.fd, k.in[k.filled:], k.control)
		switch {
		case err == unix.EAGAIN || err == unix.EINTR:
		case err != nil:
			return fmt.Errorf("%w: %w", errUnanswered, err)
		case k.to.kind == unix.SOCK_DGRAM && !k.fromServer(got):
			closeAll(got.files)
			k.dropped++
			k.stranger = got.sender
		default:
			return k.admit(got)
		}
	}
}

// fromServer tells whether a datagram came from the socket that was called and from a process to be trusted.
func (k *conn) fromServer(got received) bool {
	return got.from == k.to.name && k.settings.trusts(got.sender.UID)
}

// admit adds what was received to the frame.
func (k *conn) admit(got received) error {
	begun := k.filled > 0
	k.files = append(k.files, got.files...)
	k.filled += got.n
	switch {
	case got.n == 0 && k.to.kind != unix.SOCK_DGRAM:
		return fmt.Errorf("%w: the server hung up", errUnanswered)
	case got.flags&unix.MSG_CTRUNC != 0:
		return fmt.Errorf("%w: its descriptors were lost", ErrProtocol)
	case got.flags&unix.MSG_TRUNC != 0:
		return errTooLong
	case begun && len(got.files) > 0:
		return fmt.Errorf("%w: descriptors came behind its first byte", ErrProtocol)
	}
	if k.to.kind == unix.SOCK_DGRAM {
		k.peer = got.sender
	}
	return nil
}

// takeFiles hands over the descriptors of the frame.
func (k *conn) takeFiles() []int {
	files := k.files
	k.files = nil
	return files
}
