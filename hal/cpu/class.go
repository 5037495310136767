package cpu

import (
	"errors"
	"math"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sysfs"
)

// Driver joins the class to the board.
func Driver() hal.Driver {
	return hal.Driver{Class: class, Tables: []hal.Table{hal.NewTable[entry]("cpu", "Processors that share a clock: a policy of /sys/devices/system/cpu/cpufreq.")}, Open: Open}
}

// entry is a [cpu.ID] of board.toml.
type entry struct{ Policy string }

func (e *entry) Fields(f *hal.Fields) {
	f.Text("policy", &e.Policy, "The kernel's name for the policy, policy0: policy and the number of its first processor.")
}

// Check finds what is no name.
func (e *entry) Check() error { return sysfs.CheckName(e.Policy) }

// Open finds the policies.
func Open(env *hal.Env) (*hal.Class, error) {
	r := &sysfs.Roster[*Policy]{
		Env: env, Set: hal.NewSet[*Policy](class, "policy"), Noun: "policy",
		Places: func() ([]sysfs.Place, error) { return places(env.Kernel) },
		Means:  func(e *hal.Entry, p sysfs.Place) bool { return e.Value.(*entry).Policy == p.Name },
		Open:   func(id string, p sysfs.Place, _ *hal.Entry) (*Policy, error) { return open(env, id, p) },
	}
	return r.Class(&hal.Class{
		Name: class, Doc: "How fast processors run, and how soon they answer.", Methods: methods(env, r.Set),
		// The kernel says nothing of policies. They come with the module of their driver and go with the last of their processors.
		Subsystems: []string{"cpu", "module"},
	})
}

// places lists the policies. Beside them stand the tunables of governors.
func places(k hal.Kernel) ([]sysfs.Place, error) {
	all, err := sysfs.Entries(k, folder)
	policies := all[:0]
	for _, p := range all {
		if strings.HasPrefix(p.Name, "policy") {
			policies = append(policies, p)
		}
	}
	return policies, err
}

func methods(env *hal.Env, policies *hal.Set[*Policy]) []*hal.Method {
	return []*hal.Method{
		hal.On(policies, hal.Observe, "Get", "Reads the limits, the governor and the present frequency. Busy while all processors of the policy are offline.", (*Policy).get),
		hal.On(policies, hal.Configure, "SetGovernor", "Chooses who chooses the frequency. NotSupported with the governor's name where there is no such one.", (*Policy).setGovernor),
		hal.On(policies, hal.Configure, "SetLimits", "Limits the frequencies that the governor may choose. The kernel rounds a limit to a frequency that it has inside, and takes it as a wish beside those of others, which "+
			"may leave less. Where the second of two writes fails, the first limit holds.", (*Policy).setLimits),
		hal.Plain(hal.Control, "LatencyHold", "Keeps all processors out of idle states that take longer to leave, until the descriptor and all its duplicates are closed. It costs power, and with 0 much of it.\n"+
			"Who has the descriptor can write another value to it, so that a limit of a grant on uSec binds the call alone. NotSupported{latency_hold} where the kernel has no idle states, or is simulated.",
			func(_ hal.Holder, in *holdIn, out *holdOut) error { return hold(env.Kernel, in, out) }),
	}
}

type getOut struct {
	Driver      string
	CPUs        []int64
	Current     hal.Opt[int64]
	now, whole  span
	Governor    string
	Governors   []string
	Frequencies hal.Opt[[]int64]
}

func (r *getOut) Fields(f *hal.Fields) {
	f.Text("driver", &r.Driver, "The kernel's driver: cpufreq-dt, …")
	f.Ints("cpus", &r.CPUs, 0, math.MaxInt32, hal.Unitless, "The numbers of the processors, those that are offline too.")
	f.OptIntIn("currentKHz", &r.Current, 0, math.MaxInt64, hal.KiloHertz, "The frequency of now, as the kernel knows it; absent where it does not.")
	f.IntIn("minimumKHz", &r.now.minimum, 0, math.MaxInt64, hal.KiloHertz, "The lowest frequency that the governor may choose now.")
	f.IntIn("maximumKHz", &r.now.maximum, 0, math.MaxInt64, hal.KiloHertz, "The highest one.")
	f.IntIn("hardwareMinimumKHz", &r.whole.minimum, 0, math.MaxInt64, hal.KiloHertz, "The lowest frequency of the hardware.")
	f.IntIn("hardwareMaximumKHz", &r.whole.maximum, 0, math.MaxInt64, hal.KiloHertz, "The highest one.")
	f.Text("governor", &r.Governor, "Who chooses the frequency: schedutil, performance, …")
	f.Texts("governors", &r.Governors, 0, math.MaxInt32, "All governors that the kernel has for this driver; more may come with modules.")
	f.OptInts("frequenciesKHz", &r.Frequencies, 0, math.MaxInt32, hal.KiloHertz, "The frequencies that the hardware has, where it has some and not a range.")
}

func (d *Policy) get(_ *hal.None, out *getOut) error {
	out.Driver, out.CPUs = d.driver, d.cpus
	return hal.Refuse(class, d.id, d.guard.Do(func() error { return d.files.read(out) }))
}

// read reads what changes about a policy.
func (a *attributes) read(out *getOut) (err error) {
	if out.now, err = readSpan(a.minimum, a.maximum); err != nil {
		return err
	}
	if out.whole, err = readSpan(a.lowest, a.highest); err != nil {
		return err
	}
	if out.Governor, err = a.governor.ReadText(); err != nil {
		return err
	}
	governors, err := a.governors.ReadText()
	if err != nil {
		return err
	}
	out.Governors = strings.Fields(governors)
	if a.frequencies != nil {
		text, err := a.frequencies.ReadText()
		if err != nil {
			return err
		}
		out.Frequencies = hal.Some(numbers(text))
	}
	out.Current, err = readCurrent(a.current)
	return err
}

// readCurrent reads a frequency that the kernel may not know: then it says so in words, or with EAGAIN.
func readCurrent(a *sysfs.Attribute) (hal.Opt[int64], error) {
	text, err := a.ReadText()
	if errors.Is(err, unix.EAGAIN) {
		return hal.Opt[int64]{}, nil
	}
	n, unknown := strconv.ParseInt(text, 10, 64)
	return hal.Opt[int64]{Value: n, Set: unknown == nil}, err
}

// numbers reads a list of numbers, and leaves out what is none.
func numbers(text string) []int64 {
	all := []int64{}
	for word := range strings.FieldsSeq(text) {
		if n, err := strconv.ParseInt(word, 10, 64); err == nil {
			all = append(all, n)
		}
	}
	return all
}

type governorIn struct{ Governor string }

func (p *governorIn) Fields(f *hal.Fields) {
	f.Text("governor", &p.Governor, "One of the governors that Get lists.")
}

func (d *Policy) setGovernor(in *governorIn, _ *hal.None) error {
	return hal.Refuse(class, d.id, d.guard.Do(func() error { return d.govern(in.Governor) }))
}

type limitsIn struct{ Minimum, Maximum hal.Opt[int64] }

func (p *limitsIn) Fields(f *hal.Fields) {
	f.OptIntIn("minimumKHz", &p.Minimum, 0, math.MaxInt32, hal.KiloHertz, "The lowest frequency, not above the highest one; as it is where it is left out.")
	f.OptIntIn("maximumKHz", &p.Maximum, 0, math.MaxInt32, hal.KiloHertz, "The highest frequency; as it is where it is left out.")
}

func (d *Policy) setLimits(in *limitsIn, _ *hal.None) error {
	if !in.Minimum.Set && !in.Maximum.Set {
		return &hal.InvalidParameter{Parameter: "minimumKHz", What: "minimumKHz, maximumKHz or both are needed"}
	}
	return hal.Refuse(class, d.id, d.guard.Do(func() error { return d.limit(in) }))
}
