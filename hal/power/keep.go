package power

import (
	"fmt"
	"slices"
	"strings"

	"github.com/halberd-io/halberd/hal"
)

// keeping is whose worker waits for the service manager.
const keeping = "power keeping"

// keptAs is an inhibitor's name in the keeper.
func keptAs(number int) string { return fmt.Sprintf("inhibitor-%d", number) }

// keep lets an inhibitor outlive the process. It is one all the same where that fails.
func (p *power) keep(i *inhibitor) {
	if p.env.Keeper == nil {
		return
	}
	var err error
	record := strings.Join([]string{i.what, string(i.owner), i.why}, "\x00")
	job := func() {
		err = i.guard.Do(func() error { return p.env.Keeper.Keep(keptAs(i.number), i.fd, []byte(record)) })
	}
	done := func() {
		if err != nil && slices.Contains(p.inhibitors, i) {
			p.env.Log.Warn("an inhibitor will end with this process", "why", i.why, "err", err)
		}
	}
	if err := p.env.Loop.Submit(keeping, job, done); err != nil {
		p.env.Log.Warn("an inhibitor will end with this process", "why", i.why, "err", err)
	}
}

// drop ends the keeping of an inhibitor that has ended. Where it cannot, the manager, which sees the end as well, does.
func (p *power) drop(i *inhibitor) {
	if p.env.Keeper != nil {
		_ = p.env.Loop.Submit(keeping, func() { p.env.Keeper.Drop(keptAs(i.number)) }, func() {})
	}
}

// restore takes the inhibitors over that the process before had.
func (p *power) restore() {
	if p.env.Keeper == nil {
		return
	}
	for number := range maxInhibitors {
		fd, record, ok := p.env.Keeper.Take(keptAs(number))
		if !ok {
			continue
		}
		i := &inhibitor{number: number, fd: fd}
		if fields := strings.Split(string(record), "\x00"); len(fields) == 3 {
			i.what, i.owner, i.why = fields[0], hal.Owner(fields[1]), fields[2]
		}
		if !slices.Contains(holds, i.what) || fd < 0 || p.add(i) != nil {
			p.env.Log.Warn("an inhibitor cannot be taken over", "record", string(record))
			p.drop(i)
			hal.CloseFiles([]int{fd})
			continue
		}
		p.env.Log.Info("an inhibitor is taken over", "what", i.what, "why", i.why)
	}
}
