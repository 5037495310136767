package audit

import (
	"container/list"
	"time"
)

const (
	burst     = 10
	interval  = time.Second
	maxUIDs   = 1024
	maxBlocks = 64
)

// rate is how many records there may be at once, and how long one more takes.
type rate struct {
	burst    int
	interval time.Duration
}

// budget is what may still be written of one kind.
type budget struct {
	rate
	left    int
	since   time.Time // left is as of then
	omitted int       // that no record has told of yet
}

// earn adds what time has brought.
func (b *budget) earn(now time.Time) {
	earned := now.Sub(b.since) / b.interval
	if earned <= 0 {
		return
	}
	b.left = int(min(time.Duration(b.burst), time.Duration(b.left)+earned))
	b.since = b.since.Add(earned * b.interval)
}

// account is the budgets of one uid, of a block of uids, or of all.
type account struct {
	number  uint32 // of the uid or the block
	budgets [kinds]budget
	heir    *account // who goes on with what nobody was told of, when this one is forgotten
	gone    bool
}

// accounts are those that were in use last, up to so many. One that is forgotten begins anew when it comes again, which the accounts above it bound; what it has left out is told with the next record of
// these.
type accounts struct {
	most    int
	rate    rate
	known   map[uint32]*list.Element
	inOrder *list.List // the one in use last at the front
}

func newAccounts(most int, r rate) accounts {
	return accounts{most: most, rate: r, known: map[uint32]*list.Element{}, inOrder: list.New()}
}

// of gives an account, a new one where it is not known.
func (a *accounts) of(number uint32, now time.Time, heir *account) *account {
	if e := a.known[number]; e != nil {
		a.inOrder.MoveToFront(e)
		return e.Value.(*account)
	}
	if len(a.known) == a.most {
		a.forget(a.inOrder.Back())
	}
	one := &account{number: number, heir: heir}
	for k := range one.budgets {
		one.budgets[k] = budget{rate: a.rate, left: a.rate.burst, since: now}
	}
	a.known[number] = a.inOrder.PushFront(one)
	return one
}

// forget leaves to the heir what was left out.
func (a *accounts) forget(e *list.Element) {
	one := a.inOrder.Remove(e).(*account)
	delete(a.known, one.number)
	one.gone = true
	heir := one.heir
	for heir.gone {
		heir = heir.heir
	}
	for k := range one.budgets {
		heir.budgets[k].omitted += one.budgets[k].omitted
	}
}
