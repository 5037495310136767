package hal

import "github.com/halberd-io/halberd/hal/wire"

// Method is one operation of a class: io.halberd.<Class>.<Name>. It is declared once, by On, OnMany, OnValues, Plain, Watch or Stream, beside its handler.
type Method struct {
	Name string
	Doc  string
	Verb Verb
	// Watches is true where `more` asks for changes after the current state.
	Watches bool
	// NeedsConnection is true for a method that datagrams do not offer: it returns a descriptor, or what it does ends with the connection.
	NeedsConnection bool
	// PassesFiles is true for a method whose reply has descriptors.
	PassesFiles bool
	// Later is true for a method that is answered once everything it started is done.
	Later bool
	// Device is the parameter that names the device, an array of them, or a map of which they are the keys; "" for a method without.
	Device string
	// In and Out are the fields of the parameters, the device's first, and of the results.
	In, Out []Field
	// Class, Interface and Index are filled in when the class is registered: "Led", "io.halberd.Led", and a number of its own.
	Class, Interface string
	Index            int

	make func() *operation
	free []*Call
}

// FullName is the name on the wire.
func (m *Method) FullName() string { return m.Interface + "." + m.Name }

// Finds reports whether a call of the method may name a device: one of another kind of the class is none to it.
func (m *Method) Finds(id string) bool { return m.make().finds(id) }

// Holder stands for who called, opaquely: classes compare it and learn when it ends, and nothing else. What stands for a datagram is somebody else once its call is answered.
type Holder interface {
	// Ended calls f on the loop once, when the holder's connection has ended, unless stopped before.
	Ended(f func()) (stop func())
	// Owner stands for the user behind the holder.
	Owner() Owner
}

// Owner stands for a user, opaquely: it is the same on every connection and for every datagram of one user, also after a restart of the machine, and another one for every other user. It is
// text so that it can be kept in a file, and be read by an administrator in a log; a class compares it and reads nothing out of it.
type Owner string

// declare makes a Method of its operation.
func declare(verb Verb, name, doc, device string, newOp func() *operation) *Method {
	op := newOp()
	in, out := Fields{mode: describing}, Fields{mode: describing}
	op.params(&in)
	op.results(&out)
	passes := passesFiles(out.declared)
	return &Method{Name: name, Doc: doc, Verb: verb, Device: device, In: in.declared, Out: out.declared, PassesFiles: passes, NeedsConnection: passes, make: newOp}
}

// messageOf is a Message that is a pointer to T.
type messageOf[T any] interface {
	*T
	Message
}

// On declares a method on one device: run gets the device that the caller named, and was permitted.
func On[D Device, P, R any, PP messageOf[P], PR messageOf[R]](set Finder[D], verb Verb, name, doc string, run func(D, *P, *R) error) *Method {
	return declare(verb, name, doc, set.Param(), func() *operation {
		o, in, out := newOperation[P, R, PP, PR](finding[D]{set}, set.Param())
		o.run = func(Holder) error { return run(o.targets[0].dev.(D), in, out) }
		return o
	})
}

// OnHeld declares a method on one device whose effect belongs to who calls: run gets the holder, too.
func OnHeld[D Device, P, R any, PP messageOf[P], PR messageOf[R]](set Finder[D], verb Verb, name, doc string, run func(D, Holder, *P, *R) error) *Method {
	return declare(verb, name, doc, set.Param(), func() *operation {
		o, in, out := newOperation[P, R, PP, PR](finding[D]{set}, set.Param())
		o.run = func(h Holder) error { return run(o.targets[0].dev.(D), h, in, out) }
		return o
	})
}

// OnLater declares a method on one device that is answered later: start is called on the loop, also for a device on a slow bus, and calls done on the loop, once, at once or later.
func OnLater[D Device, P, R any, PP messageOf[P], PR messageOf[R]](set Finder[D], verb Verb, name, doc string, start func(d D, h Holder, in *P, out *R, done func(error))) *Method {
	return declareLater(verb, name, doc, set.Param(), func() *operation {
		o, in, out := newOperation[P, R, PP, PR](finding[D]{set}, set.Param())
		o.begin = func(h Holder, done func(error)) { start(o.targets[0].dev.(D), h, in, out, done) }
		return o
	})
}

// OnMany declares a method on several devices, each named once, all or none permitted.
func OnMany[D Device, P, R any, PP messageOf[P], PR messageOf[R]](set Finder[D], verb Verb, name, doc string, run func([]D, *P, *R) error) *Method {
	return declare(verb, name, doc, plural(set.Param()), func() *operation {
		o, in, out := newOperation[P, R, PP, PR](finding[D]{set}, plural(set.Param()))
		o.many, o.run = true, func(Holder) error { return run(devicesOf[D](o), in, out) }
		return o
	})
}

// OnManyLater declares a method on several devices that is answered later, as OnLater does.
func OnManyLater[D Device, P, R any, PP messageOf[P], PR messageOf[R]](set Finder[D], verb Verb, name, doc string, start func(d []D, h Holder, in *P, out *R, done func(error))) *Method {
	return declareLater(verb, name, doc, plural(set.Param()), func() *operation {
		o, in, out := newOperation[P, R, PP, PR](finding[D]{set}, plural(set.Param()))
		o.many, o.begin = true, func(h Holder, done func(error)) { start(devicesOf[D](o), h, in, out, done) }
		return o
	})
}

// Plain declares a method without a device.
func Plain[P, R any, PP messageOf[P], PR messageOf[R]](verb Verb, name, doc string, run func(Holder, *P, *R) error) *Method {
	return declare(verb, name, doc, "", func() *operation {
		o, in, out := newOperation[P, R, PP, PR](nil, "")
		o.run = func(h Holder) error { return run(h, in, out) }
		return o
	})
}

// Later declares a method without a device that is answered later: start does not wait, and done is called on the loop, once, at once or later, when the results
// stand in out.
func Later[P, R any, PP messageOf[P], PR messageOf[R]](verb Verb, name, doc string, start func(h Holder, in *P, out *R, done func(error))) *Method {
	return declareLater(verb, name, doc, "", func() *operation {
		o, in, out := newOperation[P, R, PP, PR](nil, "")
		o.begin = func(h Holder, done func(error)) { start(h, in, out, done) }
		return o
	})
}

func declareLater(verb Verb, name, doc, device string, newOp func() *operation) *Method {
	m := declare(verb, name, doc, device, func() *operation {
		o := newOp()
		o.run = func(Holder) error { return errLater }
		return o
	})
	m.Later = true
	return m
}

// Watch declares a method that reports several devices and their changes. state reads the current state of one device. start calls
// emit for each change of a device from then on, on the loop's goroutine, until it is stopped.
func Watch[D Device, P, R any, PP messageOf[P], PR messageOf[R]](set Finder[D], verb Verb, name, doc string,
	state func(D, *P, *R) error, start func(d D, in *P, emit func(*R)) (stop func(), err error)) *Method {
	return Follow[D, P, R, PP, PR](set, verb, name, doc, state, func(d D, in *P, w *Watcher[R]) (func(), error) {
		return start(d, in, w.Emit)
	})
}

// Follow declares a Watch of devices that can go away while they are watched: start gets a Watcher, which can also end the watch.
func Follow[D Device, P, R any, PP messageOf[P], PR messageOf[R]](set Finder[D], verb Verb, name, doc string,
	state func(D, *P, *R) error, start func(d D, in *P, w *Watcher[R]) (stop func(), err error)) *Method {
	m := declare(verb, name, doc, plural(set.Param()), func() *operation {
		o, in, out := newOperation[P, R, PP, PR](finding[D]{set}, plural(set.Param()))
		o.many, o.events = true, true
		o.run = func(Holder) error {
			return o.alone(func() error { return state(o.targets[0].dev.(D), in, out) })
		}
		o.watch = func(s *Session) error { return follow[D, P, R, PR](o, s, in, state, start) }
		return o
	})
	m.Watches = true
	return m
}

// Call is one decoded call. It belongs to the loop's goroutine, but for Permitted.Run, and is used again after Release.
type Call struct {
	Method *Method
	fields Fields
	op     *operation
}

// Decode reads and checks the parameters of a call and resolves the devices that they name. The error is an *InvalidParameter; then there is nothing to release.
func (m *Method) Decode(parameters wire.Value) (*Call, error) {
	c := m.call()
	c.fields.open(parameters)
	c.op.params(&c.fields)
	if err := c.fields.finish(); err != nil {
		c.Release()
		return nil, err
	}
	return c, nil
}

func (m *Method) call() *Call {
	if n := len(m.free); n > 0 {
		c := m.free[n-1]
		m.free = m.free[:n-1]
		return c
	}
	return &Call{Method: m, op: m.make()}
}

// Release gives the call's memory back for the next one.
func (c *Call) Release() {
	c.op.reset()
	c.fields = Fields{}
	if len(c.Method.free) < 64 {
		c.Method.free = append(c.Method.free, c)
	}
}

// Devices is how many devices the call names.
func (c *Call) Devices() int { return len(c.op.targets) }

// DeviceID is the ID of the i-th device that the call names, whether there is such a device or not.
func (c *Call) DeviceID(i int) string { return c.op.targets[i].id }

// Examine shows the parameters to a grant's limits.
func (c *Call) Examine(e Examiner) {
	c.fields.mode, c.fields.examiner = examining, e
	c.op.params(&c.fields)
	c.fields.examiner = nil
}

// Gate decides whether a call may be carried out: nil, or the refusal.
type Gate interface {
	Permit(*Call) error
}

// Permitted is a call that passed the gate. There is no other way to make one, and no other way to run a call.
type Permitted struct{ call *Call }

// Authorise asks the gate. Only then is it said that a device does not exist, or not any more.
func (c *Call) Authorise(g Gate) (Permitted, error) {
	if err := g.Permit(c); err != nil {
		return Permitted{}, err
	}
	for _, t := range c.op.targets {
		if t.dev == nil {
			return Permitted{}, c.op.set.Missing(t.id)
		}
	}
	return Permitted{c}, nil
}

// Bus names the bus whose worker has to run the call; "" for a call that runs on the loop. Devices on several such buses are refused: while one of them hung, the others' worker would
// wait for it.
func (p Permitted) Bus() (string, error) {
	bus := ""
	for _, t := range p.call.op.targets {
		switch b := t.dev.Bus(); {
		case b == "" || b == bus:
		case bus == "":
			bus = b
		default:
			return "", &InvalidParameter{Parameter: p.call.Method.Device, What: "names devices on several slow buses, " + bus + " and " + b + ": make a call for each"}
		}
	}
	return bus, nil
}

// Beside lists the IDs of the devices that the call changes from a bus's worker though they are on no bus: with others that are. Such a device can become somebody's while the call waits.
func (p Permitted) Beside(bus string) (ids []string) {
	if bus == "" || p.call.Method.Verb == Observe {
		return nil
	}
	for _, t := range p.call.op.targets {
		if t.dev.Bus() == "" {
			ids = append(ids, t.id)
		}
	}
	return ids
}

// Run carries the call out. It may block where Bus is not "".
func (p Permitted) Run(h Holder) error { return p.call.op.run(h) }

// Start begins a call whose method is answered Later: done is called on the loop, once, before Start returns or later.
func (p Permitted) Start(h Holder, done func(error)) { p.call.op.begin(h, done) }

// Reply appends the results of a call that ran.
func (p Permitted) Reply(dst []byte) []byte {
	c := p.call
	c.fields.mode, c.fields.out = encoding, append(dst, '{')
	c.op.results(&c.fields)
	dst = append(c.fields.out, '}')
	c.fields.out = nil
	return dst
}
