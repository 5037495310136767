package sim

import "sync"

// buses are those that hang or fail.
type buses struct {
	hanging map[string]bool
	failing map[string]error
	resumed sync.Cond // one does not hang any more
	waiting int       // transfers that hang
}

// Hang lets every transfer on a bus, as i2c-0 or spi0, hang in the kernel from now on, until Resume. Everything else goes on.
func (k *Kernel) Hang(bus string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.buses.hanging[bus] = true
}

// Resume lets the transfers on a bus go on.
func (k *Kernel) Resume(bus string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.buses.hanging, bus)
	k.buses.resumed.Broadcast()
}

// FailBus lets every transfer on a bus fail from now on; nil lets them succeed again.
func (k *Kernel) FailBus(bus string, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.buses.failing[bus] = err
}

// Waiting is how many transfers hang.
func (k *Kernel) Waiting() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.buses.waiting
}

// useBus is the beginning of a transfer. While it hangs the kernel is not locked.
func (k *Kernel) useBus(bus string) error {
	k.buses.waiting++
	for k.buses.hanging[bus] {
		k.buses.resumed.Wait()
	}
	k.buses.waiting--
	return k.buses.failing[bus]
}
