package service_test

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/service/peer"
	"github.com/halberd-io/halberd/service/servicetest"
)

// TestCallBehindTheEnd: a call is not carried out any more once the reply before it could not be sent, as to a peer that does not listen: what it began would have nobody to end with. A call with
// more sends the replies before it first.
func TestCallBehindTheEnd(t *testing.T) {
	const first = `{"method":"org.varlink.service.GetInfo"}` + "\x00"
	for _, row := range []struct{ name, call, free string }{
		{"a claim", `{"method":"io.halberd.Board.Claim","parameters":{"devices":["Gpio/relay-pump"]},"more":true}`, `{"method":"io.halberd.Board.Claim","parameters":{"devices":["Gpio/relay-pump"]}}`},
		{"a change", `{"method":"io.halberd.Gpio.Set","parameters":{"line":"relay-pump","value":1},"more":true}`, `{"method":"io.halberd.Gpio.Get","parameters":{"line":"relay-pump"}}`},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := servicetest.Start(t, servicetest.GrantAll(unix.Getuid()))
			gone := s.MustDial(t, peer.Stream)
			if err := unix.Shutdown(gone.FD, unix.SHUT_RD); err != nil {
				t.Fatal(err)
			}
			if err := gone.Send([]byte(first + row.call + "\x00")); err != nil {
				t.Fatal(err)
			}
			ended := []unix.PollFd{{Fd: int32(gone.FD)}}
			if n, err := unix.Poll(ended, 10_000); n != 1 || ended[0].Revents&unix.POLLHUP == 0 {
				t.Fatalf("the connection is not ended: %d, %v", n, err)
			}
			got, err := s.MustDial(t, peer.Stream).Call(row.free)
			if want := `{"parameters":{`; err != nil || !strings.HasPrefix(got, want) || strings.Contains(got, `"value":1`) {
				t.Errorf("afterwards: got %q, %v; want the line free, and at 0", got, err)
			}
		})
	}
}
