package frame

import (
	"encoding/binary"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal/haltest"
)

// message builds one control message; claimed is added to the length that it says it has.
func message(level, kind int32, claimed int, data ...byte) []byte {
	b := make([]byte, unix.CmsgSpace(len(data)))
	length := uint64(unix.CmsgLen(len(data)) + claimed)
	if unix.SizeofPtr == 4 {
		binary.NativeEndian.PutUint32(b, uint32(length))
	} else {
		binary.NativeEndian.PutUint64(b, length)
	}
	at := unix.CmsgLen(0) - 8
	binary.NativeEndian.PutUint32(b[at:], uint32(level))
	binary.NativeEndian.PutUint32(b[at+4:], uint32(kind))
	copy(b[unix.CmsgLen(0):], data)
	return b
}

func words(values ...uint32) (b []byte) {
	for _, v := range values {
		b = binary.NativeEndian.AppendUint32(b, v)
	}
	return b
}

func creds(claimed int, values ...uint32) []byte {
	return message(unix.SOL_SOCKET, unix.SCM_CREDENTIALS, claimed, words(values...)...)
}

func rights(claimed int, fds ...uint32) []byte {
	return message(unix.SOL_SOCKET, unix.SCM_RIGHTS, claimed, words(fds...)...)
}

func TestParseControl(t *testing.T) {
	good := control{hasCreds: true, pid: 7, uid: 1000, gid: 100}
	with := func(c control, change func(*control)) control { change(&c); return c }
	bad := func(c *control) { c.malformed = true }
	tests := []struct {
		name  string
		b     []byte
		want  control
		taken []int
	}{
		{"nothing", nil, control{}, nil},
		{"credentials", creds(0, 7, 1000, 100), good, nil},
		{"credentials, cut short", creds(0, 7, 1000), control{malformed: true}, nil},
		{"credentials, too long", creds(0, 7, 1000, 100, 0), control{malformed: true}, nil},
		{"credentials twice", append(creds(0, 7, 1000, 100), creds(0, 1, 0, 0)...), with(good, bad), nil},
		{"credentials of another level", message(unix.SOL_NETLINK, unix.SCM_CREDENTIALS, 0, words(7, 0, 0)...), control{malformed: true}, nil},
		{"descriptors", rights(0, 8, 9), control{descriptors: 2}, []int{8, 9}},
		{"descriptors, then credentials", append(rights(0, 8), creds(0, 7, 1000, 100)...), with(good, func(c *control) { c.descriptors = 1 }), []int{8}},
		{"credentials, then descriptors", append(creds(0, 7, 1000, 100), rights(0, 8)...), with(good, func(c *control) { c.descriptors = 1 }), []int{8}},
		{"descriptors and a half", message(unix.SOL_SOCKET, unix.SCM_RIGHTS, 0, append(words(8), 1, 2)...), control{descriptors: 1, malformed: true}, []int{8}},
		{"a process descriptor", message(unix.SOL_SOCKET, unix.SCM_PIDFD, 0, words(8)...), control{descriptors: 1}, []int{8}},
		{"of a kind nobody asked for", message(unix.SOL_SOCKET, unix.SCM_SECURITY, 0, 'x'), control{malformed: true}, nil},
		{"longer than the buffer says", creds(1000, 7, 1000, 100)[:unix.CmsgLen(12)], with(good, bad), nil},
		{"descriptors longer than the buffer", rights(1<<20, 8), control{descriptors: 1 + padding(4)/4, malformed: true}, append([]int{8}, make([]int, padding(4)/4)...)},
		{"length of nothing", make([]byte, unix.CmsgLen(0)), control{malformed: true}, nil},
		{"length shorter than the header", rights(-unix.CmsgLen(4)+1, 8), control{malformed: true}, nil},
		{"length that wraps", rights(-unix.CmsgLen(4)-1, 8), control{descriptors: 1 + padding(4)/4, malformed: true}, append([]int{8}, make([]int, padding(4)/4)...)},
		{"half a header", make([]byte, 3), control{malformed: true}, nil},
		{"something behind", append(creds(0, 7, 1000, 100), 1), with(good, bad), nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var taken []int
			got := parseControl(test.b, func(fd int) { taken = append(taken, fd) })
			if got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
			if !slices.Equal(taken, test.taken) {
				t.Errorf("descriptors: got %v, want %v", taken, test.taken)
			}
		})
	}
}

// padding is how many bytes follow n bytes of data in a control message.
func padding(n int) int { return unix.CmsgSpace(n) - unix.CmsgLen(n) }

// checkControl parses arbitrary bytes, and agrees with x/sys on whatever that takes.
func checkControl(t *testing.T, b []byte) {
	var taken []int
	got := parseControl(b, func(fd int) { taken = append(taken, fd) })
	if len(taken) != got.descriptors || len(taken) > len(b)/4 {
		t.Errorf("descriptors: took %d, counted %d, in %d bytes", len(taken), got.descriptors, len(b))
	}
	if got.malformed {
		return
	}
	want, wantTaken := reference(t, b)
	if got != want || !slices.Equal(taken, wantTaken) {
		t.Errorf("got %+v %v, want %+v %v", got, taken, want, wantTaken)
	}
}

func FuzzControl(f *testing.F) {
	f.Add(creds(0, 7, 1000, 100))
	f.Add(append(creds(0, 7, 1000, 100), rights(0, 8, 9)...))
	f.Add(rights(1<<20, 8))
	f.Add(rights(-unix.CmsgLen(4)-1, 8))
	f.Fuzz(checkControl)
}

// reference reads well-formed control messages with x/sys.
func reference(t *testing.T, b []byte) (c control, fds []int) {
	messages, err := unix.ParseSocketControlMessage(b)
	if err != nil {
		t.Fatalf("x/sys refuses what we take: %v", err)
	}
	for _, m := range messages {
		switch {
		case m.Header.Level != unix.SOL_SOCKET:
			t.Errorf("took a message of level %d", m.Header.Level)
		case m.Header.Type == unix.SCM_CREDENTIALS:
			u, err := unix.ParseUnixCredentials(&m)
			if err != nil {
				t.Fatal(err)
			}
			c.hasCreds, c.pid, c.uid, c.gid = true, u.Pid, u.Uid, u.Gid
		case len(m.Data) > 0: // x/sys refuses to read no descriptors at all
			m.Header.Type = unix.SCM_RIGHTS
			more, err := unix.ParseUnixRights(&m)
			if err != nil {
				t.Fatal(err)
			}
			fds = append(fds, more...)
		}
	}
	c.descriptors = len(fds)
	return c, fds
}

func TestRandomControl(t *testing.T) {
	seeds := []string{
		string(creds(0, 7, 1000, 100)), string(append(creds(0, 7, 1000, 100), rights(0, 8, 9)...)), string(rights(1<<20, 8)), string(rights(-unix.CmsgLen(4)-1, 8)),
		string(message(unix.SOL_SOCKET, unix.SCM_PIDFD, 0, words(8)...)), string(message(unix.SOL_NETLINK, unix.SCM_CREDENTIALS, 0, words(7, 0, 0)...)),
	}
	for b := range haltest.Inputs(5000, seeds...) {
		checkControl(t, []byte(b))
	}
}
