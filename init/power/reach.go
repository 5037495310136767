package power

import "golang.org/x/sys/unix"

// Reach is what asking a machine takes beside talking to sockets and reading files: for a process that gives up what it does not need.
type Reach struct {
	Capabilities []int
	Write        []string // files, and folders with all below them
	Signals      bool     // to the first process
	Modes        bool     // of files
}

// Reach tells what the machine takes that runs now.
func (m *Machine) Reach() Reach {
	var r Reach
	switch init, _ := m.detect(); init {
	case "systemd":
		r.Signals, r.Write = true, []string{rebootParam}
	case "openrc":
		r.Write = []string{openrcFIFO}
	case "sysvinit":
		r.Write = []string{m.initctl()}
	case "runit":
		r.Signals, r.Modes, r.Write = true, true, []string{"/etc/runit", "/run/runit"}
	case "unknown":
		r.Capabilities = append(r.Capabilities, unix.CAP_SYS_BOOT)
	case "android", "dinit":
	default:
		r.Signals = true
	}
	if len(m.sleeps()) > 0 {
		r.Write = append(r.Write, state)
		if m.wakes() {
			r.Capabilities = append(r.Capabilities, unix.CAP_WAKE_ALARM)
		}
	}
	return r
}
