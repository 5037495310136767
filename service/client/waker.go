package client

import (
	"encoding/binary"
	"sync"

	"golang.org/x/sys/unix"
)

// waker is an eventfd that ends another goroutine's wait in poll. Waking a closed one does nothing, so that a context which ends late never writes to
// a descriptor that has become somebody else's.
type waker struct {
	mu sync.Mutex
	fd int // -1 once closed
}

func (w *waker) open() (err error) {
	w.fd, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	return err
}

// wake makes the descriptor readable until clear.
func (w *waker) wake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fd >= 0 {
		unix.Write(w.fd, binary.NativeEndian.AppendUint64(nil, 1)) // the only error is EAGAIN: awake already
	}
}

func (w *waker) clear() {
	var count [8]byte
	unix.Read(w.fd, count[:]) // the only error is EAGAIN: clear already
}

func (w *waker) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	unix.Close(w.fd)
	w.fd = -1
}
