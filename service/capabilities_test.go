package service_test

import (
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/board"
	"github.com/halberd-io/halberd/hal/sim"
	"github.com/halberd-io/halberd/service"
	"github.com/halberd-io/halberd/service/servicetest"
)

// TestCapabilities: what the daemon keeps is what its board needs.
func TestCapabilities(t *testing.T) {
	of := func(class string) servicetest.Option {
		return func(c *service.Config) {
			c.Drivers = slices.DeleteFunc(board.Drivers(), func(d hal.Driver) bool { return d.Class != class })
		}
	}
	declare := func(text string) servicetest.Option { return servicetest.WithBoard(t, text, func(*sim.Kernel) {}) }
	bare := func(c *service.Config) { c.Kernel = sim.New(sim.Options{Bare: true}) }
	for _, row := range []struct {
		name    string
		options []servicetest.Option
		want    []int
	}{
		{"lights", []servicetest.Option{of("Led")}, nil},
		{"a clock", []servicetest.Option{of("Rtc")}, []int{unix.CAP_SYS_TIME}},
		{"a clock that may come", []servicetest.Option{declare("[rtc.main]\nname = \"rtc7\"\n"), bare, of("Rtc")}, []int{unix.CAP_SYS_TIME}},
		{"no clock", []servicetest.Option{declare(""), bare, of("Rtc")}, nil},
		{"a port", []servicetest.Option{of("Serial")}, nil},
		{"a port that is hung up", []servicetest.Option{declare("[serial.modem]\nname = \"ttySIM0\"\nrevoke = true\n"), of("Serial")}, []int{unix.CAP_SYS_ADMIN}},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := servicetest.Start(t, "", row.options...).Capabilities(); !slices.Equal(got, row.want) {
				t.Errorf("got %v, want %v", got, row.want)
			}
		})
	}
}
