package hal

import (
	"sync"
	"syscall"
)

// Guard keeps the kernel calls of one device one after the other, and apart from its closing: a worker may still be at it when the class is closed. The zero value is ready.
type Guard struct {
	mu     sync.Mutex
	closed bool
}

// Do runs f, or answers ENODEV once the device is closed. It does not allocate where f does not.
func (g *Guard) Do(f func() error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return syscall.ENODEV
	}
	return f()
}

// Close runs f, once, and lets nothing else run afterwards. A device on a bus whose worker is in the middle of a call is not waited for, since hardware may hang for ever: it stays
// as it is, and the end of the process closes it.
func (g *Guard) Close(bus string, f func()) {
	if bus == "" {
		g.mu.Lock()
	} else if !g.mu.TryLock() {
		return
	}
	defer g.mu.Unlock()
	if !g.closed {
		g.closed = true
		f()
	}
}
