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

// TestRepliesThatAreRead: whoever reads its replies gets each of them, however many other uids had replies before. The numbers of calls stay just below what is asked the kernel about, with the send
// buffer that a system usually lets everybody have, and with the one that is wanted.
func TestRepliesThatAreRead(t *testing.T) {
	servicetest.SkipUnlessRoot(t)
	for _, calls := range []int{22, 115} {
		t.Run(fmt.Sprintf("%d calls of each uid", calls), func(t *testing.T) {
			s := servicetest.Start(t, "[[grant]]\nid = \"get\"\nusers = [\"4711-4800\"]\nmethods = [\"io.halberd.Gpio.Get\"]\ndevices = [\"*\"]\n")
			for uid := 4711; uid < 4751; uid++ {
				servicetest.AsUID(t, uid, func() {
					r := s.MustDial(t, peer.Datagram)
					for i := range calls {
						if got, err := r.Call(`{"method":"io.halberd.Gpio.Get","parameters":{"line":"relay-pump"}}`); err != nil || !strings.HasPrefix(got, `{"parameters":`) {
							t.Fatalf("call %d of the uid %d: got %q, %v", i+1, uid, got, err)
						}
					}
				})
			}
		})
	}
}

// TestRepliesBesideStrangers: those whom no grant names, who call on and on and never read, keep nobody whom one names from replies, though a socket that has connected takes any number of them and though the
// kernel does not tell who has read what was sent.
func TestRepliesBesideStrangers(t *testing.T) {
	servicetest.SkipUnlessRoot(t)
	s := servicetest.Start(t, "[[grant]]\nid = \"get\"\nusers = [4800]\nmethods = [\"io.halberd.Gpio.Get\"]\ndevices = [\"*\"]\n")
	const get = `{"method":"io.halberd.Gpio.Get","parameters":{"line":"relay-pump"}}`
	var strangers [2]*servicetest.Raw
	for i := range strangers {
		servicetest.AsUID(t, 4711+i, func() {
			strangers[i] = s.MustDial(t, peer.Datagram)
			if err := unix.Connect(strangers[i].FD, &unix.SockaddrUnix{Name: s.Name}); err != nil {
				t.Fatal(err)
			}
		})
	}
	var named *servicetest.Raw
	servicetest.AsUID(t, 4800, func() { named = s.MustDial(t, peer.Datagram) })
	for round := range 100 {
		for i, r := range strangers {
			servicetest.AsUID(t, 4711+i, func() { // whoever sends is who calls
				for range 40 {
					if _, err := unix.Write(r.FD, []byte(get)); err != nil {
						t.Fatal(err)
					}
				}
			})
		}
		servicetest.AsUID(t, 4800, func() {
			for range 40 {
				if got, err := named.Call(get); err != nil || !strings.HasPrefix(got, `{"parameters":`) {
					t.Fatalf("round %d: got %q, %v", round+1, got, err)
				}
			}
		})
	}
}
