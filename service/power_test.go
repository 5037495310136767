package service_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/service/peer"
	"github.com/halberd-io/halberd/service/servicetest"
)

const rebootCall = `{"method":"io.halberd.Power.Reboot","parameters":{"reason":"an update"}}`

// TestRepliesBeforeTheMachineIsAsked: the caller hears, and then the machine does.
func TestRepliesBeforeTheMachineIsAsked(t *testing.T) {
	for _, kind := range append([]peer.Transport{peer.Datagram}, connections...) {
		t.Run(kind.String(), func(t *testing.T) {
			s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()))
			if got, err := s.MustDial(t, kind).Call(rebootCall); err != nil || got != `{"parameters":{}}` {
				t.Fatalf("got %s, %v", got, err)
			}
			if asked := s.Sim.Asked(); len(asked) != 0 {
				t.Errorf("the machine was asked for %v before the reply", asked)
			}
			eventuallyIs(t, "the machine is asked", func() bool { return len(s.Sim.Asked()) == 1 })
		})
	}
}

// TestInhibitorIsHeldByItsDescriptor: neither the end of its connection nor anything else ends it.
func TestInhibitorIsHeldByItsDescriptor(t *testing.T) {
	for _, kind := range connections {
		t.Run(kind.String(), func(t *testing.T) {
			s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()))
			holder, other := s.MustDial(t, kind), s.MustDial(t, kind)
			if err := holder.Write(`{"method":"io.halberd.Power.Inhibit","parameters":{"what":"shutdown","why":"it writes"}}`); err != nil {
				t.Fatal(err)
			}
			fd := receiveFD(t, holder.FD)
			holder.Close()
			if got, err := other.Call(rebootCall); err != nil || got != `{"error":"io.halberd.Busy","parameters":{"class":"Power","device":"reboot","holder":"it writes"}}` {
				t.Errorf("while it is held: got %s, %v", got, err)
			}
			unix.Close(fd)
			eventuallyIs(t, "the inhibitor is gone", func() bool {
				got, err := other.Call(`{"method":"io.halberd.Power.Inhibitors"}`)
				return err == nil && got == `{"parameters":{"inhibitors":[]}}`
			})
			if got, err := other.Call(rebootCall); err != nil || got != `{"parameters":{}}` {
				t.Errorf("afterwards: got %s, %v", got, err)
			}
		})
	}
}

// receiveFD receives one message with a descriptor.
func receiveFD(t *testing.T, socket int) int {
	t.Helper()
	buf, control := make([]byte, 4096), make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := unix.Recvmsg(socket, buf, control, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	messages, err := unix.ParseSocketControlMessage(control[:n])
	if err != nil || len(messages) != 1 {
		t.Fatalf("%d control messages, %v", len(messages), err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		t.Fatalf("descriptors %v, %v", fds, err)
	}
	return fds[0]
}

// TestForceIsARightOfItsOwn: who may reboot may not do so in spite of others.
func TestForceIsARightOfItsOwn(t *testing.T) {
	s := servicetest.Start(t, fmt.Sprintf("[[grant]]\nid = \"power\"\nusers = [%d]\nmethods = [\"io.halberd.Power.*\"]\nverbs = [\"observe\", \"control\", \"configure\", \"hazard\"]\n", os.Geteuid()))
	r := s.MustDial(t, peer.Seqpacket)
	for _, action := range []string{"Reboot", "PowerOff", "Suspend"} {
		got, err := r.Call(`{"method":"io.halberd.Power.Force` + action + `","parameters":{}}`)
		if err != nil || !strings.Contains(got, "org.varlink.service.PermissionDenied") {
			t.Errorf("Force%s: got %s, %v, want PermissionDenied", action, got, err)
		}
	}
	if got, err := r.Call(rebootCall); err != nil || got != `{"parameters":{}}` {
		t.Errorf("Reboot: got %s, %v", got, err)
	}
}
