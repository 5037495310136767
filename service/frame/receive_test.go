package frame

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestReceiveDatagram(t *testing.T) {
	name, client := abstract(), abstract()
	path := filepath.Join(t.TempDir(), "client")
	tests := []struct {
		name   string
		client string // what the sender is bound to
		want   string // the address that the receiver sees
	}{
		{"from an unnamed socket", "", ""},
		{"from an abstract name", client, "\x00" + client[1:]},
		{"from a path", path, path},
	}
	server := bound(t, name)
	set(t, server, unix.SO_PASSCRED, 1)
	r := NewReceiver()
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			from := bound(t, test.client)
			send := []byte("\x00" + name[1:])
			if n, err := Send(from, []byte("hello"), send); n != 5 || err != nil {
				t.Fatalf("sent %d: %v", n, err)
			}
			p, err := r.Receive(server, true)
			if err != nil || string(p.Data) != "hello" || p.Truncated || p.ControlTruncated || p.Descriptors != 0 {
				t.Errorf("got %q, %+v (%v), want hello and nothing special", p.Data, p, err)
			}
			if got := string(p.Address); got != test.want || (p.Address == nil) != (test.want == "") {
				t.Errorf("address: got %q, want %q", got, test.want)
			}
			if !p.HasCreds || p.UID != uint32(os.Getuid()) || p.GID != uint32(os.Getgid()) || p.PID != int32(os.Getpid()) {
				t.Errorf("credentials: got %v %d:%d of %d, want our own", p.HasCreds, p.UID, p.GID, p.PID)
			}
		})
	}
}

// A name that the kernel chose is five hexadecimal digits behind the NUL.
func TestReceiveFromAutobound(t *testing.T) {
	server := bound(t, abstract())
	set(t, server, unix.SO_PASSCRED, 1)
	name, err := unix.Getsockname(server)
	if err != nil {
		t.Fatal(err)
	}
	client := bound(t, "")
	set(t, client, unix.SO_PASSCRED, 1) // makes connect choose a name
	if err := unix.Connect(client, name); err != nil {
		t.Fatal(err)
	}
	mustSend(t, client, "hello")
	r := NewReceiver()
	p, err := r.Receive(server, true)
	if err != nil || len(p.Address) != 6 || p.Address[0] != 0 {
		t.Fatalf("address: got %q (%v), want a NUL and five digits", p.Address, err)
	}
	if n, err := Send(server, []byte("answer"), p.Address); n != 6 || err != nil {
		t.Fatalf("answered %d: %v", n, err)
	}
	if p, err := r.Receive(client, false); err != nil || string(p.Data) != "answer" {
		t.Errorf("got %q (%v), want the answer", p.Data, err)
	}
}

func TestReceiveWithoutCredentials(t *testing.T) {
	ours, theirs := pair(t, unix.SOCK_DGRAM)
	mustSend(t, theirs, "x")
	p, err := NewReceiver().Receive(ours, true)
	if err != nil || p.HasCreds || p.UID != nobody || p.GID != nobody {
		t.Errorf("got credentials %v, %d:%d (%v), want none and nobody", p.HasCreds, p.UID, p.GID, err)
	}
}

func TestReceiveLengths(t *testing.T) {
	tests := []struct {
		name      string
		length    int
		truncated bool
	}{
		{"empty", 0, false},
		{"one byte", 1, false},
		{"the longest", MaxRequest, false},
		{"the longest and a NUL", MaxRequest + 1, false},
		{"longer", MaxRequest + 2, true},
		{"much longer", 3 * MaxRequest, true},
	}
	r := NewReceiver()
	for _, test := range tests {
		for _, kind := range []string{"seqpacket", "dgram"} {
			t.Run(kind+" "+test.name, func(t *testing.T) {
				ours, theirs := pair(t, kinds[kind])
				set(t, theirs, unix.SO_SNDBUF, 1<<20)
				msg := text(test.length)
				mustSend(t, theirs, msg)
				p, err := r.Receive(ours, kind == "dgram")
				if err != nil || p.Truncated != test.truncated {
					t.Fatalf("truncated: got %v (%v), want %v", p.Truncated, err, test.truncated)
				}
				if want := msg[:min(len(msg), MaxRequest+1)]; string(p.Data) != want {
					t.Errorf("got %d bytes, want the first %d", len(p.Data), len(want))
				}
			})
		}
	}
}

// With SO_PASSCRED there is room for the credentials and nothing else, so a descriptor is never installed.
func TestReceiveRefusesDescriptors(t *testing.T) {
	needControlTruncation(t)
	for _, kind := range []string{"seqpacket", "dgram", "stream"} {
		for _, count := range []int{1, 5, 253} {
			for _, wantControl := range []bool{true, false} {
				t.Run(kind, func(t *testing.T) {
					ours, theirs := pair(t, kinds[kind])
					set(t, ours, unix.SO_PASSCRED, 1)
					sendFiles(t, theirs, "x", count, "")
					before := openDescriptors(t)
					p, err := NewReceiver().Receive(ours, wantControl)
					if err != nil || string(p.Data) != "x" || !p.ControlTruncated || p.Descriptors != 0 {
						t.Errorf("got %q, truncated %v, %d descriptors (%v), want x, true, none", p.Data, p.ControlTruncated, p.Descriptors, err)
					}
					if p.HasCreds != wantControl {
						t.Errorf("credentials: got %v, want %v", p.HasCreds, wantControl)
					}
					if got := openDescriptors(t); got != before {
						t.Errorf("open descriptors: got %d, want %d", got, before)
					}
				})
			}
		}
	}
}

// Where no credentials come, descriptors find their room. They are closed.
func TestReceiveClosesDescriptors(t *testing.T) {
	ours, theirs := pair(t, unix.SOCK_DGRAM)
	fd, ended := file(t)
	if err := unix.Sendmsg(theirs, []byte("x"), unix.UnixRights(fd), nil, 0); err != nil {
		t.Fatal(err)
	}
	unix.Close(fd)
	if ended() {
		t.Fatal("the descriptor did not travel")
	}
	p, err := NewReceiver().Receive(ours, true)
	if err != nil || p.Descriptors != 1 {
		t.Errorf("descriptors: got %d (%v), want 1", p.Descriptors, err)
	}
	if !ended() {
		t.Error("the descriptor is still open")
	}
}

func TestReceiveErrors(t *testing.T) {
	r := NewReceiver()
	for name, kind := range kinds {
		t.Run(name+" nothing there", func(t *testing.T) {
			ours, _ := pair(t, kind)
			if p, err := r.Receive(ours, kind == unix.SOCK_DGRAM); err != unix.EAGAIN || p.HasCreds || p.UID != nobody || p.GID != nobody {
				t.Errorf("got %+v and %v, want nobody and EAGAIN", p, err)
			}
		})
	}
	t.Run("not open", func(t *testing.T) {
		if _, err := r.Receive(-1, false); err != unix.EBADF {
			t.Errorf("got %v, want EBADF", err)
		}
	})
}

// A receiver is used for all sockets in turn: nothing of a message shows in the next one.
func TestReceiverForgets(t *testing.T) {
	server := bound(t, abstract())
	set(t, server, unix.SO_PASSCRED, 1)
	name, err := unix.Getsockname(server)
	if err != nil {
		t.Fatal(err)
	}
	named := bound(t, abstract())
	if err := unix.Sendto(named, []byte("long message"), 0, name); err != nil {
		t.Fatal(err)
	}
	r := NewReceiver()
	if _, err := r.Receive(server, true); err != nil {
		t.Fatal(err)
	}
	ours, theirs := pair(t, unix.SOCK_STREAM)
	mustSend(t, theirs, "short")
	p, err := r.Receive(ours, false)
	if err != nil || string(p.Data) != "short" || p.Address != nil || p.HasCreds || p.UID != nobody {
		t.Errorf("got %q, %+v (%v), want short and nobody", p.Data, p, err)
	}
}

// TestEnded is about SOCK_SEQPACKET, where an empty packet and the end look alike.
func TestEnded(t *testing.T) {
	tests := []struct {
		name string
		act  func(t *testing.T, ours, theirs int)
		want bool // after an empty Receive
	}{
		{"an empty packet", func(t *testing.T, _, theirs int) { mustSend(t, theirs, "") }, false},
		{"an empty packet, more behind", func(t *testing.T, _, theirs int) { mustSend(t, theirs, ""); mustSend(t, theirs, "x") }, false},
		{"an empty packet, more behind, then the end", func(t *testing.T, _, theirs int) {
			mustSend(t, theirs, "")
			mustSend(t, theirs, "x")
			shutdown(t, theirs)
		}, false},
		{"the end", func(t *testing.T, _, theirs int) { shutdown(t, theirs) }, true},
		{"an empty packet, then the end", func(t *testing.T, _, theirs int) { mustSend(t, theirs, ""); shutdown(t, theirs) }, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			ours, theirs := pair(t, unix.SOCK_SEQPACKET)
			test.act(t, ours, theirs)
			p, err := NewReceiver().Receive(ours, false)
			if err != nil || len(p.Data) != 0 {
				t.Fatalf("got %q (%v), want nothing", p.Data, err)
			}
			if got, err := Ended(ours); got != test.want || err != nil {
				t.Errorf("ended: got %v (%v), want %v", got, err, test.want)
			}
		})
	}
}

func shutdown(t *testing.T, fd int) {
	t.Helper()
	if err := unix.Shutdown(fd, unix.SHUT_WR); err != nil {
		t.Fatal(err)
	}
}

func TestReceiveAndSendDoNotAllocate(t *testing.T) {
	r := NewReceiver()
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			ours, theirs := pair(t, kind)
			set(t, ours, unix.SO_PASSCRED, 1)
			msg := make([]byte, 64)
			got := testing.AllocsPerRun(100, func() {
				_, _ = Send(theirs, msg, nil)
				_, _ = r.Receive(ours, true)
			})
			if got != 0 {
				t.Errorf("allocations: got %v, want 0", got)
			}
		})
	}
}
