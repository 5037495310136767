package frame

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// arrival is what one recvmsg brought.
type arrival struct {
	data string
	fds  int
}

// receive takes one packet with its descriptors, which it closes.
func receive(t *testing.T, fd int) (arrival, error) {
	t.Helper()
	data, oob := make([]byte, 1<<17), make([]byte, 4096)
	n, oobn, flags, _, err := unix.Recvmsg(fd, data, oob, unix.MSG_CMSG_CLOEXEC|unix.MSG_DONTWAIT)
	if err != nil {
		return arrival{}, err
	}
	if flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0 {
		t.Fatalf("truncated: flags %#x", flags)
	}
	c := parseControl(oob[:oobn], closeDescriptor)
	return arrival{string(data[:n]), c.descriptors}, nil
}

func receiveAll(t *testing.T, fd int) (got []arrival) {
	t.Helper()
	for {
		a, err := receive(t, fd)
		if err == unix.EAGAIN {
			return got
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, a)
	}
}

func TestQueue(t *testing.T) {
	type message struct {
		data string
		fds  int
	}
	tests := []struct {
		name     string
		messages []message
		stream   []arrival
		packets  []arrival
	}{
		{"nothing", nil, nil, nil},
		{"one", []message{{"a", 0}}, []arrival{{"a", 0}}, []arrival{{"a", 0}}},
		{"glued on a stream alone", []message{{"a", 0}, {"bc", 0}, {"d", 0}}, []arrival{{"abcd", 0}}, []arrival{{"a", 0}, {"bc", 0}, {"d", 0}}},
		{"descriptors", []message{{"a", 2}}, []arrival{{"a", 2}}, []arrival{{"a", 2}}},
		{"what follows descriptors may be glued to them", []message{{"a", 1}, {"b", 0}}, []arrival{{"ab", 1}}, []arrival{{"a", 1}, {"b", 0}}},
		{"descriptors are not glued to each other", []message{{"a", 1}, {"b", 2}, {"c", 0}}, []arrival{{"a", 1}, {"bc", 2}}, []arrival{{"a", 1}, {"b", 2}, {"c", 0}}},
	}
	for _, test := range tests {
		for _, packets := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, packets %v", test.name, packets), func(t *testing.T) {
				kind, want := unix.SOCK_STREAM, test.stream
				if packets {
					kind, want = unix.SOCK_SEQPACKET, test.packets
				}
				ours, theirs := pair(t, kind)
				var q Queue
				for _, m := range test.messages {
					var fds []int
					for range m.fds {
						fd, _ := file(t)
						fds = append(fds, fd)
					}
					q.Push([]byte(m.data), fds)
				}
				progress, err := q.Flush(ours, packets)
				if err != nil || progress != (len(test.messages) > 0) || q.Len() != 0 {
					t.Errorf("flush: got %v, %v, %d bytes left", progress, err, q.Len())
				}
				if got := receiveAll(t, theirs); !slices.Equal(got, want) {
					t.Errorf("got %v, want %v", got, want)
				}
				if q.data != nil || q.messages != nil {
					t.Error("an empty queue holds memory")
				}
			})
		}
	}
}

// An earlier message is never glued to one with descriptors: the kernel gets two sends, so that the reader can tell.
func TestQueueDoesNotGlueBeforeDescriptors(t *testing.T) {
	var q Queue
	q.Push([]byte("abc"), nil)
	q.Push([]byte("de"), nil)
	q.Push([]byte("f"), []int{-1})
	q.Push([]byte("g"), nil)
	if got := q.glued(); got != 5 {
		t.Errorf("bytes glued: got %d, want 5", got)
	}
	q.advance(5, false)
	if got := q.glued(); got != 2 {
		t.Errorf("bytes glued behind: got %d, want 2", got)
	}
}

func TestQueueDrop(t *testing.T) {
	var q Queue
	fd, ended := file(t)
	q.Push([]byte("a"), nil)
	q.Push([]byte("b"), []int{fd})
	q.Drop()
	q.Drop()
	if !ended() || q.Len() != 0 {
		t.Errorf("descriptor closed: %v, bytes left: %d; want true, 0", ended(), q.Len())
	}
}

func TestQueueToClosed(t *testing.T) {
	for _, packets := range []bool{false, true} {
		kind := unix.SOCK_STREAM
		if packets {
			kind = unix.SOCK_SEQPACKET
		}
		fds, err := unix.Socketpair(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		unix.Close(fds[1])
		var q Queue
		fd, ended := file(t)
		q.Push([]byte("a"), []int{fd})
		if progress, err := q.Flush(fds[0], packets); progress || err != unix.EPIPE {
			t.Errorf("packets %v: got %v, %v, want EPIPE", packets, progress, err)
		}
		q.Drop()
		if !ended() {
			t.Errorf("packets %v: the descriptor is still open", packets)
		}
		unix.Close(fds[0])
	}
}

// Whatever the kernel takes at a time, everything arrives in order, packets whole, and descriptors with the first byte of their message.
func TestQueueUnderPressure(t *testing.T) {
	for _, packets := range []bool{false, true} {
		t.Run(fmt.Sprintf("packets %v", packets), func(t *testing.T) {
			kind := unix.SOCK_STREAM
			if packets {
				kind = unix.SOCK_SEQPACKET
			}
			ours, theirs := pair(t, kind)
			set(t, ours, unix.SO_SNDBUF, 32<<10)
			random := rand.New(rand.NewPCG(1, 2))
			var q Queue
			var sent []arrival
			var got []arrival
			blocked := 0
			for len(sent) < 500 {
				m := arrival{data: fmt.Sprintf("%d:%s;", len(sent), text(random.IntN(20000))), fds: max(0, random.IntN(10)-8)}
				sent = append(sent, m)
				q.Push([]byte(m.data), someFiles(t, m.fds))
				_, err := q.Flush(ours, packets)
				if err != nil && err != unix.EAGAIN {
					t.Fatal(err)
				}
				if err == unix.EAGAIN && random.IntN(4) == 0 {
					blocked++
					a, _ := receive(t, theirs)
					got = append(got, a)
				}
			}
			for q.Len() > 0 {
				got = append(got, receiveAll(t, theirs)...)
				if _, err := q.Flush(ours, packets); err != nil && err != unix.EAGAIN {
					t.Fatal(err)
				}
			}
			got = append(got, receiveAll(t, theirs)...)
			if blocked == 0 {
				t.Error("the queue was never under pressure")
			}
			if packets && !slices.Equal(got, sent) {
				t.Errorf("got %d packets, want the %d that were sent", len(got), len(sent))
			}
			checkStream(t, got, sent)
		})
	}
}

// someFiles returns descriptors to be owned by a queue.
func someFiles(t *testing.T, count int) (fds []int) {
	t.Helper()
	for range count {
		fd, err := unix.Dup(0)
		if err != nil {
			t.Fatal(err)
		}
		fds = append(fds, fd)
	}
	return fds
}

// checkStream compares the bytes, and that each message's descriptors came in the read that brought its first byte.
func checkStream(t *testing.T, got, sent []arrival) {
	t.Helper()
	if stream, want := join(got), join(sent); stream != want {
		t.Fatalf("got %d bytes, want %d, the same ones", len(stream), len(want))
	}
	at, arrived := 0, len(got[0].data) // the read that brought a message's first byte, and where it ends
	begin := 0
	for i, m := range sent {
		for begin >= arrived {
			at++
			arrived += len(got[at].data)
		}
		got[at].fds -= m.fds
		if got[at].fds < 0 {
			t.Fatalf("message %d: its %d descriptors did not come with its first byte", i, m.fds)
		}
		begin += len(m.data)
	}
	for i, a := range got {
		if a.fds != 0 {
			t.Errorf("read %d: got %d descriptors too many", i, a.fds)
		}
	}
}

func join(all []arrival) string {
	var b strings.Builder
	for _, a := range all {
		b.WriteString(a.data)
	}
	return b.String()
}
