package hal

import "time"

// PowerAction is what a machine as a whole can be asked for.
type PowerAction string

// The actions, as they stand on the wire.
const (
	Reboot   PowerAction = "reboot"
	PowerOff PowerAction = "power_off"
	Suspend  PowerAction = "suspend"
)

// Machine is what Halberd runs on as a whole: who can end it or put it to sleep.
type Machine interface {
	// Abilities tells what can be asked for, as things stand. It reads small files and does not wait.
	Abilities() PowerAbilities
	// Ask asks for an action. It returns once the system took the request, and goes on with it by itself; of a suspend, once the machine is awake again. It may wait for long, and so is not
	// called on the loop.
	Ask(PowerRequest) error
}

// PowerAbilities are what a machine can be asked for, and how.
type PowerAbilities struct {
	Init             string // what PID 1 is: systemd, busybox, …; unknown
	Way              string // how it is asked: varlink, signals, …; none
	Reboot, PowerOff bool
	Targets          bool     // whether a reboot can have a target
	Suspend          []string // modes, in the kernel's words; none where the machine cannot be put to sleep
	Wake             bool     // whether a suspend can have an end
}

// PowerRequest is what a machine is asked for.
type PowerRequest struct {
	Action PowerAction
	Target string    // of a reboot: what the boot loader is to start; "" for the usual
	Mode   string    // of a suspend: one of the abilities
	WakeAt time.Time // of a suspend: when the machine is to wake up by itself; the zero time for never
	Force  bool      // in spite of who holds the init system back, where that can be told so
}
