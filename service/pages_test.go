package service

import (
	"math"
	"strings"
	"testing"

	"github.com/halberd-io/halberd/hal"
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
