package service_test

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/service/peer"
	"github.com/halberd-io/halberd/service/servicetest"
)

// TestRepliesThatNobodyReads: whoever sends calls in datagrams and never reads the replies gets no more of them, and keeps nobody else from theirs; not several such uids together, and
// not one with many sockets. When it has read, it is answered again.
func TestRepliesThatNobodyReads(t *testing.T) {
	servicetest.SkipUnlessRoot(t)
	const grantGet = "[[grant]]\nid = \"get\"\nusers = [\"4711-4800\"]\nmethods = [\"io.halberd.Gpio.Get\"]\ndevices = [\"*\"]\n"
	const get = `{"method":"io.halberd.Gpio.Get","parameters":{"line":"relay-pump"}}`
	for _, row := range []struct{ uids, sockets, calls int }{{1, 1, 3000}, {1, 300, 10}, {3, 100, 10}, {3, 1, 3000}} {
		t.Run(fmt.Sprintf("%d uids with %d sockets each", row.uids, row.sockets), func(t *testing.T) {
			s := servicetest.Start(t, grantGet)
			var hold []*servicetest.Raw
			for uid := range row.uids {
				servicetest.AsUID(t, 4711+uid, func() {
					for range row.sockets {
						r := s.MustDial(t, peer.Datagram)
						hold = append(hold, r)
						for range row.calls {
							if err := r.Write(get); err != nil {
								t.Fatal(err)
							}
						}
					}
				})
			}
			servicetest.AsUID(t, 4800, func() {
				victim := s.MustDial(t, peer.Datagram)
				for i := range 200 {
					if got, err := victim.Call(get); err != nil || !strings.HasPrefix(got, `{"parameters":`) {
						t.Fatalf("call %d: got %q, %v", i, got, err)
					}
				}
			})
			for _, r := range hold {
				for buf := make([]byte, 4096); ; {
					if _, _, err := unix.Recvfrom(r.FD, buf, unix.MSG_DONTWAIT); err != nil {
						break
					}
				}
			}
			servicetest.AsUID(t, 4711, func() {
				if got, err := hold[0].Call(get); err != nil || !strings.HasPrefix(got, `{"parameters":`) {
					t.Errorf("after it has read: got %q, %v", got, err)
				}
			})
		})
	}
}
