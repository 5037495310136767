package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestIdleConnectionIsClosed(t *testing.T) {
	for _, kind := range []string{"stream", "seqpacket"} {
		for _, oneway := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/oneway=%v", kind, oneway), func(t *testing.T) {
				closed := make(chan int)
				calls := make(chan string, 10)
				s := listen(t, kind, func(f *far) {
					call, _ := f.next()
					calls <- call.text
					f.reply(echoed(call))
					f.Close()
					closed <- 1
				})
				c := connectTo(t, s.address)
				for i := range 3 {
					if oneway {
						if err := c.Oneway(t.Context(), "a.B", nil); err != nil {
							t.Fatal(err)
						}
					} else if err := call(c, i); err != nil {
						t.Fatal(err)
					}
					<-closed
				}
				if got, want := len(calls), 3; got != want {
					t.Errorf("got %d calls, want %d", got, want)
				}
			})
		}
	}
}

func TestConnectionIsLostInACall(t *testing.T) {
	rows := []struct {
		name   string
		answer string // what is sent before the end
	}{
		{"without an answer", ""},
		{"within the answer", `{"parameters":{`},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			var calls atomic.Int32
			s := listen(t, "stream", func(f *far) {
				for call, ok := f.next(); ok; call, ok = f.next() {
					if calls.Add(1) == 1 {
						f.Write([]byte(row.answer))
						return
					}
					f.reply(echoed(call))
				}
			})
			c := connectTo(t, s.address)
			want(t, call(c, 1), ErrConnectionLost)
			if got := calls.Load(); got != 1 {
				t.Errorf("got the call %d times, want once", got)
			}
			if err := call(c, 2); err != nil {
				t.Errorf("the next call: %v", err)
			}
		})
	}
}

func TestPacketConnectionIsLostInACall(t *testing.T) {
	var calls atomic.Int32
	s := listen(t, "seqpacket", func(f *far) {
		for call, ok := f.next(); ok; call, ok = f.next() {
			if calls.Add(1) == 1 {
				return
			}
			f.reply(echoed(call))
		}
	})
	c := connectTo(t, s.address)
	want(t, call(c, 1), ErrConnectionLost)
	if err := call(c, 2); err != nil || calls.Load() != 2 {
		t.Errorf("the next call: %v, %d calls in all, want 2", err, calls.Load())
	}
}

func TestWithoutReconnect(t *testing.T) {
	closed := make(chan int, 1)
	s := listen(t, "stream", func(f *far) {
		call, _ := f.next()
		f.reply(echoed(call))
		f.Close()
		closed <- 1
	})
	c := connectTo(t, s.address, WithReconnect(false))
	if err := call(c, 1); err != nil {
		t.Fatal(err)
	}
	<-closed
	for range 2 {
		want(t, call(c, 2), ErrConnectionLost)
	}
	if got := s.connections(); got != 1 {
		t.Errorf("got %d connections, want 1", got)
	}
}

func TestServerIsGoneAndComesBack(t *testing.T) {
	onEach(t, func(t *testing.T, kind string) {
		s := listen(t, kind, echo)
		c := connectTo(t, s.address)
		if err := call(c, 1); err != nil {
			t.Fatal(err)
		}
		s.end()
		for range 2 {
			want(t, call(c, 2), ErrNoDaemon)
		}
		listenAt(t, s.address, echo)
		if err := call(c, 3); err != nil {
			t.Errorf("with the server back: %v", err)
		}
	})
}

// A server that refuses a call before it has read all of it answers and hangs up; the answer counts.
func TestAnswerBeforeTheEndOfTheCall(t *testing.T) {
	s := listen(t, "stream", func(f *far) {
		f.Read(make([]byte, 100))
		f.reply(`{"error":"io.halberd.MessageTooLarge","parameters":{"limit":99}}`)
	})
	c := connectTo(t, s.address)
	small(t, c)
	err := c.Call(t.Context(), "a.B", strings.Repeat("x", maxMessage/2), nil)
	if !IsError(err, MessageTooLarge) {
		t.Errorf("got %v, want %s", err, MessageTooLarge)
	}
}

// small gives the client's socket the smallest send buffer there is, so that half of a long call blocks.
func small(t *testing.T, c *Client) {
	t.Helper()
	if err := unix.SetsockoptInt(c.conn.fd, unix.SOL_SOCKET, unix.SO_SNDBUF, 1); err != nil {
		t.Fatal(err)
	}
}

func TestNoDaemon(t *testing.T) {
	folder, err := os.MkdirTemp("", "halberd")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(folder)
	stale := filepath.Join(folder, "stale")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: stale, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	rows := []struct{ name, address string }{
		{"abstract stream", "stream:@halberd-nobody"},
		{"abstract seqpacket", "seqpacket:@halberd-nobody"},
		{"abstract dgram", "dgram:@halberd-nobody"},
		{"no such path", "stream:" + folder + "/none"},
		{"a path that nobody listens at", "stream:" + stale},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			_, err := Dial(t.Context(), row.address)
			want(t, err, ErrNoDaemon)
		})
	}
	_, err = Dial(t.Context(), "seqpacket:"+listenAt(t, "stream:"+folder+"/other", echo).address[len("stream:"):])
	if want(t, err, unix.EPROTOTYPE); errors.Is(err, ErrNoDaemon) {
		t.Errorf("a socket of another type: got %v", err)
	}
}

// With a full backlog, Dial waits for room.
func TestBacklogIsFull(t *testing.T) {
	for kind, number := range map[string]int{"stream": unix.SOCK_STREAM, "seqpacket": unix.SOCK_SEQPACKET} {
		t.Run(kind, func(t *testing.T) {
			l, err := unix.Socket(unix.AF_UNIX, number|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer unix.Close(l)
			name := "@halberd-" + t.Name()
			if err := errors.Join(unix.Bind(l, &unix.SockaddrUnix{Name: name}), unix.Listen(l, 0)); err != nil {
				t.Fatal(err)
			}
			connectTo(t, kind+":"+name)
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			defer cancel()
			_, err = Dial(ctx, kind+":"+name)
			want(t, err, context.DeadlineExceeded)

			dialled := make(chan error)
			go func() {
				c, err := Dial(t.Context(), kind+":"+name)
				if err == nil {
					c.Close()
				}
				dialled <- err
			}()
			for range 2 {
				fd, _, err := unix.Accept(l)
				if err != nil {
					t.Fatal(err)
				}
				defer unix.Close(fd)
			}
			if err := <-dialled; err != nil {
				t.Error(err)
			}
		})
	}
}
