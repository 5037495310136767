// Package cpu is the class Cpu: how fast processors run, and how soon they answer.
//
// Processors that share a clock form a policy of cpufreq: the range of frequencies in which a governor may choose. The kernel takes a limit as a wish, beside those of others, as of a thermal
// zone that is hot: what holds is the narrowest of all, rounded into what the hardware has. It may hold a moment after the write.
//
// Writing may make the kernel switch a clock or the voltage of a regulator on a slow bus, so a worker does it, one for all policies.
//
// A latency hold is /dev/cpu_dma_latency, which keeps all processors out of idle states that take longer to leave, as long as it is open. It is handed over: the hold is its holder's, whatever
// becomes of Halberd.
//
// Source: Linux Documentation/admin-guide/pm/cpufreq.rst, Documentation/power/pm_qos_interface.rst and ABI/testing/sysfs-devices-system-cpu. Linux 4.3 and later, where policies have folders of
// their own; the device where the kernel has CONFIG_CPU_IDLE (5.7 and later), or in any case (before).
package cpu

import (
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sysfs"
)

const (
	class  = "Cpu"
	folder = "/sys/devices/system/cpu/cpufreq"
	bus    = "cpufreq" // whose worker serves all policies
)

// Policy is a number of processors that share a clock.
type Policy struct {
	id, name string // ours and the kernel's
	driver   string
	cpus     []int64
	env      *hal.Env

	guard hal.Guard // of what follows
	files attributes
}

// attributes are those of a policy.
type attributes struct {
	current, lowest, highest *sysfs.Attribute // what is, and what the hardware can
	minimum, maximum         *sysfs.Attribute
	governor, governors      *sysfs.Attribute
	frequencies              *sysfs.Attribute // nil where the driver has no list
}

// ID is the name in board.toml, else the kernel's.
func (d *Policy) ID() string { return d.id }

// Bus names the worker of all policies.
func (d *Policy) Bus() string { return bus }

// Declaration is the policy's table in board.toml.
func (d *Policy) Declaration() string {
	return hal.Declaration("cpu", d.id, hal.TextKey("policy", d.name))
}

// open opens a policy. What it reads is no matter of hardware.
func open(env *hal.Env, id string, p sysfs.Place) (*Policy, error) {
	dir, err := sysfs.Resolve(env.Kernel, p.Path)
	if err != nil {
		return nil, err
	}
	d := &Policy{id: id, name: p.Name, env: env}
	if d.driver, err = sysfs.Read(env.Kernel, dir+"/scaling_driver"); err != nil {
		return nil, err
	}
	cpus, err := sysfs.Read(env.Kernel, dir+"/related_cpus")
	if err != nil {
		return nil, err
	}
	d.cpus = numbers(cpus)
	if err := d.files.open(env.Kernel, dir); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

// open opens them all.
func (a *attributes) open(k hal.Kernel, dir string) error {
	for _, f := range []struct {
		to    **sysfs.Attribute
		name  string
		flags int
	}{
		{&a.current, "scaling_cur_freq", unix.O_RDONLY}, {&a.lowest, "cpuinfo_min_freq", unix.O_RDONLY}, {&a.highest, "cpuinfo_max_freq", unix.O_RDONLY},
		{&a.minimum, "scaling_min_freq", unix.O_RDWR}, {&a.maximum, "scaling_max_freq", unix.O_RDWR},
		{&a.governor, "scaling_governor", unix.O_RDWR}, {&a.governors, "scaling_available_governors", unix.O_RDONLY},
		{&a.frequencies, "scaling_available_frequencies", unix.O_RDONLY},
	} {
		var err error
		*f.to, err = sysfs.Open(k, dir+"/"+f.name, f.flags)
		if err != nil && !(sysfs.Missing(err) && f.to == &a.frequencies) {
			return err
		}
	}
	return nil
}

func (a *attributes) close() {
	for _, f := range []*sysfs.Attribute{a.current, a.lowest, a.highest, a.minimum, a.maximum, a.governor, a.governors, a.frequencies} {
		f.Close()
	}
}

// Start has nothing to do: a policy is as the kernel has it.
func (d *Policy) Start(bool) {}

// Unplug lets go of a policy that is gone.
func (d *Policy) Unplug() { d.Close() }

// Close lets go of the policy.
func (d *Policy) Close() { d.guard.Close(bus, d.files.close) }

// span is a range of frequencies, in kHz.
type span struct{ minimum, maximum int64 }

// readSpan reads a range from two attributes.
func readSpan(minimum, maximum *sysfs.Attribute) (s span, err error) {
	if s.minimum, err = minimum.ReadInt(); err == nil {
		s.maximum, err = maximum.ReadInt()
	}
	return s, err
}

// check refuses what the hardware does not take, or what would leave no frequency.
func (s span) check(hardware span, in *limitsIn) error {
	switch {
	case in.Maximum.Set && (s.maximum < hardware.minimum || s.maximum > hardware.maximum):
		return &hal.OutOfRange{Parameter: "maximumKHz", Minimum: hardware.minimum, Maximum: hardware.maximum}
	case in.Minimum.Set && (s.minimum < hardware.minimum || s.minimum > min(s.maximum, hardware.maximum)):
		return &hal.OutOfRange{Parameter: "minimumKHz", Minimum: hardware.minimum, Maximum: min(s.maximum, hardware.maximum)}
	case s.minimum > s.maximum:
		return &hal.OutOfRange{Parameter: "maximumKHz", Minimum: s.minimum, Maximum: hardware.maximum}
	}
	return nil
}

// limit writes the limits that are given, in an order in which the minimum never passes the maximum: kernels before 5.4 refuse that, and later ones would hold something else meanwhile.
func (d *Policy) limit(in *limitsIn) error {
	hardware, err := readSpan(d.files.lowest, d.files.highest)
	if err != nil {
		return err
	}
	now, err := readSpan(d.files.minimum, d.files.maximum)
	if err != nil {
		return err
	}
	wanted := span{in.Minimum.Or(now.minimum), in.Maximum.Or(now.maximum)}
	if err := wanted.check(hardware, in); err != nil {
		return err
	}
	lower := func() error { return writeGiven(d.files.minimum, in.Minimum) }
	upper := func() error { return writeGiven(d.files.maximum, in.Maximum) }
	if wanted.minimum > now.maximum {
		lower, upper = upper, lower
	}
	if err := lower(); err != nil {
		return err
	}
	return upper()
}

func writeGiven(a *sysfs.Attribute, v hal.Opt[int64]) error {
	if !v.Set {
		return nil
	}
	return a.WriteInt(v.Value)
}

// govern chooses a governor, or says that there is no such one.
func (d *Policy) govern(name string) error {
	all, err := d.files.governors.ReadText()
	if err != nil {
		return err
	}
	if !slices.Contains(strings.Fields(all), name) {
		return &hal.NotSupported{Feature: name}
	}
	return d.files.governor.WriteText(name)
}
