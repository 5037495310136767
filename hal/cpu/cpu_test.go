package cpu

import (
	"encoding/binary"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/haltest"
	"github.com/halberd-io/halberd/hal/kernel"
	"github.com/halberd-io/halberd/hal/sim"
	"github.com/halberd-io/halberd/hal/sim/simtest"
)

func start(t *testing.T, k hal.Kernel, entries ...simtest.Entry) *simtest.Bench {
	t.Helper()
	return simtest.Open(t, Driver(), k, true, entries...)
}

// little is what Get says of the small processors.
func little(current, minimum, maximum int, governor string) string {
	return fmt.Sprintf(`{"driver":"halberd-sim","cpus":[0,1,2,3],"currentKHz":%d,"minimumKHz":%d,"maximumKHz":%d,"hardwareMinimumKHz":400000,"hardwareMaximumKHz":1500000,`+
		`"governor":%q,"governors":["schedutil","powersave","performance"],"frequenciesKHz":[400000,600000,1000000,1500000]}`, current, minimum, maximum, governor)
}

func TestGet(t *testing.T) {
	b := start(t, board())
	b.Expect("Get", `{"policy":"policy0"}`, little(400_000, 400_000, 1_500_000, "schedutil"))
	b.Expect("Get", `{"policy":"policy4"}`, `{"driver":"halberd-sim","cpus":[4,5],"currentKHz":500000,"minimumKHz":500000,"maximumKHz":2000000,`+
		`"hardwareMinimumKHz":500000,"hardwareMaximumKHz":2000000,"governor":"schedutil","governors":["schedutil","performance"]}`)
}

func TestSetGovernor(t *testing.T) {
	b := start(t, board())
	b.Expect("SetGovernor", `{"policy":"policy0","governor":"performance"}`, `{}`)
	b.Expect("Get", `{"policy":"policy0"}`, little(1_500_000, 400_000, 1_500_000, "performance"))
	for _, name := range []string{"interactive", "", "perf", "schedutil performance", "performance\u00a0"} {
		b.Expect("SetGovernor", `{"policy":"policy0","governor":"`+name+`"}`, `NotSupported{"feature":"`+name+`"}`)
	}
}

// TestSetLimits: what is set holds, rounded into the range; what the hardware cannot is refused with what it can; and no write leaves the minimum above the maximum.
func TestSetLimits(t *testing.T) {
	for _, row := range []struct {
		name       string
		before, in string // limits
		want       string // the answer
		minimum    int
		maximum    int
		writes     string // in their order
	}{
		{"both down", "", `"minimumKHz":400000,"maximumKHz":600000`, `{}`, 400_000, 600_000, "min 400000, max 600000"},
		{"both up", `"minimumKHz":400000,"maximumKHz":600000`, `"minimumKHz":1000000,"maximumKHz":1500000`, `{}`, 1_000_000, 1_500_000, "max 1500000, min 1000000"},
		{"up and over one frequency", `"maximumKHz":600000`, `"minimumKHz":600000,"maximumKHz":1000000`, `{}`, 600_000, 1_000_000, "min 600000, max 1000000"},
		{"down from above", `"minimumKHz":1000000`, `"minimumKHz":400000,"maximumKHz":600000`, `{}`, 400_000, 600_000, "min 400000, max 600000"},
		{"one frequency", "", `"minimumKHz":1000000,"maximumKHz":1000000`, `{}`, 1_000_000, 1_000_000, "min 1000000, max 1000000"},
		{"the minimum alone", "", `"minimumKHz":600000`, `{}`, 600_000, 1_500_000, "min 600000"},
		{"the maximum alone", "", `"maximumKHz":1000000`, `{}`, 400_000, 1_000_000, "max 1000000"},
		{"between two frequencies", "", `"minimumKHz":500000,"maximumKHz":1200000`, `{}`, 600_000, 1_000_000, "min 500000, max 1200000"},
		{"no frequency between", "", `"minimumKHz":700000,"maximumKHz":900000`, `{}`, 1_000_000, 1_000_000, "min 700000, max 900000"},
		{"too high", "", `"maximumKHz":1500001`, `OutOfRange{"parameter":"maximumKHz","minimum":400000,"maximum":1500000}`, 400_000, 1_500_000, ""},
		{"too low", "", `"minimumKHz":399999`, `OutOfRange{"parameter":"minimumKHz","minimum":400000,"maximum":1500000}`, 400_000, 1_500_000, ""},
		{"a maximum that is too low", "", `"maximumKHz":399999`, `OutOfRange{"parameter":"maximumKHz","minimum":400000,"maximum":1500000}`, 400_000, 1_500_000, ""},
		{"crossed", "", `"minimumKHz":1000000,"maximumKHz":600000`, `OutOfRange{"parameter":"minimumKHz","minimum":400000,"maximum":600000}`, 400_000, 1_500_000, ""},
		{"above the maximum in force", `"maximumKHz":600000`, `"minimumKHz":1000000`, `OutOfRange{"parameter":"minimumKHz","minimum":400000,"maximum":600000}`, 400_000, 600_000, ""},
		{"below the minimum in force", `"minimumKHz":1000000`, `"maximumKHz":600000`, `OutOfRange{"parameter":"maximumKHz","minimum":1000000,"maximum":1500000}`, 1_000_000, 1_500_000, ""},
		{"neither", "", ``, `InvalidParameter{"parameter":"minimumKHz"}`, 400_000, 1_500_000, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			k := haltest.Record(board())
			b := start(t, k)
			if row.before != "" {
				b.Expect("SetLimits", `{"policy":"policy0",`+row.before+`}`, `{}`)
			}
			k.Reset()
			b.Expect("SetLimits", strings.TrimSuffix(`{"policy":"policy0",`+row.in, ",")+`}`, row.want)
			if got := writes(k); got != row.writes {
				t.Errorf("written: %s, want %s", got, row.writes)
			}
			b.Expect("Get", `{"policy":"policy0"}`, little(row.minimum, row.minimum, row.maximum, "schedutil"))
		})
	}
}

// writes are what was written to the limits.
func writes(k *haltest.Recorder) string {
	var all []string
	for _, c := range k.Written() {
		if name, ok := strings.CutSuffix(c.Path[strings.LastIndexByte(c.Path, '/')+1:], "_freq"); ok && c.Op == haltest.Pwrite {
			all = append(all, strings.TrimPrefix(name, "scaling_")+" "+c.Data)
		}
	}
	return strings.Join(all, ", ")
}

// TestOffline: the kernel answers EBUSY for a policy without a processor online, and EAGAIN for a frequency that it does not know.
func TestOffline(t *testing.T) {
	for _, row := range []struct {
		name, attribute string
		err             error
		want            string
	}{
		{"offline", "scaling_min_freq", unix.EBUSY, `Busy{"class":"Cpu","device":"policy4"}`},
		{"a frequency that is not known", "scaling_cur_freq", unix.EAGAIN, `{"driver":"halberd-sim","cpus":[4,5],"minimumKHz":500000,"maximumKHz":2000000,` +
			`"hardwareMinimumKHz":500000,"hardwareMaximumKHz":2000000,"governor":"schedutil","governors":["schedutil","performance"]}`},
	} {
		t.Run(row.name, func(t *testing.T) {
			k := &failing{Kernel: board(), attribute: row.attribute, err: row.err, fds: map[int]bool{}}
			start(t, k).Expect("Get", `{"policy":"policy4"}`, row.want)
		})
	}
}

// failing is a kernel of which one attribute cannot be read.
type failing struct {
	*sim.Kernel
	attribute string
	err       error
	fds       map[int]bool
}

func (f *failing) Open(path string, flags int) (int, error) {
	fd, err := f.Kernel.Open(path, flags)
	f.fds[fd] = err == nil && strings.HasSuffix(path, "/"+f.attribute)
	return fd, err
}

func (f *failing) Pread(fd int, p []byte, offset int64) (int, error) {
	if f.fds[fd] {
		return -1, f.err
	}
	return f.Kernel.Pread(fd, p, offset)
}

func TestPlug(t *testing.T) {
	k := sim.New(sim.Options{Bare: true})
	b := start(t, k, simtest.Entry{Table: "cpu", ID: "all", Keys: `{"policy":"policy0"}`})
	k.AddPolicy(sim.Policy{CPUs: []int{0}, Frequencies: []int64{1000}, Governors: []string{"performance"}})
	if b.Class.Rescan() || b.IDs() != "all" {
		t.Fatalf("there is %q", b.IDs())
	}
	k.Unplug("policy0")
	gone := `DeviceGone{"class":"Cpu","device":"all"}`
	b.Expect("SetLimits", `{"policy":"all","minimumKHz":1000}`, gone)
	b.Expect("SetGovernor", `{"policy":"all","governor":"performance"}`, gone)
	if b.Class.Rescan() || b.IDs() != "" {
		t.Errorf("there is %q", b.IDs())
	}
	b.Expect("Get", `{"policy":"all"}`, gone)
}

// TestTree: what an RK3399 shows. Tunables of governors are no policies.
func TestTree(t *testing.T) {
	b := start(t, simtest.Tree(t, "testdata/rk3399.tree"))
	const governors = `["conservative","ondemand","userspace","powersave","performance","schedutil"]`
	b.Expect("Get", `{"policy":"policy0"}`, `{"driver":"cpufreq-dt","cpus":[0,1,2,3],"currentKHz":1416000,"minimumKHz":408000,"maximumKHz":1512000,"hardwareMinimumKHz":408000,`+
		`"hardwareMaximumKHz":1512000,"governor":"ondemand","governors":`+governors+`,"frequenciesKHz":[408000,600000,816000,1008000,1200000,1416000,1512000]}`)
	b.Expect("Get", `{"policy":"policy4"}`, `{"driver":"cpufreq-dt","cpus":[4,5],"minimumKHz":816000,"maximumKHz":1800000,"hardwareMinimumKHz":408000,`+
		`"hardwareMaximumKHz":2016000,"governor":"performance","governors":`+governors+`}`)
	if got := b.IDs(); got != "policy0 policy4" {
		t.Errorf("there is %s, want policy0 policy4", got)
	}
}

// TestLatencyHold: the kernel's device gets a number of 32 bits, and what rides the reply is that device.
func TestLatencyHold(t *testing.T) {
	k := simtest.Tree(t, "testdata/rk3399.tree").(kernel.Linux)
	b := start(t, k)
	b.Expect("LatencyHold", `{"uSec":250}`, `{"fileDescriptor":0}`)
	defer unix.Close(b.Files[0])
	written, err := os.ReadFile(k.Root + latencyDevice)
	if err != nil || len(written) < 4 || binary.NativeEndian.Uint32(written) != 250 {
		t.Errorf("the device has %q, %v, want 250", written, err)
	}
	var passed, device unix.Stat_t
	if err := unix.Fstat(b.Files[0], &passed); err != nil {
		t.Fatal(err)
	}
	if err := unix.Stat(k.Root+latencyDevice, &device); err != nil || passed.Ino != device.Ino {
		t.Errorf("what was handed over is of inode %d, the device is %d (%v)", passed.Ino, device.Ino, err)
	}
}

// TestLatencyHoldRefused: a hold that cannot be handed over does not stay, and neither does a descriptor.
func TestLatencyHoldRefused(t *testing.T) {
	k := board()
	b := start(t, k)
	before := k.Opened()
	b.Expect("LatencyHold", `{"uSec":0}`, `NotSupported{"feature":"latency_hold"}`)
	if k.Opened() != before || k.Latency() != longest {
		t.Errorf("%d descriptors more are open, and the latency is %d", k.Opened()-before, k.Latency())
	}
	start(t, sim.New(sim.Options{Bare: true})).Expect("LatencyHold", `{"uSec":0}`, `NotSupported{"feature":"latency_hold"}`)
}

// TestThisMachine holds a latency for a moment where the machine of the tests lets it.
func TestThisMachine(t *testing.T) {
	k := kernel.Linux{}
	fd, err := k.Open(latencyDevice, unix.O_RDONLY)
	if err != nil {
		t.Skipf("%s: %v", latencyDevice, err)
	}
	defer k.Close(fd)
	target := func() uint32 {
		var value [4]byte
		if _, err := k.Pread(fd, value[:], 0); err != nil {
			t.Fatal(err)
		}
		return binary.NativeEndian.Uint32(value[:])
	}
	before := target()
	if before < 1000 {
		t.Skipf("somebody holds the latency at %d µs", before)
	}
	b := start(t, k)
	b.Expect("LatencyHold", `{"uSec":1000}`, `{"fileDescriptor":0}`)
	if got := target(); got != 1000 {
		t.Errorf("the latency is %d while it is held, want 1000", got)
	}
	_ = unix.Close(b.Files[0])
	if got := target(); got != before {
		t.Errorf("the latency is %d afterwards, want %d", got, before)
	}
}

func TestBoardErrors(t *testing.T) {
	simtest.ExpectRefused(t, Driver(), board(), `board.toml:1: cpu.A: "../policy0" is no name of a device in /sys: '/' cannot stand in it`, simtest.Entries("cpu", `{"policy":"../policy0"}`)...)
}

// What the policies say for board.toml names the same policies again.
func TestDeclaration(t *testing.T) {
	simtest.ExpectDeclarations(t, Driver(), board())
}
