package listen

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// Reserve is one descriptor that is kept so that a connection can be turned away when the table is full: a connection that cannot be accepted would
// stay ready for ever, and be tried 500,000 times a second.
type Reserve struct{ fd int }

// NewReserve opens the spare descriptor. The caller closes it.
func NewReserve() (*Reserve, error) {
	r := &Reserve{fd: -1}
	if err := r.refill(); err != nil {
		return nil, fmt.Errorf("cannot keep a descriptor in reserve: %w", err)
	}
	return r, nil
}

func (r *Reserve) refill() (err error) {
	r.fd, err = unix.Open("/", unix.O_PATH|unix.O_CLOEXEC, 0)
	return err
}

// TurnAway gives the reserve up for one connection, closes that, and takes the reserve back. Call it when Accept said EMFILE or ENFILE; it passes
// Accept's error on where that is still so, since somebody else was faster, and EAGAIN where nobody waits. Then back off.
func (r *Reserve) TurnAway(s *Socket) error {
	r.Close()
	fd, err := accept(s.FD)
	if err == nil {
		_ = unix.Close(fd)
	}
	if again := r.refill(); err == nil {
		err = again
	}
	return err
}

// Close gives the reserve up. It may be called twice.
func (r *Reserve) Close() {
	if r.fd >= 0 {
		_ = unix.Close(r.fd)
	}
	r.fd = -1
}

// Backoff is how long to leave a listener alone after Accept failed: 5 ms at first, twice as long each time, at most 1 s. The zero value is ready.
type Backoff struct{ next time.Duration }

const (
	backoffFirst = 5 * time.Millisecond
	backoffMost  = time.Second
)

// Next is the next pause.
func (b *Backoff) Next() time.Duration {
	pause := max(b.next, backoffFirst)
	b.next = min(2*pause, backoffMost)
	return pause
}

// Reset is called after Accept succeeded.
func (b *Backoff) Reset() { b.next = 0 }
