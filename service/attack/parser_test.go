package attack_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/haltest"
	"github.com/halberd-io/halberd/service"
	"github.com/halberd-io/halberd/service/config"
	"github.com/halberd-io/halberd/service/peer"
	"github.com/halberd-io/halberd/service/servicetest"
)

// everyTransport runs a test once per kind of socket.
func everyTransport(t *testing.T, test func(t *testing.T, kind peer.Transport)) {
	for _, kind := range []peer.Transport{peer.Stream, peer.Seqpacket, peer.Datagram} {
		t.Run(kind.String(), func(t *testing.T) { test(t, kind) })
	}
}

// recorded is a server whose kernel writes down what it is asked, and whose catalog is known.
type recorded struct {
	*servicetest.Server
	kernel  *haltest.Recorder
	catalog *hal.Catalog
}

func record(t *testing.T, policy string) *recorded {
	s := &recorded{}
	s.Server = servicetest.Start(t, policy, func(c *service.Config) {
		s.kernel = haltest.Record(c.Kernel)
		c.Kernel = s.kernel
		read := c.Policy
		c.Policy = func(cat *hal.Catalog) (*config.PolicyFiles, error) {
			s.catalog = cat
			return read(cat)
		}
	})
	return s
}

// aDevice is the ID of a device that a method's calls may name.
func aDevice(s *recorded, m *hal.Method) string {
	if m.Class == "Board" {
		return "Gpio/relay-pump"
	}
	i := s.catalog.Class(m.Class)
	if i == nil || i.Devices == nil {
		return "a"
	}
	for at := range i.Devices.Len() {
		if id := i.Devices.At(at).ID(); m.Device != "" && m.Finds(id) {
			return id
		}
	}
	return "a"
}

// line is a connection, or a socket for datagrams, that is made again when the daemon ends it.
type line struct {
	*servicetest.Raw
	kind peer.Transport
	name string
}

func dial(t *testing.T, s *servicetest.Server, kind peer.Transport) *line {
	t.Helper()
	l := &line{kind: kind, name: s.Name}
	l.again(t)
	t.Cleanup(func() { l.Close() })
	return l
}

func (l *line) again(t *testing.T) {
	t.Helper()
	r, err := servicetest.Dial(l.kind, l.name)
	if err != nil {
		t.Fatal(err)
	}
	l.Raw = r
}

// ends expects that a message, or whatever else it is, ends the connection, or is dropped where it is a datagram.
func (l *line) ends(t *testing.T, msg string) {
	t.Helper()
	if err := l.Write(msg); err != nil {
		t.Fatal(err)
	}
	if l.kind == peer.Datagram {
		if got, err := l.Call(`{"method":"io.halberd.No.Such"}`); err != nil || !strings.Contains(got, "io.halberd.No.Such") {
			t.Errorf("%.200q: the call behind it was answered %q, %v", msg, got, err)
		}
		return
	}
	if got, err := l.Read(); got != "" || err != nil && err != unix.ECONNRESET {
		t.Errorf("%.200q: got %q, %v, want the end of the connection", msg, got, err)
	}
	l.Close()
	l.again(t)
}

// TestParameters sends, for each parameter of each method of every interface, what its declaration does not permit. It is refused by its path, and nothing is touched.
func TestParameters(t *testing.T) {
	everyTransport(t, func(t *testing.T, kind peer.Transport) {
		if emulated(t) && kind != peer.Stream {
			t.Skip("an emulator takes its time, and parameters are read in the same way on each kind of socket")
		}
		s := record(t, servicetest.GrantAll(os.Geteuid()))
		l := dial(t, s.Server, kind)
		s.kernel.Reset()
		for _, m := range s.catalog.Methods() {
			if kind == peer.Datagram && m.NeedsConnection {
				continue
			}
			t.Run(m.FullName(), func(t *testing.T) {
				haltest.Malformed(m, aDevice(s, m), func(what, parameters, path string) {
					t.Run(what, func(t *testing.T) {
						s.malformed(t, l, call(m.FullName(), parameters), path, strings.HasPrefix(what, "parameters that are "))
					})
				})
			})
		}
	})
}

// malformed makes a call whose parameters are wrong at a path, or which are no object, so that the envelope is wrong.
func (s *recorded) malformed(t *testing.T, l *line, msg, path string, envelope bool) {
	if envelope {
		l.ends(t, msg)
	} else {
		want := fmt.Sprintf(`{"error":"org.varlink.service.InvalidParameter","parameters":{"parameter":%q}}`, path)
		if got, err := l.Call(msg); got != want || err != nil {
			t.Errorf("got %.200s, %v, want %s: %.200s", got, err, want, msg)
		}
	}
	s.untouched(t)
}

// untouched fails where the kernel was asked to change anything since it was asked last.
func (s *recorded) untouched(t *testing.T) {
	t.Helper()
	if written := s.kernel.Written(); len(written) > 0 {
		t.Errorf("the kernel was asked to %s", written[0].String())
	}
	s.kernel.Reset()
}

// uid is this process's own, as it is written in grants.
func uid() string { return strconv.Itoa(os.Geteuid()) }

func call(method, parameters string) string {
	return `{"method":"` + method + `","parameters":` + parameters + `}`
}
