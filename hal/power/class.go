package power

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/halberd-io/halberd/hal"
)

// Driver joins the class to the board. It has no devices, so board.toml says nothing about it.
func Driver() hal.Driver { return hal.Driver{Class: class, Open: Open} }

// Open begins to take requests on.
func Open(env *hal.Env) (*hal.Class, error) {
	p := &power{env: env}
	p.restore()
	return &hal.Class{Name: class, Doc: "The end and the sleep of the whole machine, through its init system, and who holds them back.", Methods: methods(p), Close: p.close}, nil
}

// taken is what the methods that take a request on have in common.
const taken = "The reply comes first: the machine is asked 100 ms after it at the earliest, and Events tells what became of that. A request that still waits when Halberd ends is lost.\n" +
	"NotSupported where the machine cannot, as Can tells. Busy, with the action as its device, while another request waits or is carried out, whose reason is the holder, and while an inhibitor holds it back, whose why is."

// forced is what those have in common that nothing holds back.
const forced = ", and inhibitors do not hold it back; where systemd is asked over varlink, neither do its own. It takes the place of a request that waits, and of another action that is being carried out and may hang."

func methods(p *power) []*hal.Method {
	return []*hal.Method{
		hal.Plain(hal.Observe, "Can", "Tells what the machine can be asked for, as things stand, and by which way.", p.can),
		hal.Plain(hal.Hazard, "Reboot", "Ends all services in their order and starts the machine again.\n"+taken, p.reboot(false)),
		hal.Plain(hal.Administer, "ForceReboot", "Does what Reboot does"+forced, p.reboot(true)),
		hal.Plain(hal.Hazard, "PowerOff", "Ends all services in their order and switches the machine off.\n"+taken, p.powerOff(false)),
		hal.Plain(hal.Administer, "ForcePowerOff", "Does what PowerOff does"+forced, p.powerOff(true)),
		hal.Plain(hal.Hazard, "Suspend", "Puts the machine to sleep, by the kernel alone: no unit of systemd that belongs to sleep is started.\n"+taken, p.suspend(false)),
		hal.Plain(hal.Administer, "ForceSuspend", "Does what Suspend does"+forced, p.suspend(true)),
		hal.Plain(hal.Configure, "Inhibit", "Holds back what is asked for through Halberd, until the descriptor and all its duplicates are closed, by whatever. It does not end with the connection, nor with Halberd where a service manager keeps its descriptors.\n"+
			"Busy while a request that it would hold back was taken on already. LimitExceeded{inhibitors-per-uid} beyond 16 of one user, and LimitExceeded{inhibitors} beyond 64 of all.", p.inhibit),
		hal.Plain(hal.Observe, "Inhibitors", "Lists the inhibitors, the oldest first. Whose they are is not known.", p.listInhibitors),
		hal.Stream(hal.Observe, "Events", "Tells of requests and of inhibitors. A request with a delay is told of at once, so that there is time to save what must not be lost.", p.state, p.follow),
	}
}

// maxReason is the longest reason, in bytes, so that all inhibitors fit the smallest reply.
const maxReason = 200

// short refuses a text that is too long.
func short(parameter, text string) error {
	if len(text) > maxReason {
		return &hal.InvalidParameter{Parameter: parameter, What: fmt.Sprintf("must not be longer than %d bytes", maxReason)}
	}
	return nil
}

// maxTarget is the longest target of a reboot, in bytes: Android takes 91 with the words before it.
const maxTarget = 64

// maxDelay is the longest delay: a day.
const maxDelay = 24 * 3_600_000

// ending is what a request to end the machine has.
type ending struct {
	Delay  hal.Opt[int64]
	Reason string
}

func (p *ending) Fields(f *hal.Fields) {
	f.OptIntIn("delayMSec", &p.Delay, 0, maxDelay, hal.Milliseconds, "How long after the reply; 0 where it is left out.")
	f.Text("reason", &p.Reason, "Why, for the log and for whoever is refused meanwhile: at most 200 bytes.")
}

// take takes it on.
func (in *ending) take(p *power, r hal.PowerRequest) error {
	if err := short("reason", in.Reason); err != nil {
		return err
	}
	return p.take(&request{PowerRequest: r, reason: in.Reason}, time.Duration(in.Delay.Value)*time.Millisecond)
}

type rebootIn struct {
	Target hal.Opt[string]
	ending
}

func (p *rebootIn) Fields(f *hal.Fields) {
	f.OptText("target", &p.Target, "What the firmware or the boot loader is to start, in their own words, as recovery or bootloader: at most 64 bytes. NotSupported{target} where it cannot be told to them.")
	p.ending.Fields(f)
}

func (p *power) reboot(force bool) func(hal.Holder, *rebootIn, *hal.None) error {
	return func(_ hal.Holder, in *rebootIn, _ *hal.None) error {
		if len(in.Target.Value) > maxTarget || in.Target.Set && in.Target.Value == "" {
			return &hal.InvalidParameter{Parameter: "target", What: fmt.Sprintf("must have 1 to %d bytes", maxTarget)}
		}
		return in.take(p, hal.PowerRequest{Action: hal.Reboot, Target: in.Target.Value, Force: force})
	}
}

func (p *power) powerOff(force bool) func(hal.Holder, *ending, *hal.None) error {
	return func(_ hal.Holder, in *ending, _ *hal.None) error {
		return in.take(p, hal.PowerRequest{Action: hal.PowerOff, Force: force})
	}
}

type suspendIn struct {
	Mode   hal.Opt[string]
	WakeAt hal.Opt[int64]
}

func (p *suspendIn) Fields(f *hal.Fields) {
	f.OptEnum("mode", &p.Mode, []string{"freeze", "standby", "mem", "disk"}, "How deep, in the kernel's words; where it is left out mem, else freeze, else standby. NotSupported where the machine does not have it.")
	f.OptIntIn("wakeAtUSec", &p.WakeAt, 0, math.MaxInt64/1000, hal.Microseconds, "When the machine wakes up by itself, in microseconds since 1970, by the system's clock. The kernel keeps it "+
		"beside all other alarms of the real-time clock. OutOfRange for what is not at least 2 s ahead, NotSupported{wakeAtUSec} where nothing can wake the machine.")
}

// soonest is how far ahead a wake-up has to be: the kernel refuses to sleep for less (Linux kernel/time/alarmtimer.c).
const soonest = 2 * time.Second

func (p *power) suspend(force bool) func(hal.Holder, *suspendIn, *hal.None) error {
	return func(_ hal.Holder, in *suspendIn, _ *hal.None) error {
		r := hal.PowerRequest{Action: hal.Suspend, Mode: in.Mode.Value, Force: force}
		if in.WakeAt.Set {
			if !p.abilities().Wake {
				return &hal.NotSupported{Feature: "wakeAtUSec"}
			}
			first := time.Now().Add(grace + soonest).UnixMicro()
			if in.WakeAt.Value < first {
				return &hal.OutOfRange{Parameter: "wakeAtUSec", Minimum: first, Maximum: math.MaxInt64 / 1000}
			}
			r.WakeAt = time.UnixMicro(in.WakeAt.Value)
		}
		return p.take(&request{PowerRequest: r, reason: "suspend"}, 0)
	}
}

// chooseMode takes the first mode that the machine has where none was given.
func chooseMode(r *hal.PowerRequest, modes []string) error {
	if r.Mode == "" {
		for _, mode := range []string{"mem", "freeze", "standby"} {
			if slices.Contains(modes, mode) {
				r.Mode = mode
				return nil
			}
		}
	}
	if !slices.Contains(modes, r.Mode) {
		return &hal.NotSupported{Feature: "mode"}
	}
	return nil
}

type canOut struct {
	hal.PowerAbilities
	Last hal.Opt[string]
}

func (r *canOut) Fields(f *hal.Fields) {
	f.Text("init", &r.Init, "What runs as the first process: systemd, busybox, android, …; simulated; unknown.")
	f.Text("way", &r.Way, "How it is asked: varlink, signals, property, control file, …; reboot(2) for the kernel itself, which ends no service before; none.")
	f.Bool("reboot", &r.Reboot, "Whether it can be asked to reboot.")
	f.Bool("powerOff", &r.PowerOff, "Whether it can be asked to switch the machine off.")
	f.Bool("targets", &r.Targets, "Whether a reboot can have a target.")
	f.Texts("modes", &r.Suspend, 0, math.MaxInt32, "The modes of Suspend; none where the machine cannot be put to sleep.")
	f.Bool("wake", &r.Wake, "Whether a suspend can have an end.")
	f.OptText("last", &r.Last, "What the machine was asked for last since Halberd started: reboot, power_off or suspend.")
}

func (p *power) can(_ hal.Holder, _ *hal.None, out *canOut) error {
	*out = canOut{PowerAbilities: p.abilities(), Last: hal.Opt[string]{Value: string(p.last), Set: p.last != ""}}
	return nil
}

type inhibitIn struct{ What, Why string }

func (p *inhibitIn) Fields(f *hal.Fields) {
	f.Enum("what", &p.What, holds, "What is held back: shutdown stands for Reboot and PowerOff.")
	f.Text("why", &p.Why, "Why, for whoever is refused meanwhile: at most 200 bytes.")
}

type inhibitOut struct{ File hal.File }

func (r *inhibitOut) Fields(f *hal.Fields) {
	f.File("fileDescriptor", &r.File, "What holds back for as long as it is open. There is nothing to write to it.")
}

// listed is what is told of an inhibitor.
type listed struct{ What, Why string }

func (i *listed) Fields(f *hal.Fields) {
	f.Enum("what", &i.What, holds, "What is held back.")
	f.Text("why", &i.Why, "Why.")
}

type inhibitorsOut struct{ Inhibitors []listed }

func (r *inhibitorsOut) Fields(f *hal.Fields) {
	hal.Each(f, "inhibitors", &r.Inhibitors, 0, maxInhibitors, "All of them.")
}

func (p *power) listInhibitors(_ hal.Holder, _ *hal.None, out *inhibitorsOut) error {
	for _, i := range p.inhibitors {
		out.Inhibitors = append(out.Inhibitors, listed{i.what, i.why})
	}
	return nil
}
