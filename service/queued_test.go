package service_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/service/config"
	"github.com/halberd-io/halberd/service/peer"
	"github.com/halberd-io/halberd/service/servicetest"
)

// usage is what Status says of what waits in the daemon.
type usage struct {
	Parameters struct {
		QueuedBytes int
		UIDs        []struct{ UID, Connections, QueuedBytes int }
	}
}

func usageOf(t *testing.T, root *servicetest.Raw) (u usage) {
	t.Helper()
	text := statusOf(t, root)
	if err := json.Unmarshal([]byte(text), &u); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return u
}

// of gives the bytes of one uid.
func (u usage) of(uid int) int {
	for _, x := range u.Parameters.UIDs {
		if x.UID == uid {
			return x.QueuedBytes
		}
	}
	return 0
}

// longCall has a reply of many bytes.
const longCall = `{"method":"org.varlink.service.GetInterfaceDescription","parameters":{"interface":"io.halberd.Gpio"}}`

// ask sends calls until the connection takes no more. What is begun is finished by the next call of it.
func ask(t *testing.T, r *servicetest.Raw, msg string) {
	t.Helper()
	if err := unix.SetNonblock(r.FD, true); err != nil {
		t.Fatal(err)
	}
	for range 300 {
		if r.Send([]byte(msg)) != nil {
			return
		}
	}
}

// TestQueuedBytes: however many connections of however many uids do not read their replies, what waits for them is bounded, for each uid and in all; who reads
// is answered, and nothing is left behind.
func TestQueuedBytes(t *testing.T) {
	const perConnection, perUID, total, each = 64 << 10, 200 << 10, 500 << 10, 20
	for _, kind := range connections {
		for _, uids := range []int{1, 6} {
			t.Run(kind.String(), func(t *testing.T) {
				s := servicetest.Start(t, anybody, servicetest.WithLimits(func(l *config.Limits) {
					l.QueuedBytes, l.QueuedBytesPerUID, l.QueuedBytesTotal = perConnection, perUID, total
				}))
				root := s.MustDial(t, peer.Seqpacket)
				msg, calls := longCall, 0
				if kind == peer.Stream {
					msg += "\x00"
					calls = 4 << 10 // of each connection, which wait for their turn
				}
				var lazy []*servicetest.Raw
				for i := range uids {
					for range each {
						r := s.DialAs(t, 2000+i, kind)
						ask(t, r, msg)
						lazy = append(lazy, r)
					}
				}
				most := 0
				eventuallyIs(t, "the bound is reached", func() bool {
					u := usageOf(t, root)
					for i := range uids {
						if got := u.of(2000 + i); got > perUID+64<<10+each*calls {
							t.Fatalf("%d bytes of a uid wait, want no more than %d and a reply, and calls", got, perUID)
						}
					}
					if got := u.Parameters.QueuedBytes; got > total+uids*each*calls {
						t.Fatalf("%d bytes wait, want no more than %d, and calls", got, total)
					}
					most = max(most, u.Parameters.QueuedBytes)
					return most >= min(uids*total/4, total)*2/3
				})
				for _, uid := range []int{1000, 2000} {
					if got, err := s.DialAs(t, uid, kind).Call(longCall); err != nil || !strings.HasPrefix(got, `{"parameters":{"description":`) {
						t.Errorf("uid %d reads: got %.60s, %v", uid, got, err)
					}
				}
				for _, r := range lazy {
					r.Close()
				}
				eventuallyIs(t, "nothing is left", func() bool { return usageOf(t, root).Parameters.QueuedBytes == 0 })
			})
		}
	}
}

// TestBegunMessages: messages that do not come whole are kept for a uid up to its limit. The connection of one too many is told so, and ends; another uid's goes on.
func TestBegunMessages(t *testing.T) {
	const perUID, length = 128 << 10, 30 << 10
	s := servicetest.Start(t, anybody, servicetest.WithLimits(func(l *config.Limits) {
		l.QueuedBytes, l.QueuedBytesPerUID, l.QueuedBytesTotal = 64<<10, perUID, 8*perUID
	}))
	root := s.MustDial(t, peer.Seqpacket)
	begin := func(uid int) *servicetest.Raw {
		r := s.DialAs(t, uid, peer.Stream)
		if err := r.Send([]byte(`{"method":"` + strings.Repeat("x", length))); err != nil {
			t.Fatal(err)
		}
		return r
	}
	var kept []*servicetest.Raw
	for i := range perUID / length {
		kept = append(kept, begin(2000))
		eventuallyIs(t, "the message is kept", func() bool { return usageOf(t, root).of(2000) >= (i+1)*length })
	}
	for range 10 {
		r := begin(2000)
		want := `{"error":"io.halberd.LimitExceeded","parameters":{"limit":"queued-bytes-per-uid","maximum":131072}}`
		if got, err := r.Read(); got != want || err != nil {
			t.Fatalf("one too many: got %s, %v, want %s", got, err, want)
		}
		if got, err := r.Read(); got != "" || err != nil && err != unix.ECONNRESET {
			t.Errorf("behind the answer: got %q, %v, want the end", got, err)
		}
		if got := usageOf(t, root).of(2000); got > perUID {
			t.Fatalf("%d bytes are kept, want no more than %d", got, perUID)
		}
	}
	for _, r := range append(kept, begin(1000)) {
		if err := r.Write(`"}`); err != nil {
			t.Fatal(err)
		}
		if got, err := r.Read(); err != nil || !matches(got, `{"error":"org.varlink.service.MethodNotFound"…`) {
			t.Errorf("finished: got %.60s, %v", got, err)
		}
	}
	eventuallyIs(t, "nothing is left", func() bool { return usageOf(t, root).Parameters.QueuedBytes == 0 })
}

// TestByteByByte: a peer that sends a message byte by byte is cut off when its time is over, however often a byte comes.
func TestByteByByte(t *testing.T) {
	const limit = 300 * time.Millisecond
	s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()), servicetest.WithLimits(func(l *config.Limits) { l.MessageTimeout = limit }))
	r := s.MustDial(t, peer.Stream)
	wait := []unix.PollFd{{Fd: int32(r.FD), Events: unix.POLLIN | unix.POLLRDHUP}}
	begin := time.Now()
	for n := 0; n == 0; {
		if err := r.Send([]byte("{")); err != nil {
			break
		}
		var err error
		if n, err = unix.Poll(wait, 10); err != nil && err != unix.EINTR {
			t.Fatal(err)
		}
		if time.Since(begin) > 20*time.Second {
			t.Fatal("it is never cut off")
		}
	}
	if took := time.Since(begin); took < limit {
		t.Errorf("cut off after %v, want %v", took, limit)
	}
	if got, err := r.Read(); got != "" || err != nil && err != unix.ECONNRESET {
		t.Errorf("got %q, %v, want the end", got, err)
	}
}

// TestReaderThatStops: a reader with replies queued is closed when it takes nothing for the time that it has, and one that is merely slow is not.
func TestReaderThatStops(t *testing.T) {
	const limit = 300 * time.Millisecond
	for _, kind := range connections {
		t.Run(kind.String(), func(t *testing.T) {
			s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()), servicetest.WithLimits(func(l *config.Limits) { l.WriteTimeout = limit }))
			root, r := s.MustDial(t, peer.Seqpacket), s.MustDial(t, kind)
			msg := longCall
			if kind == peer.Stream {
				msg += "\x00"
			}
			ask(t, r, msg)
			buf := make([]byte, 128<<10)
			for begin := time.Now(); time.Since(begin) < 3*limit; time.Sleep(limit / 10) {
				for drained := 0; drained < 128<<10; { // what the kernel has, so that there is progress
					n, err := unix.Read(r.FD, buf)
					if err == unix.EAGAIN || err == unix.EINTR {
						break
					}
					if err != nil || n == 0 {
						t.Fatalf("a slow reader is closed after %v: %v", time.Since(begin), err)
					}
					drained += n
				}
				ask(t, r, msg)
			}
			eventuallyIs(t, "the reader is closed", func() bool { return connectionsOf(t, statusOf(t, root)) == 1 })
			if s.Log.Find("a reader that takes nothing") == "" {
				t.Error("nothing says why")
			}
		})
	}
}

func statusOf(t *testing.T, root *servicetest.Raw) string {
	t.Helper()
	text, err := root.Call(`{"method":"io.halberd.Policy.Status"}`)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
