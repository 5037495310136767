package client

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// roundTrip sends a call and gives its reply and the descriptors that came with it, which the caller closes.
func (k *conn) roundTrip(ctx context.Context, call []byte) (reply, []int, error) {
	defer k.hook(ctx)()
	if err := k.post(ctx, call); err != nil {
		return reply{}, nil, err
	}
	r, files, err := k.receive(ctx)
	if err == nil && r.continues {
		k.broken, err = true, fmt.Errorf("%w: it announces another one, unasked", ErrProtocol)
	}
	k.broken = k.broken || k.used < k.filled // something follows that nobody asked for
	return r, files, err
}

// oneway sends a call that has no reply.
func (k *conn) oneway(ctx context.Context, call []byte) error {
	defer k.hook(ctx)()
	return k.post(ctx, call)
}

// watch sends a call and takes its replies until one is the last.
func (k *conn) watch(ctx context.Context, call []byte, each func(reply) error) error {
	defer k.hook(ctx)()
	if err := k.post(ctx, call); err != nil {
		return err
	}
	for {
		r, files, err := k.receive(ctx)
		closeAll(files)
		if err != nil {
			return err
		}
		if err := each(r); err != nil || !r.continues {
			return err
		}
	}
}

// post sends a call, after it has dropped the late reply of the call before it: never more than one is under way. Where ctx has ended it sends nothing.
func (k *conn) post(ctx context.Context, call []byte) error {
	if err := k.ended(ctx); err != nil {
		return err
	}
	if k.late {
		if err := k.settle(ctx); err != nil {
			return err
		}
	}
	return k.send(ctx, call)
}

func (k *conn) settle(ctx context.Context) error {
	_, files, err := k.receive(ctx)
	closeAll(files)
	if errors.Is(err, ErrConnectionLost) || errors.Is(err, ErrProtocol) {
		return errUnsent
	}
	return err
}

// send writes one message.
func (k *conn) send(ctx context.Context, message []byte) error {
	if k.to.kind == unix.SOCK_STREAM {
		message = append(message, 0)
	}
	for sent := 0; sent < len(message); {
		n, err := unix.SendmsgN(k.fd, message[sent:], nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
		sent += n
		if err == unix.EAGAIN {
			err = k.wait(ctx, unix.POLLOUT)
		}
		if err != nil && err != unix.EINTR {
			return k.sendFailed(sent, err)
		}
	}
	return nil
}

// sendFailed says what an error after so many bytes means. Where the server hung up in the middle of a call, its answer may tell why, so that is no error yet.
func (k *conn) sendFailed(sent int, err error) error {
	hangup := err == unix.EPIPE || err == unix.ECONNRESET || err == unix.ENOTCONN || err == unix.ECONNREFUSED
	k.broken = k.broken || hangup || sent > 0
	switch {
	case !hangup:
		return err
	case sent == 0:
		return errUnsent
	}
	return nil
}

// receive gives the next reply and the descriptors that came with it, which the caller closes. A reply that comes after the caller's patience has ended is
// late, but for datagrams, which cannot be told apart.
func (k *conn) receive(ctx context.Context) (reply, []int, error) {
	k.late, k.dropped = true, 0
	frame, err := k.frame(ctx)
	if err == nil {
		k.late = false
		r, err := decode(frame)
		k.broken = k.broken || err != nil
		return r, k.takeFiles(), err
	}
	k.broken = k.broken || k.to.kind == unix.SOCK_DGRAM || errors.Is(err, ErrConnectionLost) || errors.Is(err, ErrProtocol)
	if k.dropped > 0 {
		err = fmt.Errorf("%w: %d answers were dropped, the last one from uid %d: %w", ErrUntrustedServer, k.dropped, k.stranger.UID, err)
	}
	return reply{}, nil, err
}
