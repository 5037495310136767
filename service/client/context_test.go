package client

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// hold answers calls only when told to: each call is announced, and its reply is whatever comes back.
type hold struct {
	calls   chan asked
	answers chan string
	end     <-chan struct{} // of the test
}

func newHold(t *testing.T) hold { return hold{make(chan asked), make(chan string), t.Context().Done()} }

func (h hold) handle(f *far) {
	for call, ok := f.next(); ok; call, ok = f.next() {
		select {
		case h.calls <- call:
		case <-h.end:
			return
		}
		select {
		case answer := <-h.answers:
			f.reply(answer)
		case <-h.end:
			return
		}
	}
}

func TestContextEndsInACall(t *testing.T) {
	onEach(t, func(t *testing.T, kind string) {
		h := newHold(t)
		s := listen(t, kind, h.handle)
		c := connectTo(t, s.address)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- c.Call(ctx, "a.First", nil, nil) }()
		<-h.calls
		cancel()
		want(t, <-ended, context.Canceled)
		h.answers <- `{"parameters":{"value":666}}`

		go func() { ended <- call(c, 2) }()
		h.answers <- echoed(<-h.calls)
		if err := <-ended; err != nil {
			t.Errorf("the next call: %v", err)
		}
		if got := s.connections(); got != 1 {
			t.Errorf("got %d connections, want 1", got)
		}
	})
}

// A call waits for the late reply of the one before it, and with it goes no further than that when the connection is lost.
func TestConnectionIsLostWithALateReply(t *testing.T) {
	for _, kind := range []string{"stream", "seqpacket"} {
		t.Run(kind, func(t *testing.T) {
			began, end := make(chan int), make(chan int)
			var first sync.Once
			s := listen(t, kind, func(f *far) {
				first.Do(func() {
					f.next()
					began <- 1
					<-end
					f.Close()
				})
				echo(f)
			})
			c := connectTo(t, s.address)
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- c.Call(ctx, "a.B", nil, nil) }()
			<-began
			cancel()
			want(t, <-ended, context.Canceled)
			close(end)
			if err := call(c, 2); err != nil {
				t.Error(err)
			}
			if got := s.connections(); got != 2 {
				t.Errorf("got %d connections, want 2", got)
			}
		})
	}
}

func TestContextHasEnded(t *testing.T) {
	onEach(t, func(t *testing.T, kind string) {
		calls := make(chan string, 1)
		s := listen(t, kind, func(f *far) {
			call, _ := f.next()
			calls <- call.Method
			f.reply(echoed(call))
		})
		c := connectTo(t, s.address)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		want(t, c.Call(ctx, "a.Cancelled", nil, nil), context.Canceled)
		want(t, c.Oneway(ctx, "a.Cancelled", nil), context.Canceled)
		want(t, c.More(ctx, "a.Cancelled", nil, nil), context.Canceled)
		_, err := Dial(ctx, s.address)
		want(t, err, context.Canceled)
		if err := c.Call(t.Context(), "a.Wanted", nil, nil); err != nil {
			t.Error(err)
		}
		if got := <-calls; got != "a.Wanted" {
			t.Errorf("got the call %s first, want a.Wanted", got)
		}
	})
}

func TestContextEndsWithHalfACallWritten(t *testing.T) {
	arrived := make(chan *far)
	var first sync.Once
	s := listen(t, "stream", func(f *far) {
		first.Do(func() {
			f.lines.Peek(1)
			arrived <- f
			<-arrived
		})
		echo(f)
	})
	c := connectTo(t, s.address)
	small(t, c)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- c.Call(ctx, "a.B", strings.Repeat("x", maxMessage/2), nil) }()
	f := <-arrived
	cancel()
	want(t, <-ended, context.Canceled)
	arrived <- f
	if err := call(c, 2); err != nil {
		t.Errorf("the next call: %v", err)
	}
	if got := s.connections(); got != 2 {
		t.Errorf("got %d connections, want 2", got)
	}
}

func TestContextEndsBeforeItsTurn(t *testing.T) {
	h := newHold(t)
	c := connectTo(t, listen(t, "stream", h.handle).address)
	ended := make(chan error)
	go func() { ended <- call(c, 1) }()
	first := <-h.calls
	ctx, cancel := context.WithCancel(t.Context())
	second := make(chan error)
	go func() { second <- c.Call(ctx, "a.B", nil, nil) }()
	cancel()
	want(t, <-second, context.Canceled)
	h.answers <- echoed(first)
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestTimeout(t *testing.T) {
	onEach(t, func(t *testing.T, kind string) {
		c := connectTo(t, listen(t, kind, silent).address)
		c.settings.timeout = time.Millisecond // Dial was not bounded by it
		for range 2 {
			want(t, call(c, 1), context.DeadlineExceeded)
			want(t, c.Call(t.Context(), "a.B", nil, nil), context.DeadlineExceeded)
		}
	})
}

// The answer to a datagram may never come: the next call does not wait for it.
func TestContextEndsAndTheAnswerIsLost(t *testing.T) {
	began := make(chan int)
	c := connectTo(t, listen(t, "dgram", func(f *far) {
		f.next()
		began <- 1
		echo(f)
	}).address)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- c.Call(ctx, "a.B", nil, nil) }()
	<-began
	cancel()
	want(t, <-ended, context.Canceled)
	if err := call(c, 2); err != nil {
		t.Error(err)
	}
}

// silent reads calls and never answers.
func silent(f *far) {
	for _, ok := f.next(); ok; _, ok = f.next() {
	}
}

func TestDatagramsHaveATimeout(t *testing.T) {
	rows := []struct {
		name    string
		kind    int
		options []Option
		want    time.Duration
	}{
		{"stream", unix.SOCK_STREAM, nil, 0},
		{"seqpacket", unix.SOCK_SEQPACKET, nil, 0},
		{"dgram", unix.SOCK_DGRAM, nil, DatagramTimeout},
		{"dgram, said otherwise", unix.SOCK_DGRAM, []Option{WithTimeout(time.Hour)}, time.Hour},
		{"dgram, without end", unix.SOCK_DGRAM, []Option{WithTimeout(0)}, 0},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			if got := newSettings(row.kind, 0, row.options).timeout; got != row.want {
				t.Errorf("got %v, want %v", got, row.want)
			}
		})
	}
}

func TestClose(t *testing.T) {
	onEach(t, func(t *testing.T, kind string) {
		h := newHold(t)
		c := connectTo(t, listen(t, kind, h.handle).address)
		ended := make(chan error, 2)
		go func() { ended <- call(c, 1) }()
		<-h.calls
		go func() { ended <- call(c, 2) }()
		for range 2 {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
		for range 2 {
			want(t, <-ended, ErrClosed)
		}
		h.answers <- `{}`
		want(t, call(c, 3), ErrClosed)
		want(t, c.Oneway(t.Context(), "a.B", nil), ErrClosed)
		want(t, c.More(t.Context(), "a.B", nil, nil), ErrClosed)
	})
}

func TestCloseWithoutReconnect(t *testing.T) {
	c := connectTo(t, listen(t, "stream", echo).address, WithReconnect(false))
	c.Close()
	want(t, call(c, 1), ErrClosed)
}

// A signal that a waiting thread gets ends its system call, not the call.
func TestSignals(t *testing.T) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, unix.SIGUSR1)
	defer signal.Stop(signals)
	onEach(t, func(t *testing.T, kind string) {
		h := newHold(t)
		c := connectTo(t, listen(t, kind, h.handle).address)
		thread := make(chan int, 1)
		ended := make(chan error, 1)
		go func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			thread <- unix.Gettid()
			ended <- call(c, 1)
		}()
		first := <-h.calls
		id := <-thread
		until(t, "the call waits", func() bool { return sleeps(t, id) })
		if err := unix.Tgkill(os.Getpid(), id, unix.SIGUSR1); err != nil {
			t.Fatal(err)
		}
		<-signals
		h.answers <- echoed(first)
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// sleeps tells whether a thread waits in the kernel.
func sleeps(t *testing.T, id int) bool {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/stat", id))
	if err != nil {
		t.Skipf("cannot see what a thread does: %v", errors.Unwrap(err))
	}
	return strings.Contains(string(stat), ") S ")
}
