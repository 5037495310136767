package watchdog

import (
	"time"

	"github.com/halberd-io/halberd/hal"
)

// Driver joins the class to the board.
func Driver() hal.Driver {
	return hal.Driver{
		Class:  class,
		Tables: []hal.Table{hal.NewTable[entry]("watchdog", "The hardware watchdog that apps share; there is one such table at most. Without it that is the kernel's first.")},
		Open:   Open,
	}
}

// Open finds the watchdogs. It opens none of them, but for one that board.toml wants armed or that is running already, and that once the loop goes round.
func Open(env *hal.Env) (*hal.Class, error) {
	if err := only(env.Entries); err != nil {
		return nil, err
	}
	k := newKeeper(env)
	r := newRoster(k)
	if err := r.Begin(); err != nil {
		return nil, err
	}
	return &hal.Class{
		Name: class, Doc: "Many apps behind one hardware watchdog. Each registers under a name of its own, and pings Halberd; Halberd pings the hardware while all of them are healthy.\n" +
			"An app that does not ping in time hangs, and so does one whose connection ends without Unregister, whatever ends it. Names are per uid: two users may have the same.\n" +
			"board.toml says what happens while the watchdog is armed and an app hangs: the hardware is left to reset the board, or the log says so and Status shows it. " +
			"While Halberd restarts the watchdog stays armed, where a service manager keeps it open; apps register anew then. It is disarmed when Halberd is stopped for good, and by any end of it where nothing keeps it.",
		Methods: methods(k), Devices: k.watchdogs, Close: k.close(r.Close), Subsystems: []string{"watchdog"}, Rescan: r.Rescan, Safe: k.safe,
	}, nil
}

// close lets go of the apps, and then of the hardware.
func (k *keeper) close(hardware func()) func() {
	return func() {
		k.apps.close()
		hardware()
	}
}

func methods(k *keeper) []*hal.Method {
	register := hal.Plain(hal.Control, "Register", "Registers an app, which belongs to this connection, or begins its timeout anew with another length. An app that is registered and whose connection has ended can register anew, and is healthy again.\n"+
		"It is for a program that stays connected: where the connection ends without Unregister, the app hangs at once.\n"+
		"NoSuchDevice with the watchdog's name where there is no hardware watchdog, Busy with the app's name where another connection of the same user has registered it, LimitExceeded beyond 16 apps of one user.", k.register)
	register.NeedsConnection = true
	return []*hal.Method{
		register,
		hal.Plain(hal.Control, "Ping", "Begins the timeout of an app anew, on any socket of the user that registered it. One that hung is healthy again, but a reset that was decided upon still comes.\n"+
			"NoSuchDevice with the app's name where it is not registered, or the connection that it was registered on has ended: it has to register anew.", k.ping),
		hal.Plain(hal.Control, "Unregister", "Ends the registration of an app, on any socket of the user that registered it, also of one that hangs. NoSuchDevice with the app's name where it is not registered.", k.unregister),
		hal.Plain(hal.Observe, "Status", "Tells how the watchdog is, and every app. It does not ask the hardware.", k.status),
		hal.Later(hal.Administer, "Arm", "Arms the hardware: opens it, sets the times of board.toml, and pings it from now on, four times in each timeout. The timeouts of all apps begin anew, and those whose connections have ended are forgotten.\n"+
			"Where a step after the opening fails, the answer is its error, and the hardware is armed and pinged all the same. Armed already, it is set and pinged once more.\n"+
			"Busy where another process has the watchdog, or where the reset is on its way. It blocks as long as the hardware does, 5 s at most.",
			func(_ hal.Holder, _, _ *hal.None, done func(error)) { k.later(k.arm, done) }),
		hal.Later(hal.Administer, "Disarm", "Disarms the hardware, also where the reset is on its way. Apps stay registered. Where it fails the hardware is as it was; not armed, nothing is done.\n"+
			"NotSupported{disarm} where the driver knows no way out. It blocks as long as the hardware does, 5 s at most.",
			func(_ hal.Holder, _, _ *hal.None, done func(error)) { k.later(k.disarm, done) }),
	}
}

const (
	leastMSec    = 100
	greatestMSec = 86_400_000 // a day
)

type registerIn struct {
	Name    string
	Timeout int64
}

func (p *registerIn) Fields(f *hal.Fields) {
	f.Text("name", &p.Name, "The app's name: 1 to 128 printable ASCII characters without space, asterisk and quotes.")
	f.IntIn("timeoutMSec", &p.Timeout, leastMSec, greatestMSec, hal.Milliseconds, "How long it may be silent. The reset comes up to the hardware's timeout later.")
}

type nameIn struct{ Name string }

func (p *nameIn) Fields(f *hal.Fields) { f.Text("name", &p.Name, "The app's name.") }

// checkName refuses a name that none can be.
func checkName(name string) error {
	if err := hal.CheckID(name); err != nil {
		return &hal.InvalidParameter{Parameter: "name", What: err.Error()}
	}
	return nil
}

func (k *keeper) register(h hal.Holder, in *registerIn, _ *hal.None) error {
	if err := checkName(in.Name); err != nil {
		return err
	}
	if _, err := k.shared(); err != nil {
		return err
	}
	return k.apps.register(h, in.Name, time.Duration(in.Timeout)*time.Millisecond)
}

// registered finds an app of who calls, or refuses.
func (k *keeper) registered(h hal.Holder, name string) (*app, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	if a := k.apps.find(h.Owner(), name); a != nil {
		return a, nil
	}
	return nil, hal.MissingDevice(class, name)
}

func (k *keeper) ping(h hal.Holder, in *nameIn, _ *hal.None) error {
	a, err := k.registered(h, in.Name)
	switch {
	case err != nil:
		return err
	case a.holder == nil:
		return hal.MissingDevice(class, in.Name)
	}
	k.apps.healthy(a)
	return nil
}

func (k *keeper) unregister(h hal.Holder, in *nameIn, _ *hal.None) error {
	a, err := k.registered(h, in.Name)
	if err == nil {
		k.apps.remove(a)
	}
	return err
}

type appOut struct {
	Name    string
	Timeout int64
	State   string
	Own     bool
}

func (r *appOut) Fields(f *hal.Fields) {
	f.Text("name", &r.Name, "The app's name.")
	f.IntIn("timeoutMSec", &r.Timeout, leastMSec, greatestMSec, hal.Milliseconds, "How long it may be silent.")
	f.Enum("state", &r.State, []string{"healthy", "hung"}, "How it is.")
	f.Bool("own", &r.Own, "Whether it is the caller's: names are per uid.")
}

type statusOut struct {
	State       string
	Watchdog    hal.Opt[string]
	OnHang      hal.Opt[string]
	Timeout     hal.Opt[int64]
	CausedReset hal.Opt[bool]
	Apps        []appOut
}

func (r *statusOut) Fields(f *hal.Fields) {
	f.Enum("state", &r.State, []string{"absent", "disarmed", "armed", "expiring"},
		"absent: there is no hardware watchdog. disarmed: Halberd does not have it open. armed: Halberd pings it. expiring: it is not pinged any more, since an app hung, and resets the board.")
	f.OptText("watchdog", &r.Watchdog, "The ID of the watchdog that the apps share.")
	f.OptEnum("onHang", &r.OnHang, []string{onHangReset, onHangLog}, "What happens when an app hangs: board.toml says so.")
	f.OptIntIn("timeoutMSec", &r.Timeout, 1000, 1000*int64(^uint32(0)), hal.Milliseconds, "How long the hardware waits for a ping, while it is armed; 1000 where the driver does not know.")
	f.OptBool("causedReset", &r.CausedReset, "Whether the watchdog caused the last reset of the board, where the kernel tells.")
	hal.Each(f, "apps", &r.Apps, 0, maxApps, "The apps that are registered, in the order in which they registered first.")
}

func (k *keeper) status(h hal.Holder, _ *hal.None, out *statusOut) error {
	out.State = "absent"
	if d, err := k.shared(); err == nil {
		d.describe(out)
	}
	for _, a := range k.apps.all {
		state := "healthy"
		if a.hung {
			state = "hung"
		}
		out.Apps = append(out.Apps, appOut{Name: a.name, Timeout: a.timeout.Milliseconds(), State: state, Own: a.owner == h.Owner()})
	}
	return nil
}

// describe tells how the watchdog is.
func (d *Watchdog) describe(out *statusOut) {
	out.State = "disarmed"
	out.Watchdog, out.OnHang, out.CausedReset = hal.Some(d.id), hal.Some(d.board.OnHang.Or(onHangReset)), d.causedReset
	if d.armed {
		out.State, out.Timeout = "armed", hal.Some(d.timeout.Milliseconds())
	}
	if d.expiring {
		out.State = "expiring"
	}
}
