package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// onEach runs a test over each kind of socket.
func onEach(t *testing.T, test func(t *testing.T, kind string)) {
	for _, kind := range transports {
		t.Run(kind, func(t *testing.T) { test(t, kind) })
	}
}

func TestCall(t *testing.T) {
	rows := []struct {
		name       string
		parameters any
		wantCall   string
		answer     string
		want       string
	}{
		{"no parameters", nil, `{"method":"a.B","parameters":{}}`, `{"parameters":{}}`, `{}`},
		{"a struct", struct {
			Line string `json:"line"`
		}{"pump"}, `{"method":"a.B","parameters":{"line":"pump"}}`, `{"parameters":{"value":1}}`, `{"value":1}`},
		{"raw JSON", json.RawMessage(`{"a": 1}`), `{"method":"a.B","parameters":{"a":1}}`, `{}`, `{}`},
		{"no parameters in the answer", nil, `{"method":"a.B","parameters":{}}`, `{}`, `{}`},
		{"continues is false", nil, `{"method":"a.B","parameters":{}}`, `{"parameters":{},"continues":false}`, `{}`},
	}
	onEach(t, func(t *testing.T, kind string) {
		for _, row := range rows {
			t.Run(row.name, func(t *testing.T) {
				calls := make(chan string, 1)
				s := listen(t, kind, func(f *far) {
					for call, ok := f.next(); ok; call, ok = f.next() {
						calls <- call.text
						f.reply(row.answer)
					}
				})
				c := connectTo(t, s.address)
				var got json.RawMessage
				if err := c.Call(t.Context(), "a.B", row.parameters, &got); err != nil {
					t.Fatal(err)
				}
				if string(got) != row.want {
					t.Errorf("got the reply %s, want %s", got, row.want)
				}
				if got := <-calls; got != row.wantCall {
					t.Errorf("got the call %s, want %s", got, row.wantCall)
				}
			})
		}
	})
}

func TestCallIsRefused(t *testing.T) {
	onEach(t, func(t *testing.T, kind string) {
		s := listen(t, kind, func(f *far) {
			f.next()
			f.reply(`{"error":"org.varlink.service.PermissionDenied","parameters":{"reason":"no grant covers it","grant":"kiosk"}}`)
			echo(f)
		})
		c := connectTo(t, s.address)
		err := c.Call(t.Context(), "io.halberd.Led.Set", nil, nil)
		if !IsError(err, PermissionDenied) || IsError(err, Busy) {
			t.Fatalf("got %v, want %s", err, PermissionDenied)
		}
		if got, want := err.Error(), "org.varlink.service.PermissionDenied: no grant covers it"; got != want {
			t.Errorf("got the text %q, want %q", got, want)
		}
		if err := call(c, 1); err != nil {
			t.Errorf("the call after a refusal: %v", err)
		}
		if got := s.connections(); got != 1 {
			t.Errorf("got %d connections, want 1", got)
		}
	})
}

func TestOneway(t *testing.T) {
	onEach(t, func(t *testing.T, kind string) {
		calls := make(chan string, 2)
		s := listen(t, kind, func(f *far) {
			for call, ok := f.next(); ok; call, ok = f.next() {
				calls <- call.text
				if !call.Oneway {
					f.reply(echoed(call))
				}
			}
		})
		c := connectTo(t, s.address)
		if err := c.Oneway(t.Context(), "a.B", nil); err != nil {
			t.Fatal(err)
		}
		if got, want := <-calls, `{"method":"a.B","parameters":{},"oneway":true}`; got != want {
			t.Errorf("got the call %s, want %s", got, want)
		}
		if err := call(c, 7); err != nil {
			t.Errorf("the call after it: %v", err)
		}
	})
}

func TestReplyIsReadInto(t *testing.T) {
	s := listen(t, "stream", echo)
	c := connectTo(t, s.address)
	if err := c.Call(t.Context(), "a.B", map[string]string{"value": "text"}, nil); err != nil {
		t.Errorf("a reply that is not asked for: %v", err)
	}
	var wrong struct{ Value int }
	err := c.Call(t.Context(), "a.B", map[string]string{"value": "text"}, &wrong)
	if _, ok := errors.AsType[*json.UnmarshalTypeError](err); !ok {
		t.Errorf("got %v, want an UnmarshalTypeError", err)
	}
	if err := c.Call(t.Context(), "a.B", make(chan int), nil); err == nil {
		t.Error("parameters that no JSON can be made of are taken")
	}
	if got := s.connections(); got != 1 {
		t.Errorf("got %d connections, want 1", got)
	}
}

func TestCallsOfManyGoroutines(t *testing.T) {
	onEach(t, func(t *testing.T, kind string) {
		c := connectTo(t, listen(t, kind, echo).address)
		var wait sync.WaitGroup
		for g := range 8 {
			wait.Go(func() {
				for i := range 25 {
					if err := call(c, 100*g+i); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wait.Wait()
	})
}

func TestServer(t *testing.T) {
	self := Peer{uint32(os.Getuid()), uint32(os.Getgid()), int32(os.Getpid())}
	onEach(t, func(t *testing.T, kind string) {
		c := connectTo(t, listen(t, kind, echo).address)
		before := self
		if kind == "dgram" {
			before = Peer{UID: 4294967295, GID: 4294967295}
		}
		if got := c.Server(); got != before {
			t.Errorf("before a call: got %v, want %v", got, before)
		}
		if err := call(c, 1); err != nil {
			t.Fatal(err)
		}
		if got := c.Server(); got != self {
			t.Errorf("after a call: got %v, want %v", got, self)
		}
	})
}

func TestMore(t *testing.T) {
	rows := []struct {
		name, answers string // answers are sent in one write on a stream
		want          string
		wantErr       string
	}{
		{"two glued", `{"parameters":{"n":1},"continues":true}` + "\x00" + `{"parameters":{"n":2}}`, `[{"n":1} {"n":2}]`, ""},
		{"one without continues", `{"parameters":{"n":1}}`, `[{"n":1}]`, ""},
		{"an error at last", `{"parameters":{"n":1},"continues":true}` + "\x00" + `{"error":"io.halberd.DeviceGone"}`, `[{"n":1}]`, DeviceGone},
		{"an error at once", `{"error":"io.halberd.Busy","parameters":{}}`, `[]`, Busy},
	}
	for _, kind := range []string{"stream", "seqpacket"} {
		for _, row := range rows {
			t.Run(kind+"/"+row.name, func(t *testing.T) {
				calls := make(chan string, 1)
				s := listen(t, kind, func(f *far) {
					if call, ok := f.next(); ok {
						calls <- call.text
						f.replies(row.answers)
						f.next()
					}
				})
				got := []json.RawMessage{}
				err := connectTo(t, s.address).More(t.Context(), "a.B", nil, func(raw json.RawMessage) error {
					got = append(got, raw)
					return nil
				})
				if (row.wantErr != "" || err != nil) && !IsError(err, row.wantErr) {
					t.Errorf("got error %v, want %q", err, row.wantErr)
				}
				if got := fmt.Sprintf("%s", got); got != row.want {
					t.Errorf("got %s, want %s", got, row.want)
				}
				if got, want := <-calls, `{"method":"a.B","parameters":{},"more":true}`; got != want {
					t.Errorf("got the call %s, want %s", got, want)
				}
			})
		}
	}
}

// What has arrived already is not given to a caller who has had enough.
func TestMoreIsCancelledByEach(t *testing.T) {
	for _, kind := range []string{"stream", "seqpacket"} {
		t.Run(kind, func(t *testing.T) {
			event := `{"parameters":{},"continues":true}`
			c := connectTo(t, listen(t, kind, func(f *far) {
				f.next()
				f.replies(event + "\x00" + event)
				f.next()
			}).address)
			ctx, cancel := context.WithCancel(t.Context())
			events := 0
			err := c.More(ctx, "a.B", nil, func(json.RawMessage) error {
				events++
				cancel()
				return nil
			})
			if want(t, err, context.Canceled); events != 1 {
				t.Errorf("got %d events, want 1", events)
			}
		})
	}
}

// replies sends messages that are separated by NUL, in one write where the transport has it.
func (f *far) replies(text string) {
	if f.kind == "stream" {
		f.reply(text)
		return
	}
	for _, message := range strings.Split(text, "\x00") {
		f.reply(message)
	}
}

// watched answers a watch with an event and then says so; other calls as echo does.
func watched(began chan<- *far) func(*far) {
	return func(f *far) {
		for call, ok := f.next(); ok; call, ok = f.next() {
			if !call.More {
				f.reply(echoed(call))
				continue
			}
			f.reply(`{"parameters":{"n":1},"continues":true}`)
			began <- f
		}
	}
}

func TestMoreEnds(t *testing.T) {
	enough := errors.New("enough")
	rows := []struct {
		name string
		end  func(c *Client, cancel func(), f *far)
		each error
		want error
	}{
		{"by its context", func(_ *Client, cancel func(), _ *far) { cancel() }, nil, context.Canceled},
		{"by Close", func(c *Client, _ func(), _ *far) { c.Close() }, nil, ErrClosed},
		{"by the server", func(_ *Client, _ func(), f *far) { f.CloseWrite() }, nil, ErrConnectionLost},
		{"by each", func(*Client, func(), *far) {}, enough, enough},
	}
	for _, kind := range []string{"stream", "seqpacket"} {
		for _, row := range rows {
			t.Run(kind+"/"+row.name, func(t *testing.T) {
				began := make(chan *far, 1)
				c := connectTo(t, listen(t, kind, watched(began)).address)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				event := make(chan int, 1)
				ended := make(chan error, 1)
				go func() {
					ended <- c.More(ctx, "a.B", nil, func(json.RawMessage) error {
						event <- 1
						return row.each
					})
				}()
				<-event
				row.end(c, cancel, <-began)
				want(t, <-ended, row.want)
			})
		}
	}
}

func TestCallDuringMore(t *testing.T) {
	for _, kind := range []string{"stream", "seqpacket"} {
		t.Run(kind, func(t *testing.T) {
			began := make(chan *far, 1)
			c := connectTo(t, listen(t, kind, watched(began)).address)
			enough := errors.New("enough")
			err := c.More(t.Context(), "a.B", nil, func(json.RawMessage) error {
				if err := call(c, 3); err != nil {
					t.Error(err)
				}
				return enough
			})
			want(t, err, enough)
		})
	}
}

func TestMoreOverDatagrams(t *testing.T) {
	s := listen(t, "dgram", func(f *far) {
		f.next()
		f.reply(`{"error":"org.varlink.service.MethodNotImplemented","parameters":{"method":"a.B"}}`)
		silent(f)
	})
	c := connectTo(t, s.address)
	if err := c.More(t.Context(), "a.B", nil, ignore); !IsError(err, MethodNotImplemented) {
		t.Errorf("got %v, want %s", err, MethodNotImplemented)
	}
	c.settings.timeout = time.Millisecond
	want(t, c.More(t.Context(), "a.B", nil, ignore), context.DeadlineExceeded)
}

// The kernel itself keeps strangers from answering a call, so that no name of a sender need be trusted.
func TestStrangersCannotSendDatagrams(t *testing.T) {
	c := connectTo(t, listen(t, "dgram", echo).address)
	own, err := unix.Getsockname(c.conn.fd)
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(stranger)
	want(t, unix.Sendto(stranger, []byte(`{}`), 0, own), unix.EPERM)
	if c.conn.fromServer(received{from: "@stranger", sender: Peer{UID: uint32(os.Geteuid())}}) {
		t.Error("an answer from another address is taken")
	}
	if err := call(c, 1); err != nil {
		t.Error(err)
	}
}

func BenchmarkCall(b *testing.B) {
	for _, kind := range transports {
		b.Run(kind, func(b *testing.B) {
			s, err := newServer(kind+":@halberd-benchmark", func(f *far) {
				for _, err := f.read(); err == nil; _, err = f.read() {
					f.reply(`{"parameters":{}}`)
				}
			})
			if err != nil {
				b.Fatal(err)
			}
			defer s.end()
			c, err := Dial(b.Context(), s.address)
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			for b.Loop() {
				if err := c.Call(b.Context(), "a.B", nil, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
