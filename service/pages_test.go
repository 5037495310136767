package service

import (
	"math"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/service/claim"
	"github.com/halberd-io/halberd/service/peer"
)

// TestPagesFit: a page of the longest entries fits the smallest reply, with what is around it.
func TestPagesFit(t *testing.T) {
	const longest, around = "Remoteproc", 256
	id := strings.Repeat("x", hal.MaxID)
	list, held := listOut{next: hal.Some(longest + "/" + id)}, holdersOut{next: hal.Some(longest + "/" + id + " 9223372036854775807")}
	for range maxListed {
		list.devices = append(list.devices, listed{longest, id, hal.Some(holderName(math.MaxUint32))})
		held.holders = append(held.holders, holder{device: longest + "/" + id, kind: byLease, uid: math.MaxUint32, pid: hal.Some[int64](math.MaxInt32)})
	}
	for name, m := range map[string]hal.Message{"List": &list, "Holders": &held} {
		if n := len(hal.Encode(nil, m)) + around; n > maxDatagramReply {
			t.Errorf("a page of %s may have %d bytes, want at most %d", name, n, maxDatagramReply)
		}
	}
}

// TestFirstHolder: of several who have a device, List names the one who claimed it, and else the first one.
func TestFirstHolder(t *testing.T) {
	b := newBench(t, unix.SOCK_STREAM, peer.Stream)
	device, _ := anyDevice{b.server}.Find([]byte("Led/front"))
	as := func(uid uint32) *conn {
		return &conn{caller: caller{server: b.server, cred: peer.Credentials{UID: uid}}}
	}
	expect := func(want string) {
		t.Helper()
		if got := b.server.holderNames()["Led/front"]; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	expect("")
	first, second := b.server.leases.Begin("Led", device.Device.Device, as(7)), b.server.leases.Begin("Led", device.Device.Device, as(8))
	expect("uid 7")
	claimant := as(9)
	b.server.claims.Take(claimant, []claim.Device{device.Device}, func(err error) {
		if err != nil {
			t.Error(err)
		}
	})
	expect("uid 9")
	b.server.claims.End(claimant)
	first.Return()
	expect("uid 8")
	second.Return()
	expect("")
}
