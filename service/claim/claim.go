// Package claim knows who has which device for itself.
//
// A claim belongs to a connection. While it lasts, nobody else changes the device; when it ends, whatever ends it, the device goes to its on-release state, and it is free for others only
// once that is written.
package claim

import (
	"log/slog"
	"time"

	"github.com/halberd-io/halberd/hal"
)

// Holder is a connection that can hold devices. For Blocker it may be a datagram, too.
type Holder interface {
	hal.Holder
	UID() uint32
}

// Device is a device of any class.
type Device struct {
	hal.Device
	Class string
}

// Name is the device as Class/ID.
func (d Device) Name() string { return d.Class + "/" + d.ID() }

// Hold is one device that is held.
type Hold struct {
	Device Device
	Holder Holder // nil for what a connection held that was lost with the process before
	UID    uint32
	Since  time.Time

	release func() error // nil where nothing is to be done
	account uint32       // whom it counts for
	ready   bool         // Claim of the device has answered
	ending  bool
	freed   []func() // who waits for its end
}

// Ending reports whether the device is on its way to its on-release state: then it is nobody's.
func (h *Hold) Ending() bool { return h.ending }

// Book is all that is held. It belongs to the loop's goroutine.
type Book struct {
	loop    hal.Loop
	log     *slog.Logger
	limit   int // devices an account may hold
	account func(uid uint32) uint32
	changed func(h *Hold, held bool)
	keeper  hal.Keeper // nil where nothing outlives the process

	holds   map[string]*Hold // by Class/ID
	holders map[Holder]func()
	held    map[uint32]int // by account
	late    map[string]int // calls on their way that change a device behind its back, by Class/ID
	closed  bool
}

// New makes an empty book. The uids of one account may hold limit devices; changed is called when a device is held, and when it is free again.
func New(loop hal.Loop, log *slog.Logger, limit int, account func(uid uint32) uint32, keeper hal.Keeper, changed func(h *Hold, held bool)) *Book {
	return &Book{loop: loop, log: log, limit: limit, account: account, keeper: keeper, changed: changed, holds: map[string]*Hold{}, holders: map[Holder]func(){}, held: map[uint32]int{}, late: map[string]int{}}
}

// Blocker is the hold that keeps somebody from changing a device, or nil. A device that is on its way to its on-release state is nobody's.
func (b *Book) Blocker(h Holder, class, id string) *Hold {
	if len(b.holds) == 0 {
		return nil
	}
	held := b.holds[class+"/"+id]
	switch {
	case held == nil:
		return nil
	case held.ending:
		return held
	case held.Holder == h, held.Holder == nil && held.UID == h.UID():
		return nil
	}
	return held
}

// Late notes that a call which is on its way changes a device though what has to do with the device does not wait for it: the call waits for the bus of another device. What it gives is to be called when the call
// is over. Until then nobody can take the device, and it does not go to its on-release state.
func (b *Book) Late(class, id string) (over func()) {
	name := class + "/" + id
	b.late[name]++
	return func() {
		if b.late[name]--; b.late[name] == 0 {
			delete(b.late, name)
		}
	}
}

// IsLate reports whether there is such a call.
func (b *Book) IsLate(name string) bool { return b.late[name] > 0 }

// All lists what is held, in no order.
func (b *Book) All() []*Hold {
	all := make([]*Hold, 0, len(b.holds))
	for _, h := range b.holds {
		all = append(all, h)
	}
	return all
}

// Of is the hold on a device, or nil.
func (b *Book) Of(name string) *Hold { return b.holds[name] }

// Take gives devices to a holder, all or none, and answers once they are its. What it has already it keeps.
func (b *Book) Take(h Holder, devices []Device, done func(error)) {
	var wanted []Device
	var lost []*Hold
	for _, d := range devices {
		if other := b.Blocker(h, d.Class, d.ID()); other != nil {
			done(&Taken{other})
			return
		}
		if held := b.holds[d.Name()]; held == nil {
			if b.IsLate(d.Name()) {
				done(hal.BusyDevice(d.Class, d.ID(), ""))
				return
			}
			wanted = append(wanted, d)
		} else if held.Holder == nil {
			lost = append(lost, held)
		}
	}
	if b.held[b.account(h.UID())]+len(wanted) > b.limit {
		done(&hal.LimitExceeded{Limit: "claimed-devices-per-uid", Maximum: int64(b.limit)})
		return
	}
	for _, held := range lost {
		b.adopt(h, held)
	}
	t := &taking{book: b, done: done, left: len(wanted)}
	for _, d := range wanted {
		t.holds = append(t.holds, b.add(h, d))
	}
	t.settle()
	for _, held := range t.holds {
		t.begin(held)
	}
}

// Taken says that somebody else holds the device.
type Taken struct{ By *Hold }

// Error names the device.
func (e *Taken) Error() string { return e.By.Device.Name() + " is held by somebody else" }

func (b *Book) add(h Holder, d Device) *Hold {
	held := &Hold{Device: d, Holder: h, UID: h.UID(), Since: time.Now(), account: b.account(h.UID())}
	b.holds[d.Name()] = held
	b.held[held.account]++
	b.follow(h)
	return held
}

// follow ends what a holder has when it ends.
func (b *Book) follow(h Holder) {
	if b.holders[h] == nil {
		b.holders[h] = h.Ended(func() { b.End(h) })
	}
}

// taking is one Take on its way: each device tells what brings it to its on-release state.
type taking struct {
	book  *Book
	holds []*Hold
	left  int
	err   error
	done  func(error)
}

func (t *taking) begin(held *Hold) {
	var err error
	ask := func() {
		if d, ok := held.Device.Device.(hal.Claimable); ok {
			held.release, err = d.Claim()
		}
	}
	t.book.run(held.Device, ask, func(full error) {
		if full != nil {
			err = hal.BusyDevice(held.Device.Class, held.Device.ID(), "")
		}
		t.took(held, hal.Refuse(held.Device.Class, held.Device.ID(), err))
	})
}

// run does a job where calls of a device run, and says when it is done, or that there is no room for it.
func (b *Book) run(d Device, job func(), done func(full error)) {
	if d.Bus() == "" {
		job()
		done(nil)
	} else if err := b.loop.Submit(d.Bus(), job, func() { done(nil) }); err != nil {
		done(err)
	}
}

// took notes one answer. A hold that ended meanwhile is let go now.
func (t *taking) took(held *Hold, err error) {
	held.ready = true
	t.left--
	if err != nil && t.err == nil {
		t.err = err
	}
	if held.ending {
		t.book.letGo(held)
	}
	t.settle()
}

// settle answers once all is known. After an error everything is as it was: nobody changed anything meanwhile.
func (t *taking) settle() {
	if t.left > 0 || t.done == nil {
		return
	}
	done := t.done
	t.done = nil
	for _, held := range t.holds {
		switch {
		case held.ending:
		case t.err != nil:
			t.book.forget(held)
		default:
			t.book.remember(held)
			t.book.changed(held, true)
		}
	}
	done(t.err)
}

// Drop ends a holder's holds on devices. What it does not hold does no harm. It answers once they are free.
func (b *Book) Drop(h Holder, names []string, done func()) {
	d := &dropping{left: 1, done: done} // one for the loop below: a device may be free at once
	for _, name := range names {
		if held := b.holds[name]; held != nil && held.Holder == h {
			d.add(b, held)
		}
	}
	d.ended()
}

// dropping waits for several holds to end.
type dropping struct {
	left int
	done func()
}

func (d *dropping) add(b *Book, held *Hold) {
	d.left++
	b.Free(held, d.ended)
}

func (d *dropping) ended() {
	if d.left--; d.left == 0 {
		d.done()
	}
}

// Close lets nothing be written any more: when the daemon ends, what is held stays as it is.
func (b *Book) Close() { b.closed = true }

// End ends all holds of a holder.
func (b *Book) End(h Holder) {
	if b.closed {
		return
	}
	delete(b.holders, h)
	for _, held := range b.All() {
		if held.Holder == h {
			b.Free(held, func() {})
		}
	}
}

// Free ends one hold, and answers once the device is free.
func (b *Book) Free(held *Hold, done func()) {
	held.freed = append(held.freed, done)
	if held.ending {
		return
	}
	held.ending = true
	if held.ready {
		b.letGo(held)
	}
}

// Retry is how long a device waits whose bus's worker has too much to do, or that a late call changes.
const Retry = 10 * time.Millisecond

// letGo brings a device to its on-release state, and then frees it.
func (b *Book) letGo(held *Hold) {
	if held.release == nil {
		b.free(held)
		return
	}
	if b.IsLate(held.Device.Name()) {
		b.loop.After(Retry, func() { b.letGo(held) })
		return
	}
	var err error
	b.run(held.Device, func() { err = held.release() }, func(full error) {
		if full != nil {
			b.loop.After(Retry, func() { b.letGo(held) })
			return
		}
		if err != nil {
			b.log.Error("cannot bring a device to its on-release state", "device", held.Device.Name(), "error", err)
		}
		b.free(held)
	})
}

func (b *Book) free(held *Hold) {
	b.forget(held)
	b.changed(held, false)
	for _, done := range held.freed {
		done()
	}
}

func (b *Book) forget(held *Hold) {
	delete(b.holds, held.Device.Name())
	if b.held[held.account]--; b.held[held.account] == 0 {
		delete(b.held, held.account)
	}
	if b.keeper != nil {
		b.keeper.Drop(kept(held.Device.Name()))
	}
}
