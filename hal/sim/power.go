package sim

import (
	"slices"

	"github.com/halberd-io/halberd/hal"
)

// Abilities are those of a simulated machine, which is asked for nothing but to write it down.
func (k *Kernel) Abilities() hal.PowerAbilities {
	return hal.PowerAbilities{Init: "simulated", Way: "none", Reboot: true, PowerOff: true, Targets: true, Suspend: []string{"freeze", "mem"}, Wake: true}
}

// Ask writes down what the machine is asked for: it goes on, and is awake again at once.
func (k *Kernel) Ask(r hal.PowerRequest) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.asked = append(k.asked, r)
	return nil
}

// Asked is what the machine was asked for.
func (k *Kernel) Asked() []hal.PowerRequest {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.asked)
}
