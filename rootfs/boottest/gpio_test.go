//go:build boot

package boottest

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	gpiocdev "github.com/warthog618/go-gpiocdev/uapi"
	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal/kernel"
	"github.com/halberd-io/halberd/hal/uapi"
)

// TestGpioSetDrivesLine: what an app sets on each kind of socket is what the simulated chip has at its pin.
func TestGpioSetDrivesLine(t *testing.T) {
	pin := line(t, "5") + "/value"
	for _, address := range addresses {
		for _, value := range []string{"1", "0"} {
			must(t, app, "-a", address, "gpio", "set", "relay-pump", value)
			if got := read(t, pin); got != value {
				t.Errorf("%s: the pin is %s after setting %s", address, got, value)
			}
		}
	}
}

// TestGpioGetReadsPull: an input is what the hardware pulls it to, and the other way round with active-low.
func TestGpioGetReadsPull(t *testing.T) {
	for _, row := range []struct{ line, offset, pull, want string }{
		{"button", "9", "pull-up", "1"}, {"button", "9", "pull-down", "0"},
		{"door", "10", "pull-up", "0"}, {"door", "10", "pull-down", "1"},
	} {
		write(t, line(t, row.offset)+"/pull", row.pull)
		if got := must(t, app, "gpio", "get", row.line); got != row.want {
			t.Errorf("%s with %s is %s, want %s", row.line, row.pull, got, row.want)
		}
	}
}

// TestGpioWatchReportsEdges: a change that falls between the state and the kernel's watch is told once, without a time. After it, both edges, in order, with times of the kernel's monotonic clock between those of before and after.
func TestGpioWatchReportsEdges(t *testing.T) {
	pull := line(t, "9") + "/pull"
	write(t, pull, "pull-down")
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	type event struct {
		Line          string
		Value         int
		Edge          string
		TimestampNSec int64
	}
	events := make(chan event, 16)
	c := dial(t, "seqpacket:@halberd")
	go func() {
		defer close(events)
		_ = c.More(ctx, "io.halberd.Gpio.Watch", map[string]any{"lines": []string{"button"}}, func(raw json.RawMessage) error {
			var e event
			err := json.Unmarshal(raw, &e)
			events <- e
			return err
		})
	}()
	if first := <-events; first.Line != "button" || first.Value != 0 || first.Edge != "" {
		t.Fatalf("the state is %+v, want button, 0 and no edge", first)
	}
	write(t, pull, "pull-up")
	if got := <-events; got.Value != 1 || got.Edge != "rising" {
		t.Fatalf("the first change is %+v, want rising to 1", got)
	}
	for _, step := range []struct {
		pull, edge string
		value      int
	}{{"pull-down", "falling", 0}, {"pull-up", "rising", 1}, {"pull-down", "falling", 0}} {
		before := monotonic(t)
		write(t, pull, step.pull)
		got, ok := <-events
		if !ok || got.Edge != step.edge || got.Value != step.value {
			t.Fatalf("%s: got %+v, %v, want %s and %d", step.pull, got, ok, step.edge, step.value)
		}
		if after := monotonic(t); got.TimestampNSec < before || got.TimestampNSec > after {
			t.Errorf("%s: the time is %d, want one from %d to %d", step.pull, got.TimestampNSec, before, after)
		}
	}
}

// TestGpioinfoShowsConsumer: libgpiod sees who holds an output, with its direction, and cannot take it.
func TestGpioinfoShowsConsumer(t *testing.T) {
	chip := strings.TrimPrefix(find(t, "/sys/devices/platform/board/gpiochip*"), "/sys/devices/platform/board/")
	info := run(t, "gpioinfo", "-c", chip, "RELAY-PUMP")
	if !strings.Contains(info, "output") || !strings.Contains(info, `consumer="halberd"`) {
		t.Errorf("gpioinfo says %q, want an output of halberd", info)
	}
	if o := start(t, 0, nil, "gpioget", "-c", chip, "5"); o.status == 0 || !strings.Contains(o.stderr, "busy") {
		t.Errorf("gpioget: exit status %d, %q; want that the line is busy", o.status, o.all())
	}
	if got := run(t, "gpioget", "-c", chip, "--as-is", "--numeric", "BUTTON"); got != must(t, app, "gpio", "get", "button") {
		t.Errorf("gpioget reads %s of BUTTON, and Halberd another value", got)
	}
}

// TestGpioRefusals: lines that drivers of the kernel hold are Busy, and lines that are no outputs are never set.
func TestGpioRefusals(t *testing.T) {
	for _, id := range []string{"LED-RED", "board/19"} {
		refused(t, 0, "io.halberd.Busy", "gpio", "get", id)
	}
	before := read(t, line(t, "21")+"/value")
	refused(t, 0, "io.halberd.NotSupported", "gpio", "set", "board/21", "1")
	if got := read(t, line(t, "21")+"/value"); got != before {
		t.Errorf("the line that was refused is %s, and was %s", got, before)
	}
	refused(t, 0, "io.halberd.NoSuchDevice", "gpio", "get", "no-such-line")
	refused(t, app, "org.varlink.service.PermissionDenied", "gpio", "get", "no-such-line")
}

// TestGpioOfPL061: a chip that is no simulation of Linux but of QEMU.
func TestGpioOfPL061(t *testing.T) {
	if got := must(t, 0, "gpio", "get", "9030000.pl061/2"); got != "0" && got != "1" {
		t.Errorf("the line is %q", got)
	}
	refused(t, 0, "io.halberd.Busy", "gpio", "get", "9030000.pl061/0") // green:soc
}

// TestGpioToggleAndConfigure: against the pin.
func TestGpioToggleAndConfigure(t *testing.T) {
	pin := line(t, "6") + "/value"
	must(t, 0, "gpio", "set", "relay-up", "0")
	must(t, app, "gpio", "toggle", "relay-up")
	if got := read(t, pin); got != "1" {
		t.Errorf("the pin is %s after Toggle, want 1", got)
	}
	must(t, 0, "gpio", "set", "relay-up", "0")
	must(t, 0, "call", "io.halberd.Gpio.Configure", `{"line":"button","bias":"pull_up"}`)
	if got := must(t, app, "gpio", "get", "button"); got != "1" {
		t.Errorf("button with a pull-up of the chip is %s, want 1", got)
	}
	must(t, 0, "call", "io.halberd.Gpio.Configure", `{"line":"button","bias":"pull_down"}`)
	if got := must(t, app, "gpio", "get", "button"); got != "0" {
		t.Errorf("button with a pull-down of the chip is %s, want 0", got)
	}
}

// monotonic is CLOCK_MONOTONIC in ns.
func monotonic(t testing.TB) int64 {
	t.Helper()
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		t.Fatal(err)
	}
	return now.Nano()
}

// kernelNumber is the number by which the kernel's traces call a line of the board.
func kernelNumber(t testing.TB, offset int) string {
	t.Helper()
	label := ""
	for block := range strings.SplitSeq(read(t, "/sys/kernel/debug/gpio"), "\n\n") {
		if strings.Contains(block, "parent: platform/board") {
			label = block
		}
	}
	var base int
	_, after, ok := strings.Cut(label, "GPIOs ")
	if !ok {
		t.Fatalf("debugfs does not tell the numbers of the board's lines:\n%s", label)
	}
	if _, err := fmt.Sscanf(after, "%d-", &base); err != nil {
		t.Fatal(err)
	}
	return strconv.Itoa(base + offset)
}

// TestGpioSetMany: all or none, against the pins.
func TestGpioSetMany(t *testing.T) {
	up, down := line(t, "6")+"/value", line(t, "7")+"/value"
	for _, step := range []struct{ up, down string }{{"1", "0"}, {"0", "1"}, {"1", "1"}, {"0", "0"}} {
		must(t, 0, "gpio", "set-many", "relay-up="+step.up, "relay-down="+step.down)
		if gotUp, gotDown := read(t, up), read(t, down); gotUp != step.up || gotDown != step.down {
			t.Errorf("the pins are %s and %s, want %s and %s", gotUp, gotDown, step.up, step.down)
		}
	}
	refused(t, 0, "io.halberd.NotSupported", "gpio", "set-many", "relay-up=1", "button=1")
	if got := read(t, up); got != "0" {
		t.Errorf("the pin is %s after a call that was refused", got)
	}
}

// TestGpioPulse: it is answered at its end, and not before.
func TestGpioPulse(t *testing.T) {
	pin := line(t, "5") + "/value"
	must(t, 0, "gpio", "set", "relay-pump", "0")
	before := monotonic(t)
	must(t, 0, "gpio", "pulse", "relay-pump", "1", "200000")
	if took := monotonic(t) - before; took < 200_000_000 || read(t, pin) != "0" {
		t.Errorf("a pulse of 200 ms took %d ns, and the pin is %s afterwards", took, read(t, pin))
	}
}

// TestGpioLease: the holder drives the pin itself, also after the lease has ended, until it closes its descriptor; the safe value is written when its connection ends. Holders shows the lease until then: the kernel
// tells when the line is free.
func TestGpioLease(t *testing.T) {
	pin := line(t, "5") + "/value"
	must(t, 0, "gpio", "set", "relay-pump", "1")
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c := dial(t, "stream:@halberd")
	files, err := c.CallFDs(ctx, "io.halberd.Gpio.Lease", map[string]any{"lines": []string{"relay-pump"}}, nil)
	if err != nil || len(files) != 1 {
		t.Fatalf("got %d descriptors, %v", len(files), err)
	}
	defer files[0].Close()
	drive := func(value uint64) {
		t.Helper()
		values := gpiocdev.LineValues{Mask: 1, Bits: gpiocdev.LineBitmap(value)}
		if err := (kernel.Linux{}).Ioctl(int(files[0].Fd()), uapi.GPIOLineSetValues, unsafe.Pointer(&values)); err != nil {
			t.Fatal(err)
		}
		if got := read(t, pin); got != strconv.FormatUint(value, 10) {
			t.Errorf("the holder sets %d, and the pin is %s", value, got)
		}
	}
	if got := read(t, pin); got != "1" {
		t.Errorf("the pin is %s after the lease, want 1", got)
	}
	holds := func(ended string) bool {
		_, row, there := strings.Cut(must(t, 0, "-j", "holders"), `"device":"Gpio/relay-pump","kind":"lease",`)
		row, _, _ = strings.Cut(row, "}")
		return there && strings.HasSuffix(row, `"ended":`+ended)
	}
	if !holds("false") {
		t.Errorf("the lease is not among the holders: %s", must(t, 0, "-j", "holders"))
	}
	drive(0)
	drive(1)
	refused(t, app, "io.halberd.Busy", "gpio", "set", "relay-pump", "0")
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	eventually(t, "the safe value", func() bool { return read(t, pin) == "0" })
	eventually(t, "a lease that has ended, while its holder has the line", func() bool { return holds("true") })
	drive(1)
	refused(t, app, "io.halberd.Busy", "gpio", "set", "relay-pump", "0")
	files[0].Close()
	eventually(t, "the line is held again, at its safe value", func() bool { return read(t, pin) == "0" })
	eventually(t, "no lease", func() bool { return !holds("true") })
	must(t, app, "gpio", "set", "relay-pump", "1")
	must(t, app, "gpio", "set", "relay-pump", "0")
}

// TestGpioLeaseSpeed compares how long it takes to set a line that was leased with one that is requested directly, in turn. Nothing of the daemon stands in between.
func TestGpioLeaseSpeed(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	files, err := dial(t, "stream:@halberd").CallFDs(ctx, "io.halberd.Gpio.Lease", map[string]any{"lines": []string{"relay-pump"}}, nil)
	if err != nil || len(files) != 1 {
		t.Fatalf("got %d descriptors, %v", len(files), err)
	}
	defer files[0].Close()
	own := requestOutput(t, 30)
	defer unix.Close(own)
	toggle := func(fd int) int64 {
		values := gpiocdev.LineValues{Mask: 1}
		before := monotonic(t)
		for range 500 {
			values.Bits ^= 1
			if err := (kernel.Linux{}).Ioctl(fd, uapi.GPIOLineSetValues, unsafe.Pointer(&values)); err != nil {
				t.Fatal(err)
			}
		}
		return monotonic(t) - before
	}
	var leased, direct []int64
	for range 21 {
		leased, direct = append(leased, toggle(int(files[0].Fd()))), append(direct, toggle(own))
	}
	slices.Sort(leased)
	slices.Sort(direct)
	measured(t, "a line is set by a lease in %d ns, by a request of one's own in %d ns: ratio %.2f", leased[10]/500, direct[10]/500, float64(leased[10])/float64(direct[10]))
}

// requestOutput requests a line of the board's chip as an output, past the daemon.
func requestOutput(t *testing.T, offset uint32) int {
	t.Helper()
	chip, err := unix.Open("/dev/"+filepath.Base(filepath.Dir(line(t, fmt.Sprint(offset)))), unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(chip)
	r := gpiocdev.LineRequest{Lines: 1, Config: gpiocdev.LineConfig{Flags: gpiocdev.LineFlagV2Output}}
	r.Offsets[0] = offset
	copy(r.Consumer[:], "test")
	if err := (kernel.Linux{}).Ioctl(chip, uapi.GPIOGetLine, unsafe.Pointer(&r)); err != nil {
		t.Fatal(err)
	}
	return int(r.Fd)
}

// TestBoardEvents: a chip that is plugged in and out is told line by line.
func TestBoardEvents(t *testing.T) {
	t.Cleanup(func() { unplug(t) })
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	events := make(chan string, 64)
	c := dial(t, "seqpacket:@halberd")
	go func() {
		defer close(events)
		_ = c.More(ctx, "io.halberd.Board.Events", nil, func(raw json.RawMessage) error {
			var e struct{ Kind, Device string }
			err := json.Unmarshal(raw, &e)
			events <- e.Kind + " " + e.Device
			return err
		})
	}()
	await := func(want string) {
		t.Helper()
		for got := range events {
			if got == want {
				return
			}
		}
		t.Fatalf("%q does not come", want)
	}
	await("begin ")
	plug(t)
	await("added Gpio/plug-relay")
	unplug(t)
	await("removed Gpio/plug-relay")
}
