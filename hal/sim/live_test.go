package sim_test

import (
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal/haltest"
	"github.com/halberd-io/halberd/hal/sim"
	"github.com/halberd-io/halberd/hal/sim/simtest"
)

// life is what a minute does to the board.
type life struct {
	button, door int
	temperature  string
}

func minute(t *testing.T, seed uint64) life {
	t.Helper()
	k, loop := sim.New(sim.Options{}), haltest.NewLoop()
	stop := k.Live(loop, seed)
	loop.Advance(time.Minute)
	stop()
	if n := loop.Timers(); n != 0 {
		t.Errorf("%d timers are left", n)
	}
	return life{k.Changes("button"), k.Changes("door"), simtest.Cat(t, k, "/sys/class/thermal/thermal_zone0/temp")}
}

func TestLive(t *testing.T) {
	one := minute(t, 1)
	if one.button == 0 || one.door == 0 || one.temperature == "41000" {
		t.Errorf("in a minute nothing happens to some of it: %+v", one)
	}
	if again := minute(t, 1); again != one {
		t.Errorf("the same seed makes another life: %+v and %+v", one, again)
	}
	if other := minute(t, 2); other == one {
		t.Errorf("another seed makes the same life: %+v", one)
	}
	if k := sim.New(sim.Options{}); k.Changes("button") != 0 {
		t.Error("a board moves that nobody lets live")
	}
}

func TestDescriptorsAreReal(t *testing.T) {
	k := sim.New(sim.Options{})
	fd, err := k.Open("/dev/gpiochip0", unix.O_RDWR)
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if int(file.Fd()) == fd {
		t.Errorf("descriptor %d was given twice", fd)
	}
	if _, err := k.Pread(int(file.Fd()), make([]byte, 1), 0); err != unix.EBADF {
		t.Errorf("a descriptor of another kernel: got %v, want EBADF", err)
	}
	if err := k.Close(fd); err != nil {
		t.Error(err)
	}
}
