package sim

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Policy is a number of processors that share a clock, to add to the board.
type Policy struct {
	CPUs        []int   // at least one; the first one names the policy
	Frequencies []int64 // kHz, the lowest first
	Governors   []string
	Ranged      bool // the driver has no list of frequencies
}

// policy follows drivers/cpufreq: cpufreq.c and freq_table.c. What the kernel does in a work of its own, a moment after a limit was written, is done at once here.
type policy struct {
	Policy
	governor             string
	wantedMin, wantedMax int64 // what was asked for: freq_qos
	minimum, maximum     int64 // what holds
	lowest, highest      int64
}

// AddPolicy adds a policy and gives its name: policy0. The kernel sends no message about one; that of its first processor stands for it.
func (k *Kernel) AddPolicy(p Policy) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	name := fmt.Sprint("policy", p.CPUs[0])
	dir := "/sys/devices/system/cpu/cpufreq/" + name
	n := k.mkdir(dir)
	k.devices[name] = &device{paths: []string{dir}, subsystem: "cpu", plug: func() { k.AddPolicy(p) }}
	d := &policy{Policy: p, governor: p.Governors[0], lowest: p.Frequencies[0], highest: p.Frequencies[len(p.Frequencies)-1]}
	d.wantedMin, d.wantedMax = d.lowest, d.highest
	d.verify()
	cpus := strings.Trim(fmt.Sprint(p.CPUs), "[]")
	n.add("related_cpus", constant(cpus))
	n.add("affected_cpus", constant(cpus))
	n.add("cpuinfo_min_freq", constant(strconv.FormatInt(d.lowest, 10)))
	n.add("cpuinfo_max_freq", constant(strconv.FormatInt(d.highest, 10)))
	n.add("scaling_driver", constant("halberd-sim"))
	n.add("scaling_available_governors", constant(strings.Join(p.Governors, " ")+" "))
	n.add("scaling_governor", &attribute{func() (string, error) { return d.governor + "\n", nil }, d.setGovernor})
	n.add("scaling_min_freq", &attribute{showNumber(&d.minimum), d.request(&d.wantedMin)})
	n.add("scaling_max_freq", &attribute{showNumber(&d.maximum), d.request(&d.wantedMax)})
	n.add("scaling_cur_freq", &attribute{show: d.current})
	if !p.Ranged {
		n.add("scaling_available_frequencies", constant(strings.Trim(fmt.Sprint(p.Frequencies), "[]")+" "))
	}
	k.addLatency()
	k.appear(name)
	return name
}

func showNumber(value *int64) func() (string, error) {
	return func() (string, error) { return fmt.Sprintln(*value), nil }
}

// setGovernor is store_scaling_governor: it reads one word.
func (d *policy) setGovernor(text string) error {
	words := strings.Fields(text)
	if len(words) == 0 || !slices.Contains(d.Governors, words[0]) {
		return unix.EINVAL
	}
	d.governor = words[0]
	return nil
}

// request is store_one: any number is taken as a wish.
func (d *policy) request(wish *int64) func(string) error {
	return func(text string) error {
		n, err := parseUint(text)
		if err != nil {
			return err
		}
		*wish = n
		d.verify()
		return nil
	}
}

// verify is cpufreq_frequency_table_verify and the rounding of cpufreq_set_policy: the wishes are brought inside what the hardware has, the maximum first.
func (d *policy) verify() {
	d.maximum = min(max(d.wantedMax, d.lowest), d.highest)
	d.minimum = min(max(d.wantedMin, d.lowest), d.maximum)
	if d.Ranged {
		return
	}
	inside := func(f int64) bool { return f >= d.minimum && f <= d.maximum }
	if !slices.ContainsFunc(d.Frequencies, inside) {
		above := slices.IndexFunc(d.Frequencies, func(f int64) bool { return f > d.maximum })
		d.maximum = d.Frequencies[above]
	}
	d.minimum = d.Frequencies[slices.IndexFunc(d.Frequencies, inside)]
	for _, f := range slices.Backward(d.Frequencies) {
		if f <= d.maximum {
			d.maximum = f
			break
		}
	}
}

// current is the highest frequency of whoever wants all, and the lowest of anybody else, since nothing has to be computed here.
func (d *policy) current() (string, error) {
	if d.governor == "performance" {
		return fmt.Sprintln(d.maximum), nil
	}
	return fmt.Sprintln(d.minimum), nil
}

// latency is /dev/cpu_dma_latency, after kernel/power/qos.c.
type latency struct{ holds []*latencyFile }

// noHold is PM_QOS_CPU_LATENCY_DEFAULT_VALUE.
const noHold = 2_000_000_000

func (k *Kernel) addLatency() {
	k.mkdir("/dev").children["cpu_dma_latency"] = &node{open: func(int) (file, error) {
		f := &latencyFile{latency: &k.latency, value: noHold}
		k.latency.holds = append(k.latency.holds, f)
		return f, nil
	}}
}

// Latency is the shortest latency that anybody holds, in µs.
func (k *Kernel) Latency() int32 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.latency.target()
}

func (l *latency) target() int32 {
	shortest := int32(noHold)
	for _, f := range l.holds {
		shortest = min(shortest, f.value)
	}
	return shortest
}

// latencyFile is one hold, which ends when it is closed.
type latencyFile struct {
	latency *latency
	value   int32
}

// pread gives the target.
func (f *latencyFile) pread(p []byte, offset int64) (int, error) {
	var value [4]byte
	binary.NativeEndian.PutUint32(value[:], uint32(f.latency.target()))
	if offset >= int64(len(value)) {
		return 0, nil
	}
	return copy(p, value[offset:]), nil
}

// pwrite takes a number of 32 bits; text, which the kernel takes too, is left out.
func (f *latencyFile) pwrite(p []byte) (int, error) {
	if len(p) != 4 {
		return 0, unix.EINVAL
	}
	f.value = int32(binary.NativeEndian.Uint32(p))
	return len(p), nil
}

func (f *latencyFile) ioctl(uint, unsafe.Pointer) error { return unix.ENOTTY }

func (f *latencyFile) close() {
	f.latency.holds = slices.DeleteFunc(f.latency.holds, func(other *latencyFile) bool { return other == f })
}
