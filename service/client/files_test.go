package client

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"runtime"
	"sync"
	"testing"
	"weak"

	"golang.org/x/sys/unix"
)

// pipes gives n pipes: what is written into one can be read from the descriptor that is passed.
func pipes(t *testing.T, n int) (ends, inputs []*os.File) {
	t.Helper()
	for range n {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.Close(); w.Close() })
		ends, inputs = append(ends, r), append(inputs, w)
	}
	return ends, inputs
}

func TestCallFDs(t *testing.T) {
	onEach(t, func(t *testing.T, kind string) {
		ends, inputs := pipes(t, 2)
		c := connectTo(t, listen(t, kind, func(f *far) {
			f.next()
			f.reply(`{"parameters":{"fileDescriptor":1}}`, ends...)
			echo(f)
		}).address)
		var got struct{ FileDescriptor int }
		files, err := c.CallFDs(t.Context(), "io.halberd.Gpio.Lease", nil, &got)
		if err != nil || len(files) != 2 || got.FileDescriptor != 1 {
			t.Fatalf("got %d descriptors, index %d and error %v, want 2, 1 and none", len(files), got.FileDescriptor, err)
		}
		for i, file := range files {
			defer file.Close()
			inputs[i].WriteString("through " + file.Name())
			inputs[i].Close()
			text, err := io.ReadAll(file)
			if got, want := string(text), "through "+file.Name(); err != nil || got != want {
				t.Errorf("descriptor %d: got %q and error %v, want %q", i, got, err, want)
			}
			checkClosedOnExec(t, file)
		}
		if err := call(c, 1); err != nil {
			t.Error(err)
		}
	})
}

func checkClosedOnExec(t *testing.T, file *os.File) {
	t.Helper()
	raw, err := file.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) {
		if flags, err := unix.FcntlInt(fd, unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("got flags %#x and error %v, want FD_CLOEXEC", flags, err)
		}
	})
}

func TestMostDescriptors(t *testing.T) {
	ends, _ := pipes(t, 1)
	many := make([]*os.File, 253)
	for i := range many {
		many[i] = ends[0]
	}
	onEach(t, func(t *testing.T, kind string) {
		c := connectTo(t, listen(t, kind, func(f *far) {
			f.next()
			if err := f.reply(`{}`, many...); err != nil {
				t.Error(err)
			}
		}).address)
		files, err := c.CallFDs(t.Context(), "a.B", nil, nil)
		if err != nil || len(files) != len(many) {
			t.Errorf("got %d descriptors and error %v, want %d", len(files), err, len(many))
		}
		for _, file := range files {
			file.Close()
		}
	})
}

// Whatever descriptors come without having been asked for are closed.
func TestUnaskedDescriptors(t *testing.T) {
	rows := []struct {
		name   string
		answer string
		call   func(*Client) error
		want   func(error) bool
	}{
		{"Call", `{}`, func(c *Client) error { return c.Call(context.Background(), "a.B", nil, nil) }, isNil},
		{"More", `{}`, func(c *Client) error { return c.More(context.Background(), "a.B", nil, ignore) }, isNil},
		{"CallFDs, refused", `{"error":"io.halberd.Busy"}`, callFDs(nil), isBusy},
		{"CallFDs, unreadable", `{"parameters":{"value":"text"}}`, callFDs(new(struct{ Value int })), isSome},
		{"CallFDs, not a reply", `nonsense`, callFDs(nil), func(err error) bool { return errors.Is(err, ErrProtocol) }},
	}
	onEach(t, func(t *testing.T, kind string) {
		for _, row := range rows {
			t.Run(row.name, func(t *testing.T) {
				ends, inputs := pipes(t, 1)
				c := connectTo(t, listen(t, kind, func(f *far) {
					for _, ok := f.next(); ok; _, ok = f.next() {
						f.reply(row.answer, ends...)
						ends[0].Close()
					}
				}).address)
				if err := row.call(c); !row.want(err) {
					t.Errorf("got error %v", err)
				}
				until(t, "no reader is left", func() bool {
					_, err := inputs[0].Write([]byte{0})
					return errors.Is(err, unix.EPIPE)
				})
			})
		}
	})
}

func isNil(err error) bool  { return err == nil }
func isSome(err error) bool { return err != nil }
func isBusy(err error) bool { return IsError(err, Busy) }

func ignore(json.RawMessage) error { return nil }

func callFDs(reply any) func(*Client) error {
	return func(c *Client) error {
		files, err := c.CallFDs(context.Background(), "a.B", nil, reply)
		for _, file := range files {
			file.Close()
		}
		return err
	}
}

// Descriptors of a late reply are not given to the call after it.
func TestLateDescriptors(t *testing.T) {
	for _, kind := range []string{"stream", "seqpacket"} {
		t.Run(kind, func(t *testing.T) {
			ends, inputs := pipes(t, 1)
			began, end := make(chan int), make(chan int)
			c := connectTo(t, listen(t, kind, func(f *far) {
				f.next()
				began <- 1
				<-end
				f.reply(`{}`, ends...)
				ends[0].Close()
				echo(f)
			}).address)
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error)
			go func() {
				_, err := c.CallFDs(ctx, "a.B", nil, nil)
				ended <- err
			}()
			<-began
			cancel()
			want(t, <-ended, context.Canceled)
			close(end)
			files, err := c.CallFDs(t.Context(), "a.C", nil, nil)
			if err != nil || len(files) != 0 {
				t.Errorf("got %d descriptors and error %v, want none", len(files), err)
			}
			until(t, "no reader is left", func() bool {
				_, err := inputs[0].Write([]byte{0})
				return errors.Is(err, unix.EPIPE)
			})
		})
	}
}

func TestDescriptorsBehindTheFirstByte(t *testing.T) {
	ends, _ := pipes(t, 1)
	c := connectTo(t, listen(t, "stream", func(f *far) {
		f.next()
		f.Write([]byte("{"))
		until(t, "the first byte is read", func() bool { return unread(f) == 0 })
		f.reply("}", ends...)
	}).address)
	_, err := c.CallFDs(t.Context(), "a.B", nil, nil)
	want(t, err, ErrProtocol)
}

func TestDescriptorsOfHalfAReply(t *testing.T) {
	ends, inputs := pipes(t, 1)
	c := connectTo(t, listen(t, "stream", func(f *far) {
		f.next()
		f.WriteMsgUnix([]byte("{"), unix.UnixRights(int(ends[0].Fd())), nil)
		ends[0].Close()
	}).address)
	want(t, call(c, 1), ErrConnectionLost)
	until(t, "no reader is left", func() bool {
		_, err := inputs[0].Write([]byte{0})
		return errors.Is(err, unix.EPIPE)
	})
}

// Descriptors that the kernel had to drop are missed, not overlooked.
func TestDescriptorsAreLost(t *testing.T) {
	if !truncationIsTold(t) {
		t.Skipf("MSG_CTRUNC is not told here")
	}
	onEach(t, func(t *testing.T, kind string) {
		ends, _ := pipes(t, 3)
		c := connectTo(t, listen(t, kind, func(f *far) {
			f.next()
			f.reply(`{}`, ends...)
		}).address)
		c.conn.control = c.conn.control[:unix.CmsgSpace(4)]
		_, err := c.CallFDs(t.Context(), "a.B", nil, nil)
		want(t, err, ErrProtocol)
	})
}

// truncationIsTold probes whether recvmsg says that control messages did not fit; an emulator may not.
func truncationIsTold(t *testing.T) bool {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll(pair[:])
	if err := unix.Sendmsg(pair[0], []byte{0}, unix.UnixRights(pair[0], pair[0], pair[0]), nil, 0); err != nil {
		t.Fatal(err)
	}
	got, err := recvmsg(pair[1], make([]byte, 1), make([]byte, unix.CmsgSpace(4)))
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll(got.files)
	return got.flags&unix.MSG_CTRUNC != 0
}

// A lost connection is not kept for as long as its client lives.
func TestLostConnectionIsLetGo(t *testing.T) {
	var first sync.Once
	c := connectTo(t, listen(t, "stream", func(f *far) {
		first.Do(func() {
			f.next()
			f.Close()
		})
		echo(f)
	}).address)
	old := weak.Make(c.conn)
	want(t, call(c, 1), ErrConnectionLost)
	until(t, "the connection is collected", func() bool {
		runtime.GC()
		return old.Value() == nil
	})
}

// Nothing is left of clients in whichever way their calls ended.
func TestNothingIsLeft(t *testing.T) {
	onEach(t, func(t *testing.T, kind string) {
		goroutines, files := runtime.NumGoroutine(), openFiles(t)
		for range 20 {
			t.Run("client", func(t *testing.T) { useUp(t, kind) })
		}
		until(t, "all goroutines have ended", func() bool { return runtime.NumGoroutine() <= goroutines })
		if got := openFiles(t); got > files {
			t.Errorf("got %d open files, want %d", got, files)
		}
	})
}

// useUp makes a client and ends its calls in every way.
func useUp(t *testing.T, kind string) {
	h := newHold(t)
	s := listen(t, kind, h.handle)
	c, err := Dial(t.Context(), s.address)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for _, answer := range []string{`{"parameters":{"value":1}}`, `{"error":"io.halberd.Busy"}`, `nonsense`} {
		go func() { ended <- c.Call(ctx, "a.B", nil, nil) }()
		<-h.calls
		h.answers <- answer
		<-ended
	}
	go func() { ended <- c.More(ctx, "a.B", nil, ignore) }()
	<-h.calls
	cancel()
	want(t, <-ended, context.Canceled)
	h.answers <- `{}`
	go func() { ended <- call(c, 1) }()
	<-h.calls
	c.Close()
	want(t, <-ended, ErrClosed)
	h.answers <- `{}`
	s.end()
	_, err = Dial(t.Context(), s.address)
	want(t, err, ErrNoDaemon)
	if kind != "dgram" {
		_, err = Dial(t.Context(), listen(t, kind, echo).address, WithServerUIDs())
		want(t, err, ErrUntrustedServer)
	}
}
