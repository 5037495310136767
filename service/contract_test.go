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

func TestMain(m *testing.M) { servicetest.Main(m) }

// everyTransport runs a test once per kind of socket.
func everyTransport(t *testing.T, test func(t *testing.T, kind peer.Transport)) {
	for _, kind := range []peer.Transport{peer.Stream, peer.Seqpacket, peer.Datagram} {
		t.Run(kind.String(), func(t *testing.T) { test(t, kind) })
	}
}

// testPolicy covers some of what a caller may try, so that each error can be had.
func testPolicy() string {
	return fmt.Sprintf(`
[[grant]]
id      = "pump"
users   = [%[1]d]
methods = ["io.halberd.Gpio.Set", "io.halberd.Gpio.Get"]
devices = ["relay-pump", "button", "ghost"]

[[grant]]
id      = "dim"
users   = [%[1]d]
methods = ["io.halberd.Led.Set"]
devices = ["front"]
where   = { brightness = { max = 300 } }

[[grant]]
id      = "seldom"
users   = [%[1]d]
methods = ["io.halberd.Led.Get"]
devices = ["front"]
rate    = "1/h"
burst   = 1

[[grant]]
id      = "somebody-else"
users   = [4242]
methods = ["io.halberd.Sensor.Get"]
devices = ["soc"]
`, os.Geteuid())
}

// answers are what the contract has for a call, the same on every kind of socket. A reply that ends in … need only begin so.
var answers = []struct{ name, call, want string }{
	{"permitted", `{"method":"io.halberd.Gpio.Set","parameters":{"line":"relay-pump","value":1}}`, `{"parameters":{}}`},
	{"read back", `{"method":"io.halberd.Gpio.Get","parameters":{"line":"relay-pump"}}`, `{"parameters":{"value":1}}`},
	{"more on a method without changes is MethodNotImplemented on datagrams alone", `{"method":"io.halberd.Gpio.Get","parameters":{"line":"relay-pump"},"more":false}`, `{"parameters":{"value":1}}`},
	{"null flags are absent", `{"method":"io.halberd.Gpio.Get","parameters":{"line":"relay-pump"},"more":null,"oneway":null}`, `{"parameters":{"value":1}}`},
	{"white space and escapes", ` { "m\u0065thod" : "io.halberd.Gpio.Get" , "parameters" : { "line" : "relay\u002dpump" } } `, `{"parameters":{"value":1}}`},
	{"unknown interface", `{"method":"io.halberd.Nothing.Get","parameters":{}}`, `{"error":"org.varlink.service.MethodNotFound","parameters":{"method":"io.halberd.Nothing.Get"}}`},
	{"unknown method", `{"method":"io.halberd.Gpio.Explode"}`, `{"error":"org.varlink.service.MethodNotFound","parameters":{"method":"io.halberd.Gpio.Explode"}}`},
	{"upgrade", `{"method":"io.halberd.Gpio.Get","parameters":{"line":"relay-pump"},"upgrade":true}`, `{"error":"org.varlink.service.MethodNotImplemented","parameters":{"method":"io.halberd.Gpio.Get"}}`},
	{"not permitted at all, before parameters are read", `{"method":"io.halberd.Sensor.Get","parameters":{"nonsense":[]}}`, `{"error":"org.varlink.service.PermissionDenied","parameters":{"reason":…`},
	{"missing parameter", `{"method":"io.halberd.Gpio.Set","parameters":{"line":"relay-pump"}}`, `{"error":"org.varlink.service.InvalidParameter","parameters":{"parameter":"value"}}`},
	{"absent parameters", `{"method":"io.halberd.Gpio.Get"}`, `{"error":"org.varlink.service.InvalidParameter","parameters":{"parameter":"line"}}`},
	{"unknown parameter", `{"method":"io.halberd.Gpio.Set","parameters":{"line":"relay-pump","value":1,"speed":2}}`, `{"error":"org.varlink.service.InvalidParameter","parameters":{"parameter":"speed"}}`},
	{"wrong case", `{"method":"io.halberd.Gpio.Set","parameters":{"Line":"relay-pump","value":1}}`, `{"error":"org.varlink.service.InvalidParameter","parameters":{"parameter":"line"}}`},
	{"duplicate parameter", `{"method":"io.halberd.Gpio.Set","parameters":{"line":"relay-pump","value":1,"value":0}}`, `{"error":"org.varlink.service.InvalidParameter","parameters":{"parameter":"value"}}`},
	{"wrong type", `{"method":"io.halberd.Gpio.Set","parameters":{"line":"relay-pump","value":true}}`, `{"error":"org.varlink.service.InvalidParameter","parameters":{"parameter":"value"}}`},
	{"a fraction", `{"method":"io.halberd.Gpio.Set","parameters":{"line":"relay-pump","value":1.0}}`, `{"error":"org.varlink.service.InvalidParameter","parameters":{"parameter":"value"}}`},
	{"outside the declared range", `{"method":"io.halberd.Gpio.Set","parameters":{"line":"relay-pump","value":2}}`, `{"error":"org.varlink.service.InvalidParameter","parameters":{"parameter":"value"}}`},
	{"a bad value is told before a denied device", `{"method":"io.halberd.Gpio.Set","parameters":{"line":"relay-up","value":2}}`, `{"error":"org.varlink.service.InvalidParameter","parameters":{"parameter":"value"}}`},
	{"device not covered", `{"method":"io.halberd.Gpio.Set","parameters":{"line":"relay-up","value":1}}`, `{"error":"org.varlink.service.PermissionDenied","parameters":{"reason":…`},
	{"a device that nobody has reads the same", `{"method":"io.halberd.Gpio.Set","parameters":{"line":"relay-nowhere","value":1}}`, `{"error":"org.varlink.service.PermissionDenied","parameters":{"reason":…`},
	{"value beyond the grant's limit", `{"method":"io.halberd.Led.Set","parameters":{"led":"front","brightness":301}}`, `{"error":"org.varlink.service.PermissionDenied","parameters":{"reason":…`},
	{"no such device", `{"method":"io.halberd.Gpio.Get","parameters":{"line":"ghost"}}`, `{"error":"io.halberd.NoSuchDevice","parameters":{"class":"Gpio","device":"ghost"}}`},
	{"beyond the hardware", `{"method":"io.halberd.Led.Set","parameters":{"led":"front","brightness":300}}`, `{"error":"io.halberd.OutOfRange","parameters":{"parameter":"brightness","minimum":0,"maximum":255}}`},
	{"an input cannot be set", `{"method":"io.halberd.Gpio.Set","parameters":{"line":"button","value":1}}`, `{"error":"io.halberd.NotSupported","parameters":{"feature":"output"}}`},
	{"the one token", `{"method":"io.halberd.Led.Get","parameters":{"led":"front"}}`, `{"parameters":{"brightness":0,"maxBrightness":255,"trigger":"none","triggers":["none",…`},
	{"out of tokens", `{"method":"io.halberd.Led.Get","parameters":{"led":"front"}}`, `{"error":"io.halberd.RateLimited","parameters":{"retryAfterMSec":…`},
	{"check a permitted call", `{"method":"io.halberd.Policy.Check","parameters":{"method":"io.halberd.Gpio.Set","parameters":{"line":"relay-pump","value":1}}}`, `{"parameters":{"allowed":true,"grant":"pump",…`},
	{"check a denied call", `{"method":"io.halberd.Policy.Check","parameters":{"method":"io.halberd.Gpio.Set","parameters":{"line":"relay-up","value":1}}}`, `{"parameters":{"allowed":false,…`},
	{"only covered devices are listed", `{"method":"io.halberd.Board.List","parameters":{"class":"Led"}}`, `{"parameters":{"devices":[{"class":"Led","id":"front"}]}}`},
	{"administration is not for everybody", `{"method":"io.halberd.Policy.Status"}`, `{"error":"org.varlink.service.PermissionDenied",…`},
	{"info", `{"method":"org.varlink.service.GetInfo"}`, `{"parameters":{"vendor":"Halberd","product":"halberd","version":"test","url":"https://github.com/halberd-io/halberd","interfaces":["org.varlink.service","io.halberd","io.systemd",…`},
	{"unknown interface's text", `{"method":"org.varlink.service.GetInterfaceDescription","parameters":{"interface":"io.nobody"}}`, `{"error":"org.varlink.service.InterfaceNotFound","parameters":{"interface":"io.nobody"}}`},
}

func TestAnswers(t *testing.T) {
	everyTransport(t, func(t *testing.T, kind peer.Transport) {
		s := servicetest.Start(t, testPolicy())
		r := s.MustDial(t, kind)
		for _, row := range answers {
			got, err := r.Call(row.call)
			if err != nil {
				t.Fatalf("%s: %v", row.name, err)
			}
			if !matches(got, row.want) {
				t.Errorf("%s:\n got %s\nwant %s", row.name, got, row.want)
			}
		}
		if value := s.Sim.Value("relay-pump"); value != 1 {
			t.Errorf("relay-pump is %d at the simulated chip, want 1", value)
		}
	})
}

func matches(got, want string) bool {
	if prefix, open := strings.CutSuffix(want, "…"); open {
		return strings.HasPrefix(got, prefix)
	}
	return got == want
}

// TestDenialsOfOthers: what a denial says never shows a grant whose identity is not the caller's.
func TestDenialsOfOthers(t *testing.T) {
	everyTransport(t, func(t *testing.T, kind peer.Transport) {
		s := servicetest.Start(t, testPolicy())
		got, err := s.MustDial(t, kind).Call(`{"method":"io.halberd.Sensor.Get","parameters":{"sensor":"soc"}}`)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(got, "somebody-else") {
			t.Errorf("the denial names another identity's grant: %s", got)
		}
		if s.Log.Find("WARN denied", "method=io.halberd.Sensor.Get", fmt.Sprintf("uid=%d", os.Geteuid())) == "" {
			t.Error("the denial is not in the log")
		}
	})
}

// broken are messages that are no calls. A connection is closed for them, a datagram is dropped, and nothing is answered.
var broken = []struct{ name, msg string }{
	{"not JSON", `hello`},
	{"an array", `[]`},
	{"no method", `{"parameters":{}}`},
	{"a method that is a number", `{"method":1}`},
	{"a null method", `{"method":null}`},
	{"parameters that are an array", `{"method":"io.halberd.Gpio.Get","parameters":[]}`},
	{"an unknown key", `{"method":"io.halberd.Gpio.Get","parameters":{},"id":1}`},
	{"a key in the wrong case", `{"Method":"io.halberd.Gpio.Get"}`},
	{"a duplicate key", `{"method":"io.halberd.Gpio.Get","method":"io.halberd.Gpio.Set"}`},
	{"a duplicate key in disguise", `{"method":"io.halberd.Gpio.Get","m\u0065thod":"io.halberd.Gpio.Set"}`},
	{"invalid UTF-8", "{\"method\":\"io.halberd.Gpio.Get\",\"parameters\":{\"line\":\"\xff\"}}"},
	{"half a surrogate pair", `{"method":"io.halberd.Gpio.Get","parameters":{"line":"\ud800"}}`},
	{"too deep", `{"method":"x","parameters":{"a":` + strings.Repeat("[", 31) + strings.Repeat("]", 31) + `}}`},
	{"a control character in the method", `{"method":"io.halberd\u0000.Gpio.Get"}`},
	{"two ways of being answered", `{"method":"io.halberd.Gpio.Get","oneway":true,"more":true}`},
	{"something behind the object", `{"method":"io.halberd.Gpio.Get"} {}`},
	{"a flag that is a string", `{"method":"io.halberd.Gpio.Get","oneway":"yes"}`},
}

func TestBrokenMessages(t *testing.T) {
	everyTransport(t, func(t *testing.T, kind peer.Transport) {
		s := servicetest.Start(t, testPolicy())
		for _, row := range broken {
			r := s.MustDial(t, kind)
			if err := r.Write(row.msg); err != nil {
				t.Fatalf("%s: %v", row.name, err)
			}
			if kind == peer.Datagram {
				got, err := r.Call(`{"method":"io.halberd.Gpio.Get","parameters":{"line":"relay-pump"}}`)
				if err != nil || got != `{"parameters":{"value":0}}` {
					t.Errorf("%s: the call behind it was answered %q, %v", row.name, got, err)
				}
			} else if got, err := r.Read(); got != "" || err != nil && err != unix.ECONNRESET {
				t.Errorf("%s: got %q, %v, want the end of the connection", row.name, got, err)
			}
			r.Close()
		}
	})
}

// TestTooLarge: a message over the limit is answered, and on a stream the connection ends; the server goes on.
func TestTooLarge(t *testing.T) {
	const want = `{"error":"io.halberd.MessageTooLarge","parameters":{"limit":65536}}`
	everyTransport(t, func(t *testing.T, kind peer.Transport) {
		s := servicetest.Start(t, testPolicy())
		for _, size := range []int{64<<10 + 1, 64<<10 + 2, 100 << 10} {
			r := s.MustDial(t, kind)
			got, err := r.Call(`{"method":"` + strings.Repeat("x", size-len(`{"method":""}`)) + `"}`)
			if err != nil || got != want {
				t.Errorf("%d bytes: got %q, %v, want %q", size, got, err, want)
			}
			if kind == peer.Stream {
				if got, err := r.Read(); got != "" || err != nil {
					t.Errorf("%d bytes: got %q, %v behind the answer, want the end", size, got, err)
				}
			} else if got, err := r.Call(answers[0].call); got != answers[0].want || err != nil {
				t.Errorf("%d bytes: the call behind it was answered %q, %v", size, got, err)
			}
			r.Close()
		}
		get := answers[1].call
		longest := strings.Repeat(" ", 64<<10-len(get)) + get
		if got, err := s.MustDial(t, kind).Call(longest); !strings.HasPrefix(got, `{"parameters":{"value":`) || err != nil {
			t.Errorf("65536 bytes: got %.100q, %v", got, err)
		}
	})
}

// TestReplyTooLarge: a reply that does not fit is refused, whatever it is.
func TestReplyTooLarge(t *testing.T) {
	everyTransport(t, func(t *testing.T, kind peer.Transport) {
		s := servicetest.Start(t, testPolicy())
		limit := map[peer.Transport]int{peer.Stream: 64<<10 - 1, peer.Seqpacket: 64<<10 - 32, peer.Datagram: 32 << 10}[kind]
		reply := `{"error":"org.varlink.service.MethodNotFound","parameters":{"method":""}}`
		r := s.MustDial(t, kind)
		for _, more := range []int{0, 1} {
			got, err := r.Call(`{"method":"` + strings.Repeat("x", limit-len(reply)+more) + `"}`)
			want := fmt.Sprintf(`{"error":"io.halberd.MessageTooLarge","parameters":{"limit":%d}}`, limit)
			if fits := len(got) == limit; err != nil || fits != (more == 0) || !fits && got != want {
				t.Errorf("a reply of %d bytes: got %d bytes, %.100q, %v", limit+more, len(got), got, err)
			}
		}
	})
}

// TestSplit: a stream may cut a message anywhere, and glue as many as it likes.
func TestSplit(t *testing.T) {
	s := servicetest.Start(t, testPolicy())
	calls := answers[0].call + "\x00" + answers[1].call + "\x00"
	for at := range len(calls) {
		r := s.MustDial(t, peer.Stream)
		for _, part := range []string{calls[:at], calls[at:]} {
			if err := r.Send([]byte(part)); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 2 {
			if got, err := r.Read(); got != answers[i].want || err != nil {
				t.Fatalf("cut at %d: reply %d is %q, %v", at, i, got, err)
			}
		}
		r.Close()
	}
}

// TestPipelining: replies come in the order of the calls, however many are on their way, and a sender that does not read is not read either.
func TestPipelining(t *testing.T) {
	for _, kind := range []peer.Transport{peer.Stream, peer.Seqpacket} {
		t.Run(kind.String(), func(t *testing.T) {
			s := servicetest.Start(t, testPolicy())
			r := s.MustDial(t, kind)
			const n = 5000
			sent := make(chan error, 1)
			go func() {
				for i := range n {
					if err := r.Write(fmt.Sprintf(`{"method":"io.halberd.No.M%d"}`, i)); err != nil {
						sent <- err
						return
					}
				}
				sent <- nil
			}()
			for i := range n {
				got, err := r.Read()
				want := fmt.Sprintf(`{"error":"org.varlink.service.MethodNotFound","parameters":{"method":"io.halberd.No.M%d"}}`, i)
				if err != nil || got != want {
					t.Fatalf("reply %d is %q, %v", i, got, err)
				}
			}
			if err := <-sent; err != nil {
				t.Error(err)
			}
		})
	}
}

// TestOneway: it is carried out and never answered.
func TestOneway(t *testing.T) {
	everyTransport(t, func(t *testing.T, kind peer.Transport) {
		s := servicetest.Start(t, testPolicy())
		r := s.MustDial(t, kind)
		for _, msg := range []string{
			`{"method":"io.halberd.Gpio.Set","parameters":{"line":"relay-pump","value":1},"oneway":true}`,
			`{"method":"io.halberd.Gpio.Set","parameters":{"line":"relay-up","value":1},"oneway":true}`,
			`{"method":"io.halberd.No.Thing","oneway":true}`,
		} {
			if err := r.Write(msg); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := r.Call(answers[1].call); got != answers[1].want || err != nil {
			t.Errorf("the first reply is %q, %v, want that of the Get", got, err)
		}
	})
}

// TestOnewayFromAnUnnamedSocket: a datagram that cannot be answered is carried out only where no answer is wanted.
func TestOnewayFromAnUnnamedSocket(t *testing.T) {
	s := servicetest.Start(t, testPolicy())
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	to := &unix.SockaddrUnix{Name: s.Name}
	for _, msg := range []string{
		`{"method":"io.halberd.Gpio.Set","parameters":{"line":"relay-pump","value":1},"oneway":true}`,
		`{"method":"io.halberd.Gpio.Set","parameters":{"line":"relay-pump","value":0}}`,
	} {
		if err := unix.Sendto(fd, []byte(msg), 0, to); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := s.MustDial(t, peer.Datagram).Call(answers[1].call); got != answers[1].want || err != nil {
		t.Errorf("the line reads %q, %v, want 1", got, err)
	}
}

// TestDatagramMore: there are no watches on datagrams.
func TestDatagramMore(t *testing.T) {
	s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()))
	r := s.MustDial(t, peer.Datagram)
	const want = `{"error":"org.varlink.service.MethodNotImplemented","parameters":{"method":"io.halberd.Gpio.Watch"}}`
	got, err := r.Call(`{"method":"io.halberd.Gpio.Watch","parameters":{"lines":["button"]},"more":true}`)
	if got != want || err != nil {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	got, err = r.Call(`{"method":"io.halberd.Gpio.Watch","parameters":{"lines":["button"]}}`)
	if !strings.HasPrefix(got, `{"parameters":{"line":"button","value":`) || err != nil {
		t.Errorf("without more got %q, %v, want the current state", got, err)
	}
}

// TestDatagramFromAPath: a sender with a path is not answered, since root would write where the sender may not.
func TestDatagramFromAPath(t *testing.T) {
	s := servicetest.Start(t, testPolicy())
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: t.TempDir() + "/s"}); err != nil {
		t.Fatal(err)
	}
	msg := `{"method":"io.halberd.Gpio.Set","parameters":{"line":"relay-pump","value":1}}`
	if err := unix.Sendto(fd, []byte(msg), 0, &unix.SockaddrUnix{Name: s.Name}); err != nil {
		t.Fatal(err)
	}
	if got, err := s.MustDial(t, peer.Datagram).Call(answers[1].call); got != `{"parameters":{"value":0}}` || err != nil {
		t.Errorf("the line reads %q, %v, want 0: the call must not be carried out", got, err)
	}
	if s.Log.Find("datagram dropped", "pathname") == "" {
		t.Error("the dropped datagram is not in the log")
	}
}

// TestDescribeMethods: a device is described with the methods that may be called on it, and not with those that may be called on another one alone.
func TestDescribeMethods(t *testing.T) {
	grant := func(id, method, device string) string {
		return fmt.Sprintf("[[grant]]\nid = %q\nusers = [%d]\nmethods = [\"io.halberd.Led.%s\"]\ndevices = [%q]\n", id, os.Geteuid(), method, device)
	}
	s := servicetest.Start(t, grant("read", "Get", "front")+grant("write", "Set", "status")+grant("blink", "Blink", "Led/fr*"))
	got, err := s.MustDial(t, peer.Stream).Call(`{"method":"io.halberd.Board.Describe","parameters":{"device":"Led/front"}}`)
	if want := `"methods":["Get","Blink"]`; err != nil || !strings.Contains(got, want) {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}
