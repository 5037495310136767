package attack

import (
	"fmt"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/service/peer"
)

// exhausting are attacks that take what there is little of: connections, memory, and time.
var exhausting = []assault{
	{name: "more connections than one may have", run: connectMany},
	{name: "connections that come and go", run: comeAndGo},
	{name: "connections that go before they are accepted", run: goAtOnce},
	{name: "a byte now and then", run: trickle},
	{name: "messages that never end", run: neverEnd, unless: patient},
	{name: "no NUL in a gigabyte", run: endless},
	{name: "calls whose replies nobody reads", run: unread},
	{name: "long replies that nobody reads", run: unreadLong},
	{name: "long replies that are read a byte at a time", run: sip},
	{name: "watchers that never read", run: watchers},
	{name: "more watches than one may have", run: watchMany},
	{name: "claims that come and go", run: claims, unless: func(t *Target) string { return without(t.Claim, "a device to claim") }},
	{name: "a slow bus kept busy", run: slowBus, unless: func(t *Target) string { return without(t.Slow, "a slow bus") }},
}

// patient is for attacks that wait until the daemon loses patience.
func patient(t *Target) string {
	if t.Timeout > 2*time.Second {
		return fmt.Sprintf("the daemon waits %v here, which the attack would last, too", t.Timeout)
	}
	return ""
}

func without(call, what string) string {
	if call == "" {
		return "there is nothing here that would be " + what
	}
	return ""
}

// connectMany connects 5,000 times, or a tenth of that, and keeps as many as it can: all over the limit are told so and closed.
func connectMany(a *attacker) error {
	total, refused := 500, 0
	if a.Lasts >= long {
		total = 5000
	}
	for a.done < total || a.goOn() {
		r, err := a.dial(connections[a.done%2])
		if err != nil {
			if err != unix.EMFILE && err != unix.ECONNRESET {
				return err
			}
			a.closeAll()
			continue
		}
		a.done++
		reply, err := r.Call(a.Read)
		if err != nil && !over(err) {
			return err
		}
		if strings.Contains(reply, "LimitExceeded") {
			refused++
		}
	}
	if refused == 0 {
		return fmt.Errorf("none of %d connections was refused", a.done)
	}
	return nil
}

func comeAndGo(a *attacker) error {
	for a.goOn() {
		for _, kind := range connections {
			r, err := a.dial(kind)
			if err != nil {
				return err
			}
			if err := a.permitted(r); err != nil {
				return err
			}
			a.closeAll()
			a.done++
		}
	}
	return nil
}

// goAtOnce leaves calls behind in connections that are gone when they are accepted.
func goAtOnce(a *attacker) error {
	for a.goOn() {
		for range 50 {
			r, err := a.dial(connections[a.done%2])
			if err != nil {
				return err
			}
			if err := r.Write(a.Read); err != nil && !over(err) {
				return err
			}
			r.Close()
			a.done++
		}
		a.closeAll()
	}
	return nil
}

// trickle sends calls a byte at a time, on many connections.
func trickle(a *attacker) error {
	if err := a.dialMany(25); err != nil {
		return err
	}
	call := framed(peer.Stream, a.Read)
	for at := 0; a.goOn(); at++ {
		for i, r := range a.open {
			b := call[at%len(call) : at%len(call)+1]
			if i%2 == 1 {
				b = []byte("{")
			}
			if _, err := push(r, b); err != nil && err != unix.EAGAIN && !over(err) {
				return err
			}
			a.done++
		}
		time.Sleep(5 * time.Millisecond)
	}
	return nil
}

// neverEnd begins messages and goes on with them, a byte at a time, until the daemon has lost its patience with each.
func neverEnd(a *attacker) error {
	for range 40 {
		if _, err := a.dial(peer.Stream); err != nil {
			return err
		}
	}
	patience, left := time.Now().Add(a.Timeout+30*time.Second), len(a.open)
	for left > 0 {
		left = 0
		for _, r := range a.open {
			if _, err := push(r, []byte("{")); err == nil {
				left++
			} else if !over(err) {
				return err
			}
		}
		a.done++
		if time.Now().After(patience) {
			return fmt.Errorf("%d connections whose message does not end are open after %v", left, a.Timeout)
		}
		time.Sleep(20 * time.Millisecond)
	}
	return nil
}

// endless sends up to a gigabyte without a NUL. The daemon takes little more than one message of it.
func endless(a *attacker) error {
	block := make([]byte, 64<<10)
	for i := range block {
		block[i] = ' '
	}
	for a.goOn() {
		r, err := a.dial(peer.Stream)
		if err != nil {
			return err
		}
		sent := 0
		for sent < 1<<30 && err == nil {
			err = r.Send(block)
			sent += len(block)
		}
		if !over(err) || sent > 1<<20 {
			return fmt.Errorf("the daemon took %d bytes without an end, %v", sent, err)
		}
		said, err := closed(r)
		if err != nil || len(said) > 1 {
			return fmt.Errorf("got %.200q, %v", said, err)
		}
		if len(said) == 1 {
			if err := refusedAs(said[0], "io.halberd.MessageTooLarge"); err != nil {
				return err
			}
		}
		a.done++
		a.closeAll()
	}
	return nil
}

// fill sends a message on all connections until none takes any more, or each has taken most.
func (a *attacker) fill(call string, most int) error {
	for sent, full := 0, false; sent < most && !full; sent++ {
		full = true
		for i, r := range a.open {
			switch _, err := push(r, framed(connections[i%2], call)); {
			case err == nil:
				full = false
				a.done++
			case err != unix.EAGAIN && !over(err):
				return err
			}
		}
	}
	return nil
}

// unread makes calls, up to 100,000 on each of two connections, and reads no reply.
func unread(a *attacker) error {
	if err := a.dialMany(1); err != nil {
		return err
	}
	for a.goOn() {
		if err := a.fill(a.Read, 100_000); err != nil {
			return err
		}
		time.Sleep(time.Millisecond)
	}
	return nil
}

const getInfo = `{"method":"org.varlink.service.GetInterfaceDescription","parameters":{"interface":"io.halberd.Gpio"}}`

// unreadLong does so on as many connections as it may have, with replies that are long.
func unreadLong(a *attacker) error {
	if err := a.dialMany(30); err != nil {
		return err
	}
	for a.goOn() {
		if err := a.fill(getInfo, 10_000); err != nil {
			return err
		}
		time.Sleep(time.Millisecond)
	}
	return nil
}

// sip reads a byte of them now and then, which is progress.
func sip(a *attacker) error {
	if err := a.dialMany(30); err != nil {
		return err
	}
	buf := make([]byte, 1)
	for a.goOn() {
		if err := a.fill(getInfo, 200); err != nil {
			return err
		}
		for _, r := range a.open {
			_, _, err := unix.Recvfrom(r.FD, buf, unix.MSG_DONTWAIT)
			if err != nil && err != unix.EAGAIN && err != unix.EINTR && !over(err) {
				return err
			}
		}
		time.Sleep(time.Millisecond)
	}
	return nil
}

// watchers watch what changes all the time, and read nothing of it.
func watchers(a *attacker) error {
	if err := a.dialMany(30); err != nil {
		return err
	}
	for i, r := range a.open {
		if err := r.Send(framed(connections[i%2], a.Watch)); err != nil && !over(err) {
			return err
		}
	}
	r, err := a.dial(peer.Seqpacket)
	if err != nil {
		return err
	}
	for a.goOn() {
		for _, call := range a.Change {
			reply, err := r.Call(call)
			if err != nil || reply != `{"parameters":{}}` {
				return fmt.Errorf("%s: got %q, %v", call, reply, err)
			}
			a.done++
		}
	}
	return nil
}

// watchMany begins watches until it is refused, or on as many connections as it may have.
func watchMany(a *attacker) error {
	for a.goOn() {
		if err := a.dialMany(30); err != nil {
			return err
		}
		for _, r := range a.open {
			reply, err := r.Call(a.Watch)
			if over(err) || err == nil && reply == "" { // those of the round before are not gone yet, and there are too many
				continue
			}
			if err != nil {
				return err
			}
			if !strings.HasPrefix(reply, `{"parameters":`) && !strings.Contains(reply, "LimitExceeded") {
				return fmt.Errorf("got %s", reply)
			}
			a.done++
		}
		a.closeAll()
	}
	return nil
}

// claims takes a device and goes away with it.
func claims(a *attacker) error {
	for a.goOn() {
		r, err := a.dial(connections[a.done%2])
		if err != nil {
			return err
		}
		reply, err := r.Call(a.Claim)
		if err != nil || reply != `{"parameters":{}}` && !strings.Contains(reply, "Busy") {
			return fmt.Errorf("got %q, %v", reply, err)
		}
		a.done++
		a.closeAll()
	}
	return nil
}

// slowBus has calls wait for a bus on all its connections.
func slowBus(a *attacker) error {
	if err := a.dialMany(30); err != nil {
		return err
	}
	for a.goOn() {
		if err := a.fill(a.Slow, 100); err != nil {
			return err
		}
		for _, r := range a.open {
			if _, err := r.Read(); err != nil && !over(err) {
				return err
			}
		}
	}
	return nil
}
