package hal

import (
	"sync"
	"sync/atomic"
	"syscall"
)

// Guard keeps the kernel calls of one device one after the other, and apart from its closing: a worker may still be at it when the device is unplugged or the class closed. The zero value is ready.
type Guard struct {
	mu      sync.Mutex
	closed  bool
	closing atomic.Pointer[func()] // what is still to be run, once nobody is at it
}

// Do runs f, or answers ENODEV once the device is closed. It does not allocate where f does not.
func (g *Guard) Do(f func() error) error {
	g.mu.Lock()
	defer g.leave()
	if g.closed || g.closing.Load() != nil {
		return syscall.ENODEV
	}
	return f()
}

// leave unlocks, and closes where that was put off. Close puts it off before it looks whether the lock is free, and this looks after freeing it, so one of the two closes.
func (g *Guard) leave() {
	g.mu.Unlock()
	if g.closing.Load() != nil && g.mu.TryLock() {
		g.end()
	}
}

// end closes, and unlocks.
func (g *Guard) end() {
	defer g.mu.Unlock()
	if f := g.closing.Swap(nil); f != nil && !g.closed {
		g.closed = true
		(*f)()
	}
}

// Close runs f, once, and lets nothing else run from now on. A device on a bus whose worker is in the middle of a call is not waited for, since hardware may hang for ever: then the
// worker runs f when it comes back.
func (g *Guard) Close(bus string, f func()) {
	g.closing.CompareAndSwap(nil, &f)
	if bus == "" {
		g.mu.Lock()
	} else if !g.mu.TryLock() {
		return
	}
	g.end()
}
