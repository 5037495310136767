package power

import (
	"reflect"
	"testing"

	"golang.org/x/sys/unix"
)

// TestReach: what a sandbox has to leave, for each init system.
func TestReach(t *testing.T) {
	sleeps := func(s *system) { s.file(state, "freeze mem\n") }
	for _, row := range []struct {
		name, comm string
		prepare    func(*system)
		want       Reach
	}{
		{"systemd", "systemd", func(s *system) { s.folder("/run/systemd/system") }, Reach{Signals: true, Write: []string{rebootParam}}},
		{"Android", "init", func(s *system) { s.socket(propertyService, 1, "") }, Reach{}},
		{"OpenRC", "init", func(s *system) { s.fifo(openrcFIFO, false) }, Reach{Write: []string{openrcFIFO}}},
		{"dinit", "dinit", func(*system) {}, Reach{}},
		{"s6", "s6-svscan", func(*system) {}, Reach{Signals: true}},
		{"runit", "runit", func(*system) {}, Reach{Signals: true, Modes: true, Write: []string{"/etc/runit", "/run/runit"}}},
		{"procd", "procd", func(*system) {}, Reach{Signals: true}},
		{"SysV init", "init", func(s *system) { s.fifo("/run/initctl", false) }, Reach{Write: []string{"/run/initctl"}}},
		{"none that is known", "bash", func(*system) {}, Reach{Capabilities: []int{unix.CAP_SYS_BOOT}}},
		{"one that sleeps", "dinit", sleeps, Reach{Write: []string{state}}},
		{"one that wakes up by itself", "dinit", func(s *system) {
			sleeps(s)
			s.file("/sys/class/rtc/rtc0/wakealarm", "")
			s.kernel.capabilities = []int{unix.CAP_WAKE_ALARM}
		}, Reach{Write: []string{state}, Capabilities: []int{unix.CAP_WAKE_ALARM}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newSystem(t, row.comm)
			row.prepare(s)
			if got := s.Reach(); !reflect.DeepEqual(got, row.want) {
				t.Errorf("got %+v, want %+v", got, row.want)
			}
		})
	}
}
