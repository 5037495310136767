package power

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
)

// state is the kernel's attribute: it reads the modes that there are, and a mode that is written to it is entered.
const state = "/sys/power/state"

// sleeps are the modes, where one may be written.
func (m *Machine) sleeps() []string {
	text, err := os.ReadFile(m.path(state))
	if err != nil || !m.writable(state) {
		return nil
	}
	return strings.Fields(string(text))
}

// wakes reports whether a timer can wake the machine: a real-time clock with an alarm that can, which its attribute stands for, and the capability.
func (m *Machine) wakes() bool {
	clocks, err := filepath.Glob(m.path("/sys/class/rtc/*/wakealarm"))
	return err == nil && len(clocks) > 0 && m.kernel.Capable(unix.CAP_WAKE_ALARM)
}

// sleep enters a mode. The write returns when the machine is awake again.
func (m *Machine) sleep(r hal.PowerRequest) error {
	if !slices.Contains(m.sleeps(), r.Mode) {
		return fmt.Errorf("cannot enter %q: the kernel does not offer it", r.Mode)
	}
	if !r.WakeAt.IsZero() {
		end, err := m.kernel.Alarm(r.WakeAt)
		if err != nil {
			return fmt.Errorf("cannot set the time to wake up at: %w", err)
		}
		defer end()
	}
	f, err := os.OpenFile(m.path(state), os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("cannot sleep: %w", err)
	}
	_, err = f.WriteString(r.Mode)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return fmt.Errorf("cannot sleep: %w", err)
	}
	return nil
}
