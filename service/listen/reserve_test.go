package listen

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/service/peer"
)

// fill opens descriptors until there is no room for another.
func fill(t *testing.T) (free func()) {
	t.Helper()
	var all []int
	for {
		fd, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 0)
		if err == unix.EMFILE {
			return func() {
				for _, fd := range all {
					unix.Close(fd)
				}
			}
		}
		check(t, err)
		all = append(all, fd)
	}
}

func TestTurnAway(t *testing.T) {
	leakCheck(t)
	s := bind(t, Address{peer.Stream, abstract()})
	r, err := NewReserve()
	check(t, err)
	defer r.Close()
	clients := []int{dial(t, s.Address), dial(t, s.Address)}

	var limit unix.Rlimit
	check(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &limit))
	few := limit
	few.Cur = 64
	check(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &few))
	free := fill(t)
	_, full := s.Accept()
	first := r.TurnAway(s)
	_, stillFull := s.Accept()
	second := r.TurnAway(s)
	nobody := r.TurnAway(s)
	free()
	check(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &limit))

	for name, got := range map[string]error{"first": full, "second": stillFull} {
		if got != unix.EMFILE {
			t.Errorf("%s Accept: got %v, want EMFILE", name, got)
		}
	}
	if first != nil || second != nil || nobody != unix.EAGAIN {
		t.Errorf("turned away: got %v, %v, then %v; want nil, nil, EAGAIN", first, second, nobody)
	}
	for i, client := range clients {
		if n, err := unix.Read(client, make([]byte, 1)); n != 0 || err != nil {
			t.Errorf("client %d: got %d, %v, want the end", i, n, err)
		}
	}
	if r.fd < 0 {
		t.Error("the reserve was not taken back")
	}
}

func TestTurnAwayWithoutReserve(t *testing.T) {
	leakCheck(t)
	s := bind(t, Address{peer.Stream, abstract()})
	r := &Reserve{fd: -1}
	defer r.Close()
	if err := r.TurnAway(s); err != unix.EAGAIN || r.fd < 0 {
		t.Errorf("got %v and descriptor %d, want EAGAIN and a new reserve", err, r.fd)
	}
	r.Close()
	r.Close()
}

func TestBackoff(t *testing.T) {
	var b Backoff
	want := []time.Duration{5, 10, 20, 40, 80, 160, 320, 640, 1000, 1000}
	for i, w := range want {
		if got := b.Next(); got != w*time.Millisecond {
			t.Errorf("pause %d: got %v, want %d ms", i, got, w)
		}
	}
	b.Reset()
	if got := b.Next(); got != 5*time.Millisecond {
		t.Errorf("after Reset: got %v, want 5 ms", got)
	}
}
