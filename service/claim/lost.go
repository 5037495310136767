package claim

import (
	"strconv"
	"time"
)

// How claims outlive a restart of the daemon. Their connections do not, so a claimed device waits for its uid to claim it again: until then it keeps its state, and nobody else changes it.

// kept is what a claim is called in the store.
func kept(name string) string { return "claim/" + name }

// remember keeps who claimed a device.
func (b *Book) remember(held *Hold) {
	if b.keeper == nil {
		return
	}
	if err := b.keeper.Push(kept(held.Device.Name()), -1, strconv.AppendUint(nil, uint64(held.UID), 10)); err != nil {
		b.log.Warn("a claim would not outlive a restart", "device", held.Device.Name(), "error", err)
	}
}

// Restore holds a device for the uid whose connection claimed it before the daemon was restarted, for as long as patience lasts. A device that nobody had claimed is left alone.
func (b *Book) Restore(d Device, patience time.Duration) {
	if b.keeper == nil {
		return
	}
	_, record, ok := b.keeper.Take(kept(d.Name()))
	if !ok {
		return
	}
	uid, err := strconv.ParseUint(string(record), 10, 32)
	if err != nil {
		b.keeper.Drop(kept(d.Name()))
		return
	}
	held := &Hold{Device: d, UID: uint32(uid), Since: time.Now(), account: b.account(uint32(uid))}
	b.holds[d.Name()] = held
	b.held[held.account]++
	b.ask(held)
	b.loop.After(patience, func() {
		if held.Holder == nil && !b.closed {
			b.log.Info("a claim that was lost with the daemon was not claimed again", "device", d.Name(), "uid", held.UID)
			b.Free(held, func() {})
		}
	})
}

// ask lets the device tell what brings it to its on-release state. What it had been before it was claimed is not known any more: "restore" is what it is now.
func (b *Book) ask(held *Hold) {
	t := &taking{book: b, done: func(error) {}, left: 1, holds: []*Hold{held}}
	t.begin(held)
}

// adopt gives a device back to the uid that had claimed it.
func (b *Book) adopt(h Holder, held *Hold) {
	held.Holder, held.Since = h, time.Now()
	b.follow(h)
}
