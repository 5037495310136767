package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// Client calls one server. It may be used from several goroutines, whose calls then wait for each other.
type Client struct {
	to       address
	settings *settings
	life     context.Context // ended by Close
	end      context.CancelFunc
	turn     chan struct{} // holds a token while a call is under way; whoever put it there owns conn
	conn     *conn         // nil once it is lost
	server   atomic.Pointer[Peer]
}

// Dial connects to a daemon: stream:@halberd, stream:/run/halberd/io.halberd, seqpacket:@halberd, dgram:@halberd. An empty address is what
// HALBERD_ADDRESS says, or else the first of these where anybody listens: stream:/run/halberd/io.halberd, $XDG_RUNTIME_DIR/halberd/io.halberd
// (except for root), stream:@halberd. A listener who is not trusted ends that search, it is not passed over.
//
// Over datagrams nothing is sent, so that a server of another uid is found out by the first call. Dial blocks while the server's backlog is full.
func Dial(ctx context.Context, address string, options ...Option) (*Client, error) {
	places := []string{address}
	if address == "" {
		places = candidates(os.Getenv("HALBERD_ADDRESS"), os.Getenv("XDG_RUNTIME_DIR"), os.Geteuid())
	}
	return search(ctx, places, options)
}

// search connects to the first place where anybody listens.
func search(ctx context.Context, places []string, options []Option) (*Client, error) {
	for _, place := range places {
		c, err := open(ctx, place, options)
		if len(places) == 1 || !errors.Is(err, ErrNoDaemon) {
			return c, err
		}
	}
	return nil, fmt.Errorf("%w at %s", ErrNoDaemon, strings.Join(places, ", "))
}

func open(ctx context.Context, place string, options []Option) (*Client, error) {
	to, err := parse(place)
	if err != nil {
		return nil, err
	}
	c := &Client{to: to, settings: newSettings(to.kind, uint32(os.Geteuid()), options), turn: make(chan struct{}, 1)}
	c.life, c.end = context.WithCancel(context.Background())
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	if c.conn, err = dial(ctx, to, c.settings, c.life); err != nil {
		c.end()
		return nil, err
	}
	c.note(c.conn.peer)
	return c, nil
}

// Close ends the connection, and with it claims and leases; it also ends the calls and watches under way with ErrClosed. Closing twice does nothing.
func (c *Client) Close() error {
	c.end()
	c.turn <- struct{}{}
	c.drop()
	<-c.turn
	return nil
}

// Address is where the server was found, in the form that Dial takes.
func (c *Client) Address() string { return c.to.String() }

// Server is who listens: the ids of the process that called listen, as the kernel recorded them. Over datagrams, it is who sent the last answer, and
// before the first one all its ids are 4294967295.
func (c *Client) Server() Peer { return *c.server.Load() }

// Call calls a method and waits for its reply. Parameters and reply are what encoding/json takes, a json.RawMessage among it; nil parameters are {},
// and a nil reply leaves the answer unread. Descriptors that come with the reply are closed. The package documentation lists how a call ends.
func (c *Client) Call(ctx context.Context, method string, parameters, reply any) error {
	files, err := c.call(ctx, method, parameters, reply)
	closeAll(files)
	return err
}

// CallFDs is Call for a method that gives descriptors. They are the caller's to close, close on exec, and in the order in which a fileDescriptor of the
// reply counts them. An error comes without any.
func (c *Client) CallFDs(ctx context.Context, method string, parameters, reply any) ([]*os.File, error) {
	fds, err := c.call(ctx, method, parameters, reply)
	if err != nil {
		closeAll(fds)
		return nil, err
	}
	files := make([]*os.File, len(fds))
	for i, fd := range fds {
		files[i] = os.NewFile(uintptr(fd), fmt.Sprintf("%s:%d", method, i))
	}
	return files, nil
}

func (c *Client) call(ctx context.Context, method string, parameters, into any) (files []int, err error) {
	message, err := encode(request{Method: method, Parameters: parameters})
	if err != nil {
		return nil, failed(method, err)
	}
	var answer reply
	err = c.exchange(ctx, func(ctx context.Context, k *conn) (err error) {
		answer, files, err = k.roundTrip(ctx, message)
		return err
	})
	switch {
	case err != nil:
	case answer.refusal != nil:
		err = answer.refusal
	case into != nil:
		if err = json.Unmarshal(answer.parameters, into); err != nil {
			err = fmt.Errorf("cannot read the reply: %w", err)
		}
	}
	return files, failed(method, err)
}

// Oneway sends a call that is never answered: nil says that it was handed to the kernel, not that it was carried out.
func (c *Client) Oneway(ctx context.Context, method string, parameters any) error {
	message, err := encode(request{Method: method, Parameters: parameters, Oneway: true})
	if err == nil {
		err = c.exchange(ctx, func(ctx context.Context, k *conn) error { return k.oneway(ctx, message) })
	}
	return failed(method, err)
}

// More calls a method with `more` and gives the parameters of each reply to each, which may keep them. It returns nil after a reply that announces no
// other one, each's error when it returns one, and otherwise ends as a call does. It uses a connection of its own, so that other calls go on meanwhile,
// those that each makes among them.
func (c *Client) More(ctx context.Context, method string, parameters any, each func(parameters json.RawMessage) error) error {
	message, err := encode(request{Method: method, Parameters: parameters, More: true})
	if err != nil {
		return failed(method, err)
	}
	if c.to.kind == unix.SOCK_DGRAM {
		bounded, cancel := c.bounded(ctx)
		defer cancel()
		ctx = bounded
	}
	k, err := dial(ctx, c.to, c.settings, c.life)
	if err != nil {
		return failed(method, err)
	}
	defer k.close()
	var stopped error
	err = k.watch(ctx, message, func(r reply) error {
		if r.refusal != nil {
			return r.refusal
		}
		stopped = each(r.parameters)
		return stopped
	})
	if stopped != nil {
		return stopped
	}
	return failed(method, err)
}

// failed says which call an error belongs to. A refusal speaks for itself.
func failed(method string, err error) error {
	if _, refused := err.(*Error); refused || err == nil {
		return err
	}
	return fmt.Errorf("cannot call %s: %w", method, err)
}

func (c *Client) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if c.settings.timeout <= 0 {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, c.settings.timeout)
}

// exchange runs one call when its turn has come. Where the connection turns out to be lost before anything was sent, it dials again, once.
func (c *Client) exchange(ctx context.Context, run func(context.Context, *conn) error) error {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	if err := c.wait(ctx); err != nil {
		return err
	}
	defer func() { <-c.turn }()
	used := c.conn != nil
	err := c.attempt(ctx, run)
	if used && errors.Is(err, errUnsent) && c.mayRedial() {
		err = c.attempt(ctx, run)
	}
	return err
}

// wait waits for the turn.
func (c *Client) wait(ctx context.Context) error {
	select {
	case c.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *Client) attempt(ctx context.Context, run func(context.Context, *conn) error) error {
	if err := c.connect(ctx); err != nil {
		return err
	}
	err := run(ctx, c.conn)
	c.note(c.conn.peer)
	if c.conn.broken {
		c.drop()
	}
	return err
}

// note keeps who the server is, for Server.
func (c *Client) note(server Peer) {
	if old := c.server.Load(); old == nil || *old != server {
		c.server.Store(&server)
	}
}

// connect makes sure that there is a connection.
func (c *Client) connect(ctx context.Context) (err error) {
	switch {
	case c.conn != nil:
		return nil
	case c.life.Err() != nil:
		return ErrClosed
	case !c.mayRedial():
		return errUnsent
	}
	c.conn, err = dial(ctx, c.to, c.settings, c.life)
	return err
}

func (c *Client) mayRedial() bool { return c.settings.reconnect || c.to.kind == unix.SOCK_DGRAM }

func (c *Client) drop() {
	if c.conn != nil {
		c.conn.close()
		c.conn = nil
	}
}
