package sysfs_test

import (
	"errors"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal/haltest"
	"github.com/halberd-io/halberd/hal/sim"
	"github.com/halberd-io/halberd/hal/sysfs"
)

// TestNames: a device is found by what the kernel calls it, by its parent, and by an attribute, where there are such.
func TestNames(t *testing.T) {
	k := sim.New(sim.Options{Bare: true})
	k.AddWatchdog(sim.Watchdog{Under: sim.OnI2C, Identity: "Power Chip"})
	k.AddWatchdog(sim.Watchdog{Under: sim.Virtual, NoSysfs: true})
	const folder = "/sys/class/watchdog"
	places, names, err := sysfs.Names(k, folder, "identity")
	if err != nil || len(places) != 2 {
		t.Fatalf("got %v, %v, want two", places, err)
	}
	for i, want := range [][]string{{"watchdog0", "1-0048", "Power Chip"}, {"watchdog1"}} {
		if got := names[places[i].Path]; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	faulty := haltest.FailAt(k, 0, 0)
	if _, _, err := sysfs.Names(faulty, folder, "identity"); err != nil {
		t.Fatal(err)
	}
	calls := faulty.Count()
	for at := 1; at <= calls; at++ {
		faulty := haltest.FailAt(k, at, unix.EIO)
		places, _, err := sysfs.Names(faulty, folder, "identity")
		for _, p := range places {
			err = errors.Join(err, p.Err)
		}
		if faulty.Failed() != haltest.Close && !errors.Is(err, unix.EIO) {
			t.Errorf("call %d, %s, failed, and the answer is %v", at, faulty.Failed(), err)
		}
	}
}
