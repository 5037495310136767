package service_test

import (
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/service/peer"
	"github.com/halberd-io/halberd/service/servicetest"
)

// clerk is a device that numbers the calls that it gets, over all uids, and can be made to hold up the loop.
type clerk struct {
	calls atomic.Int64
	held  chan struct{}
	goOn  chan struct{}
}

func newClerk() *clerk { return &clerk{held: make(chan struct{}), goOn: make(chan struct{})} }

type number struct{ n int64 }

func (m *number) Fields(f *hal.Fields) { f.Int("value", &m.n, hal.Unitless, "The call's number.") }

func (c *clerk) count(_ hal.Holder, _ *hal.None, out *number) error {
	out.n = c.calls.Add(1)
	return nil
}

func (c *clerk) hold(_ hal.Holder, _, _ *hal.None) error {
	c.held <- struct{}{}
	<-c.goOn
	return nil
}

func (c *clerk) driver() hal.Driver {
	return hal.Driver{Class: "Clerk", Open: func(*hal.Env) (*hal.Class, error) {
		return &hal.Class{Name: "Clerk", Doc: "Numbers calls.", Methods: []*hal.Method{
			hal.Plain(hal.Control, "Count", "Numbers a call.", c.count),
			hal.Plain(hal.Control, "Hold", "Holds everybody up.", c.hold),
		}}, nil
	}}
}

const countCall = `{"method":"io.halberd.Clerk.Count"}`

// anybody may call the clerk, whatever the uid.
const anybody = "[[grant]]\nid = \"all\"\nusers = [0, \"1-60000\", \"70000-4000000000\"]\nmethods = [\"io.halberd.*\"]\ndevices = [\"*\"]\n"

// whileHeld has a server's loop held up while prepare is done, so that everything that it sends is there at once.
func (c *clerk) whileHeld(t *testing.T, s *servicetest.Server, prepare func()) {
	t.Helper()
	r := s.MustDial(t, peer.Seqpacket)
	if err := r.Write(`{"method":"io.halberd.Clerk.Hold","oneway":true}`); err != nil {
		t.Fatal(err)
	}
	<-c.held
	prepare()
	c.goOn <- struct{}{}
}

// numberOf reads a reply of the clerk.
func numberOf(t *testing.T, r *servicetest.Raw) int64 {
	t.Helper()
	text, err := r.Read()
	if err != nil || !strings.HasPrefix(text, `{"parameters":{"value":`) {
		t.Fatalf("got %s, %v, want a number", text, err)
	}
	return parse(t, text).Parameters.Value
}

// crowd has connections of a uid, each of which was served once, and makes each send many calls.
type crowd struct {
	uid, connections int
	kind             peer.Transport
	calls            int
	raws             []*servicetest.Raw
}

func (c *crowd) dial(t *testing.T, s *servicetest.Server) {
	for range c.connections {
		r := s.DialAs(t, c.uid, c.kind)
		if err := r.Write(countCall); err != nil {
			t.Fatal(err)
		}
		numberOf(t, r)
		c.raws = append(c.raws, r)
	}
}

// flood sends the calls, without waiting for replies. What the socket does not take is left out.
func (c *crowd) flood(t *testing.T) {
	for _, r := range c.raws {
		if err := unix.SetNonblock(r.FD, true); err != nil {
			t.Fatal(err)
		}
		if c.kind == peer.Stream {
			_ = r.Send([]byte(strings.Repeat(countCall+"\x00", c.calls)))
			continue
		}
		for range c.calls {
			if r.Write(countCall) != nil {
				break
			}
		}
	}
}

// drain reads what there is of the replies.
func (c *crowd) drain(t *testing.T) {
	buf := make([]byte, 64<<10)
	for _, r := range c.raws {
		for {
			if n, err := unix.Read(r.FD, buf); err == unix.EAGAIN {
				break
			} else if err != nil && err != unix.EINTR || n == 0 {
				t.Fatalf("read %d: %v", n, err)
			}
		}
	}
}

// TestOneCallAmongMany: whoever else has however many calls waiting, on however many connections, the single call of another uid waits for 32 of them at
// most, or for one of each uid where there are more.
func TestOneCallAmongMany(t *testing.T) {
	for _, row := range []struct {
		name                    string
		uids, connections, most int
		kind                    peer.Transport
	}{
		{"64 streams of one uid", 1, 64, 33, peer.Stream},
		{"64 connections for packets of one uid", 1, 64, 33, peer.Seqpacket},
		{"30 streams of each of 8 uids", 8, 30, 33, peer.Stream},
		{"60 connections for packets of each of 12 uids", 12, 60, 97, peer.Seqpacket}, // no round sees more than 256 of them
		{"one stream of each of 100 uids", 100, 1, 101, peer.Stream},
	} {
		for _, kind := range []peer.Transport{peer.Stream, peer.Seqpacket, peer.Datagram} {
			t.Run(row.name+", a call on "+kind.String(), func(t *testing.T) {
				c := newClerk()
				s := servicetest.Start(t, anybody, servicetest.WithDrivers(c.driver()))
				var crowds []*crowd
				for i := range row.uids {
					crowds = append(crowds, &crowd{uid: 2000 + i, connections: row.connections, kind: row.kind, calls: 100})
					crowds[i].dial(t, s)
				}
				single := s.DialAs(t, 1000, kind)
				call := func() {
					servicetest.AsUID(t, 1000, func() {
						if err := single.Write(countCall); err != nil {
							t.Fatal(err)
						}
					})
				}
				call()
				numberOf(t, single)
				before := int64(0)
				c.whileHeld(t, s, func() {
					for _, crowd := range crowds {
						crowd.flood(t)
					}
					call()
					before = c.calls.Load()
				})
				if waited := numberOf(t, single) - before; waited > int64(row.most) {
					t.Errorf("it was served after %d others, want no more than %d", waited-1, row.most-1)
				}
			})
		}
	}
}

// TestDatagramAmongMany: a datagram does not wait for those of another uid that stand before it in the kernel's queue, beyond that uid's share.
func TestDatagramAmongMany(t *testing.T) {
	c := newClerk()
	s := servicetest.Start(t, anybody, servicetest.WithDrivers(c.driver()))
	busy := &crowd{uid: 2000, connections: 64, kind: peer.Stream, calls: 100}
	busy.dial(t, s)
	flooder, single := s.MustDial(t, peer.Datagram), s.MustDial(t, peer.Datagram)
	before := int64(0)
	c.whileHeld(t, s, func() {
		busy.flood(t)
		servicetest.AsUID(t, 2001, func() {
			for range 9 { // the kernel's queue has 11 places
				if err := flooder.Write(countCall); err != nil {
					t.Fatal(err)
				}
			}
		})
		servicetest.AsUID(t, 1000, func() {
			if err := single.Write(countCall); err != nil {
				t.Fatal(err)
			}
		})
		before = c.calls.Load()
	})
	if waited := numberOf(t, single) - before; waited > 33 {
		t.Errorf("it was served after %d others, want no more than 32", waited-1)
	}
	for range 9 {
		numberOf(t, flooder)
	}
}

// TestDatagramFlood: while a uid floods, another uid's datagrams are answered.
func TestDatagramFlood(t *testing.T) {
	c := newClerk()
	s := servicetest.Start(t, anybody, servicetest.WithDrivers(c.driver()))
	servicetest.SkipUnlessRoot(t)
	busy := &crowd{uid: 2000, connections: 8, kind: peer.Stream, calls: 200}
	busy.dial(t, s)
	stop, stopped := make(chan struct{}), make(chan int)
	for range 4 {
		flooder := s.MustDial(t, peer.Datagram)
		go func() {
			n := 0
			defer func() { stopped <- n }()
			for {
				select {
				case <-stop:
					return
				default:
				}
				if flooder.Write(`{"method":"io.halberd.Clerk.Count","oneway":true}`) != nil {
					return
				}
				n++
			}
		}()
	}
	single := s.MustDial(t, peer.Datagram)
	for range 100 {
		busy.flood(t)
		servicetest.AsUID(t, 1000, func() {
			if err := single.Write(countCall); err != nil {
				t.Fatal(err)
			}
		})
		numberOf(t, single)
		busy.drain(t)
	}
	close(stop)
	for range 4 {
		if <-stopped == 0 {
			t.Error("a flooder got nothing through")
		}
	}
}

// TestShares: a uid with 64 connections gets no more than one with a single one does, as long as both have calls waiting.
func TestShares(t *testing.T) {
	for _, row := range []struct {
		name              string
		uids, connections int
		kind              peer.Transport
	}{
		{"64 streams", 1, 64, peer.Stream},
		{"32 streams of each of 3 uids", 3, 32, peer.Stream},
		{"64 connections for packets", 1, 64, peer.Seqpacket},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := newClerk()
			s := servicetest.Start(t, anybody, servicetest.WithDrivers(c.driver()))
			const calls = 1000
			crowds := []*crowd{{uid: 1000, connections: 1, kind: peer.Stream, calls: calls}}
			for i := range row.uids {
				crowds = append(crowds, &crowd{uid: 2000 + i, connections: row.connections, kind: row.kind, calls: 3000})
			}
			for _, crowd := range crowds {
				crowd.dial(t, s)
			}
			before := c.calls.Load()
			c.whileHeld(t, s, func() {
				for _, crowd := range crowds {
					crowd.flood(t)
				}
			})
			single := crowds[0].raws[0]
			if err := unix.SetNonblock(single.FD, false); err != nil {
				t.Fatal(err)
			}
			last := int64(0)
			for range calls {
				last = numberOf(t, single)
			}
			got, fair := last-before-calls, int64(row.uids*calls)
			t.Logf("%d calls of the others were carried out meanwhile", got)
			if got > fair*5/4 {
				t.Errorf("while a uid had %d calls carried out, the others had %d, want about %d", calls, got, fair)
			}
		})
	}
}

// TestBusAmongMany: a uid that has as many calls waiting for a bus as it may leaves room for another one's.
func TestBusAmongMany(t *testing.T) {
	d := &slow{id: "hanging", bus: "i2c-1", release: make(chan error)}
	s := servicetest.Start(t, anybody, servicetest.WithDrivers(slowDriver(d)))
	const wait = `{"method":"io.halberd.Slow.Wait","parameters":{"device":"hanging"}}`
	var many []*servicetest.Raw
	for i := range 64 {
		r := s.DialAs(t, 2000, connectionKind(i))
		if err := r.Write(wait); err != nil {
			t.Fatal(err)
		}
		many = append(many, r)
	}
	const busy = `{"error":"io.halberd.Busy","parameters":{"class":"Slow","device":"hanging"}}`
	if got, err := many[63].Read(); got != busy || err != nil {
		t.Fatalf("the last of many: got %s, %v, want %s", got, err, busy)
	}
	single := s.DialAs(t, 1000, peer.Seqpacket)
	if err := single.Write(wait); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		for {
			select {
			case d.release <- nil:
			case <-stop:
				return
			}
		}
	}()
	if got, err := single.Read(); got != `{"parameters":{}}` || err != nil {
		t.Errorf("another uid: got %s, %v", got, err)
	}
}
