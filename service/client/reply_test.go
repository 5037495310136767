package client

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestCallIsTooLong(t *testing.T) {
	onEach(t, func(t *testing.T, kind string) {
		s := listen(t, kind, func(f *far) {
			for call, ok := f.next(); ok; call, ok = f.next() {
				f.reply(fmt.Sprintf(`{"parameters":{"value":%d}}`, len(call.text)))
			}
		})
		c := connectTo(t, s.address)
		frame, err := encode(request{Method: "a.B", Parameters: map[string]string{"a": ""}})
		if err != nil {
			t.Fatal(err)
		}
		long := strings.Repeat("x", maxMessage-len(frame))
		var got struct{ Value int }
		if err := c.Call(t.Context(), "a.B", map[string]string{"a": long}, &got); err != nil || got.Value != maxMessage {
			t.Errorf("at the limit: got %d bytes and error %v, want %d", got.Value, err, maxMessage)
		}
		err = c.Call(t.Context(), "a.B", map[string]string{"a": long + "x"}, nil)
		if !IsError(err, MessageTooLarge) {
			t.Errorf("beyond it: got %v, want %s", err, MessageTooLarge)
		}
		if got := s.connections(); got != 1 {
			t.Errorf("got %d connections, want 1", got)
		}
	})
}

func TestReplyLength(t *testing.T) {
	frame := `{"parameters":{"a":"` + `"}}`
	rows := []struct {
		name   string
		length int
		want   error
	}{
		{"at the limit", maxMessage, nil},
		{"a byte more", maxMessage + 1, ErrProtocol},
		{"two bytes more", maxMessage + 2, ErrProtocol},
		{"half as much again", maxMessage * 3 / 2, ErrProtocol},
	}
	onEach(t, func(t *testing.T, kind string) {
		for _, row := range rows {
			t.Run(row.name, func(t *testing.T) {
				var calls atomic.Int32
				s := listen(t, kind, func(f *far) {
					for call, ok := f.next(); ok; call, ok = f.next() {
						if calls.Add(1) > 1 {
							f.reply(echoed(call))
						} else if err := f.reply(frame[:20] + strings.Repeat("x", row.length-len(frame)) + frame[20:]); err != nil && kind != "stream" {
							t.Error(err) // the client hangs up on a stream while it is sent
						}
					}
				})
				c := connectTo(t, s.address)
				var got struct{ A string }
				want(t, c.Call(t.Context(), "a.B", nil, &got), row.want)
				if row.want == nil && len(got.A) != row.length-len(frame) {
					t.Errorf("got %d bytes, want %d", len(got.A), row.length-len(frame))
				}
				if err := call(c, 2); err != nil {
					t.Errorf("the next call: %v", err)
				}
			})
		}
	})
}

// Packets and datagrams need no NUL at their end, and may have one.
func TestPacketEndsWithNUL(t *testing.T) {
	long := `{"parameters":{}` + strings.Repeat(" ", maxMessage-len(`{"parameters":{}}`)) + "}"
	rows := []struct {
		name, answer string
		want         error
	}{
		{"NUL", "{}\x00", nil},
		{"two of them", "{}\x00\x00", ErrProtocol},
		{"NUL behind the limit", long + "\x00", nil},
		{"NUL behind the limit and more", long + "\x00more", ErrProtocol},
	}
	for _, kind := range []string{"seqpacket", "dgram"} {
		for _, row := range rows {
			t.Run(kind+"/"+row.name, func(t *testing.T) {
				c := connectTo(t, listen(t, kind, func(f *far) {
					f.next()
					if err := f.reply(row.answer); err != nil {
						t.Error(err)
					}
					f.next()
				}).address)
				want(t, c.Call(t.Context(), "a.B", nil, nil), row.want)
			})
		}
	}
}

func TestReplyIsSplit(t *testing.T) {
	answer := `{"parameters":{"value":5}}` + "\x00"
	s := listen(t, "stream", func(f *far) {
		for cut := 1; cut < len(answer); cut++ {
			if _, ok := f.next(); !ok {
				return
			}
			f.Write([]byte(answer[:cut]))
			until(t, "the first half is read", func() bool { return unread(f) == 0 })
			f.Write([]byte(answer[cut:]))
		}
		f.next()
	})
	c := connectTo(t, s.address)
	for cut := 1; cut < len(answer); cut++ {
		if err := call(c, 5); err != nil {
			t.Errorf("split at %d: %v", cut, err)
		}
	}
	if got := s.connections(); got != 1 {
		t.Errorf("got %d connections, want 1", got)
	}
}

// unread is how much of what was sent the other end has not received; -1 where nobody knows.
func unread(f *far) (n int) {
	raw, err := f.SyscallConn()
	if err != nil {
		return -1
	}
	raw.Control(func(fd uintptr) { n, err = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) })
	if err != nil {
		return -1
	}
	return n
}

// What follows a reply unasked is never taken for the reply of the next call.
func TestRepliesAreGlued(t *testing.T) {
	var first sync.Once
	s := listen(t, "stream", func(f *far) {
		first.Do(func() {
			f.next()
			f.reply(`{"parameters":{"value":1}}` + "\x00" + `{"parameters":{"value":666}}`)
		})
		echo(f)
	})
	c := connectTo(t, s.address)
	for i := 1; i <= 2; i++ {
		if err := call(c, i); err != nil {
			t.Error(err)
		}
		if got := s.connections(); got != i {
			t.Errorf("got %d connections, want %d", got, i)
		}
	}
}

func TestNotAReply(t *testing.T) {
	rows := []struct{ name, answer string }{
		{"nothing", ""},
		{"no JSON", "hello"},
		{"an array", "[]"},
		{"null", "null"},
		{"two objects", "{}{}"},
		{"an unknown key", `{"parameters":{},"result":1}`},
		{"a key of another case", `{"Parameters":{}}`},
		{"parameters are null", `{"parameters":null}`},
		{"parameters are a list", `{"parameters":[]}`},
		{"error is a number", `{"error":1}`},
		{"error is empty", `{"error":""}`},
		{"error is null", `{"error":null}`},
		{"continues is a number", `{"continues":1}`},
		{"continues, unasked", `{"parameters":{},"continues":true}`},
	}
	onEach(t, func(t *testing.T, kind string) {
		for _, row := range rows {
			if kind == "seqpacket" && row.answer == "" {
				continue // an empty packet looks like the end of the connection
			}
			t.Run(row.name, func(t *testing.T) {
				var calls atomic.Int32
				s := listen(t, kind, func(f *far) {
					for call, ok := f.next(); ok; call, ok = f.next() {
						if calls.Add(1) == 1 {
							f.reply(row.answer)
						} else {
							f.reply(echoed(call))
						}
					}
				})
				c := connectTo(t, s.address)
				want(t, c.Call(t.Context(), "a.B", nil, nil), ErrProtocol)
				if err := call(c, 2); err != nil {
					t.Errorf("the next call: %v", err)
				}
			})
		}
	})
}

func TestRefusalFields(t *testing.T) {
	rows := []struct {
		name          string
		err           Error
		text          string
		reason, grant string
		retry         time.Duration
	}{
		{"nothing", Error{Busy, json.RawMessage(`{}`)}, "io.halberd.Busy", "", "", 0},
		{"made by hand", Error{Name: Busy}, "io.halberd.Busy", "", "", 0},
		{"parameters", Error{NoSuchDevice, json.RawMessage(`{"class":"Led","device":"x"}`)}, `io.halberd.NoSuchDevice: {"class":"Led","device":"x"}`, "", "", 0},
		{"a reason", Error{PermissionDenied, json.RawMessage(`{"reason":"why","grant":"g","device":"x"}`)}, "org.varlink.service.PermissionDenied: why", "why", "g", 0},
		{"a time", Error{RateLimited, json.RawMessage(`{"retryAfterMSec":1500}`)}, `io.halberd.RateLimited: {"retryAfterMSec":1500}`, "", "", 1500 * time.Millisecond},
		{"wrong types", Error{Busy, json.RawMessage(`{"reason":1,"grant":null,"retryAfterMSec":"1"}`)}, `io.halberd.Busy: {"reason":1,"grant":null,"retryAfterMSec":"1"}`, "", "", 0},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			if got := row.err.Error(); got != row.text {
				t.Errorf("got the text %q, want %q", got, row.text)
			}
			if got := row.err.Reason(); got != row.reason {
				t.Errorf("got the reason %q, want %q", got, row.reason)
			}
			if got := row.err.Grant(); got != row.grant {
				t.Errorf("got the grant %q, want %q", got, row.grant)
			}
			if got := row.err.RetryAfter(); got != row.retry {
				t.Errorf("got %v, want %v", got, row.retry)
			}
		})
	}
}
