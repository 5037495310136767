package gpio

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"
	"unsafe"

	gpiocdev "github.com/warthog618/go-gpiocdev/uapi"
	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sim"
	"github.com/halberd-io/halberd/hal/uapi"
)

// oracle sees every change of a line at the simulated chip, and knows nothing else of the class.
type oracle struct {
	mu      sync.Mutex
	pins    map[string]*pin // by their names at the chip
	locks   []oracleLock
	trace   []string // of the last changes
	wrong   string   // the first violation
	changes int
}

// pin is a line as it is.
type pin struct {
	name  string
	low   bool // active-low
	value int  // logical
	off   time.Time
	rises int
}

type oracleLock struct {
	name string
	most int
	dead time.Duration
	pins []*pin
}

// at1 reports whether a pin is at 1, or may still be where the hardware takes the dead time to follow.
func (i *oracleLock) at1(p *pin) bool { return p.value == 1 || time.Since(p.off) < i.dead }

func (o *oracle) see(line string, level int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	p := o.pins[line]
	if p == nil {
		return
	}
	p.value = level
	if p.low {
		p.value = 1 - level
	}
	o.changes++
	o.note(fmt.Sprintf("%s=%d", p.name, p.value))
	if p.value == 0 {
		p.off = time.Now()
		return
	}
	p.rises++
	for i := range o.locks {
		o.judge(&o.locks[i], p)
	}
}

// judge looks at an interlock when one of its lines went to 1.
func (o *oracle) judge(i *oracleLock, p *pin) {
	if !slices.Contains(i.pins, p) || o.wrong != "" {
		return
	}
	var others []string
	for _, other := range i.pins {
		if other != p && i.at1(other) {
			others = append(others, fmt.Sprintf("%s=%d, at 0 for %v", other.name, other.value, time.Since(other.off)))
		}
	}
	if len(others) >= i.most {
		o.wrong = fmt.Sprintf("%s went to 1, and %s permits %d with a dead time of %v: %s", p.name, i.name, i.most, i.dead, strings.Join(others, "; ")) +
			"\n" + strings.Join(o.trace, "\n")
	}
}

// note keeps the latest.
func (o *oracle) note(what string) {
	if len(o.trace) == 60 {
		o.trace = o.trace[1:]
	}
	o.trace = append(o.trace, fmt.Sprintf("%9.3f %s", float64(time.Now().UnixMicro()%1e9)/1e3, what))
}

// Note keeps what else happened.
func (o *oracle) Note(what string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.note(what)
}

// begin is the start of the daemon: what is at 0 counts as if it just went there.
func (o *oracle) begin() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.note("start")
	for _, p := range o.pins {
		if p.value == 0 {
			p.off = time.Now()
		}
	}
}

// gone is the end of chips: what was at 1 is switched off by it.
func (o *oracle) gone(what string, names []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.note(what)
	for _, name := range names {
		if p := o.pins[name]; p != nil && p.value == 1 {
			p.value, p.off = 0, time.Now()
		}
	}
}

func (o *oracle) verdict() (wrong string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.wrong
}

// unruly is the kernel as one process sees it: chips on buses are slow, a write fails now and then, before or after it was done, and once the process was killed nothing is done any more.
type unruly struct {
	*sim.Kernel
	faults int // one in so many; 0 for none

	mu     sync.Mutex
	open   map[int]string // the name of the chip of each descriptor
	killed bool
}

func (k *unruly) Open(path string, flags int) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	fd, err := k.Kernel.Open(path, flags)
	if err == nil {
		k.open[fd] = path
	}
	return fd, err
}

func (k *unruly) Close(fd int) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.killed {
		return unix.EBADF
	}
	delete(k.open, fd)
	return k.Kernel.Close(fd)
}

// kill closes all that is open, as the kernel does when a process ends.
func (k *unruly) kill() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.killed = true
	for fd := range k.open {
		_ = k.Kernel.Close(fd)
	}
}

// lose makes what is open of a chip that was unplugged answer at once.
func (k *unruly) lose(path string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for fd, of := range k.open {
		if of == path {
			k.open[fd] = "gone"
		}
	}
}

func (k *unruly) Ioctl(fd int, request uint, argument unsafe.Pointer) error {
	k.mu.Lock()
	chip := k.open[fd]
	k.mu.Unlock()
	transfer(chip)
	defer transfer(chip)
	fault, before := false, true
	switch request {
	case uapi.GPIOGetLine:
		fault = k.faults > 0 && rand.IntN(k.faults) == 0
	case uapi.GPIOLineSetValues, uapi.GPIOLineSetConfig:
		fault, before = k.faults > 0 && rand.IntN(k.faults) == 0, rand.IntN(2) == 0
	}
	if fault && before {
		return unix.EIO
	}
	if err := k.ioctl(fd, request, argument); err != nil || !fault {
		return err
	}
	return unix.EIO
}

func (k *unruly) ioctl(fd int, request uint, argument unsafe.Pointer) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.killed {
		return unix.ENODEV
	}
	err := k.Kernel.Ioctl(fd, request, argument)
	if err == nil && request == uapi.GPIOGetLine {
		k.open[int((*gpiocdev.LineRequest)(argument).Fd)] = k.open[fd]
	}
	return err
}

// transfer is half of the time that a call takes on a slow bus.
func transfer(chip string) {
	if chip == "/dev/gpiochip1" || chip == "/dev/gpiochip2" {
		time.Sleep(time.Duration(rand.IntN(1500)) * time.Microsecond)
	}
}

// bubble is a hal.Loop in the simulated time of testing/synctest, with workers that really run at the same time.
type bubble struct {
	mu     sync.Mutex
	posted []func()
	wake   chan struct{}
	quit   chan struct{}

	workers map[string]chan job // the loop's
	pending int                 // jobs that are not done; the loop's
}

type job struct{ run, done func() }

func newBubble() *bubble {
	l := &bubble{wake: make(chan struct{}, 1), quit: make(chan struct{}), workers: map[string]chan job{}}
	go l.run()
	return l
}

func (l *bubble) run() {
	for {
		l.mu.Lock()
		batch := l.posted
		l.posted = nil
		l.mu.Unlock()
		for _, f := range batch {
			f()
		}
		if len(batch) > 0 {
			continue
		}
		select {
		case <-l.wake:
		case <-l.quit:
			for _, w := range l.workers {
				close(w)
			}
			return
		}
	}
}

// end ends the loop, and its workers after what they are at.
func (l *bubble) end() { close(l.quit) }

func (l *bubble) Post(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.posted = append(l.posted, f)
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Do runs f on the loop and waits for it, unless the loop has ended.
func (l *bubble) Do(f func()) {
	done := make(chan struct{})
	l.Post(func() { f(); close(done) })
	select {
	case <-done:
	case <-l.quit:
	}
}

func (l *bubble) After(d time.Duration, f func()) (stop func()) {
	stopped := false
	timer := time.AfterFunc(d, func() {
		l.Post(func() {
			if !stopped {
				stopped = true
				f()
			}
		})
	})
	return func() {
		stopped = true
		timer.Stop()
	}
}

func (l *bubble) Submit(bus string, run, done func()) error {
	w := l.workers[bus]
	if w == nil {
		w = make(chan job, 64)
		l.workers[bus] = w
		go func() {
			for j := range w {
				j.run()
				l.Post(func() { l.pending--; j.done() })
			}
		}()
	}
	select {
	case w <- job{run, done}:
		l.pending++
		return nil
	default:
		return hal.BusyDevice(class, bus, "")
	}
}

func (*bubble) Poll(int, func()) error { return nil }
func (*bubble) Unpoll(int)             {}
