package activate

import (
	"bytes"
	"log/slog"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/halberd-io/halberd/service/listen"
	"github.com/halberd-io/halberd/service/peer"
)

func TestSockets(t *testing.T) {
	stream, seqpacket, dgram, free := "stream:"+abstract(), "seqpacket:"+abstract(), "dgram:"+abstract(), "stream:"+abstract()
	a, b, c := bound(t, stream), bound(t, seqpacket), bound(t, dgram)
	stored, conn := other(t, pipe), other(t, connection)
	tests := []struct {
		name        string
		order       order
		environment []string
		fds         []int
		want        report
	}{
		{
			"systemd", order{OwnPID: true}, []string{"LISTEN_FDS=3", "LISTEN_FDNAMES=a:b:c"}, []int{a, b, c},
			report{Source: "LISTEN_FDS", Sockets: listening(stream, seqpacket, dgram), Left: -3},
		},
		{
			"dinit gives no names", order{OwnPID: true}, []string{"LISTEN_FDS=1"}, []int{a},
			report{Source: "LISTEN_FDS", Sockets: listening(stream), Left: -1},
		},
		{
			"systemd's are meant for another process", order{Listen: []string{free}}, []string{"LISTEN_FDS=1", "LISTEN_PID=1"}, []int{a},
			report{Source: "-listen", Sockets: listening(free)},
		},
		{
			"systemd before all others", order{OwnPID: true, SocketFDs: []int{4}, Listen: []string{free}}, []string{"LISTEN_FDS=1", "ANDROID_SOCKET_x=4"}, []int{a, b},
			report{Source: "LISTEN_FDS", Sockets: listening(stream), Left: -1},
		},
		{
			"a connection, as varlinkctl hands over", order{OwnPID: true}, []string{"LISTEN_FDS=1", "LISTEN_FDNAMES=varlink"}, []int{conn},
			report{Source: "LISTEN_FDS", Sockets: []string{"stream: listening=false"}, Left: -1},
		},
		{
			"stored descriptors beside sockets", order{OwnPID: true, Stored: true}, []string{"LISTEN_FDS=3", "LISTEN_FDNAMES=line-7:s:journal"}, []int{stored, a, stored},
			report{Source: "LISTEN_FDS", Sockets: listening(stream), Stored: []string{"line-7", "journal"}, Left: -3},
		},
		{
			"stored descriptors alone", order{OwnPID: true, Stored: true, Listen: []string{free}}, []string{"LISTEN_FDS=1"}, []int{stored},
			report{Source: "-listen", Sockets: listening(free), Stored: []string{"LISTEN_FD_3"}, Left: -1},
		},
		{
			"stored descriptors that nobody takes", order{OwnPID: true, Listen: []string{free}}, []string{"LISTEN_FDS=1", "LISTEN_FDNAMES=line-7"}, []int{stored},
			report{Source: "-listen", Sockets: listening(free), Left: -1},
		},
		{
			"LISTEN_PID alone", order{OwnPID: true, Listen: []string{free}}, nil, nil,
			report{Source: "-listen", Sockets: listening(free)},
		},
		{
			"Android, by name", order{Listen: []string{free}}, []string{"ANDROID_SOCKET_b=3", "ANDROID_SOCKET_a=4"}, []int{a, b},
			report{Source: "ANDROID_SOCKET_", Sockets: listening(seqpacket, stream), Left: -2},
		},
		{
			"flags", order{SocketFDs: []int{4, 3, 4}, Listen: []string{free}}, nil, []int{a, c},
			report{Source: "-socket-fd", Sockets: listening(dgram, stream), Left: -2},
		},
		{
			"s6: standard input", order{SocketFDs: []int{0}}, nil, []int{a},
			report{Source: "-socket-fd", Sockets: listening(stream), Left: -1},
		},
		{
			"nothing inherited", order{Listen: []string{free, "dgram" + strings.TrimPrefix(free, "stream")}}, nil, nil,
			report{Source: "-listen", Sockets: listening(free, "dgram"+strings.TrimPrefix(free, "stream"))},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := start(t, test.order, test.environment, test.fds...)
			check(t, got, test.want)
		})
	}
}

func check(t *testing.T, got, want report) {
	t.Helper()
	if got.Error != want.Error || got.Source != want.Source {
		t.Errorf("got source %q, error %q, want %q, %q", got.Source, got.Error, want.Source, want.Error)
	}
	if !slices.Equal(got.Sockets, want.Sockets) {
		t.Errorf("sockets: got %q, want %q", got.Sockets, want.Sockets)
	}
	if !slices.Equal(got.Stored, want.Stored) {
		t.Errorf("stored: got %q, want %q", got.Stored, want.Stored)
	}
	if got.Left != want.Left {
		t.Errorf("descriptors beyond those before: got %d, want %d", got.Left, want.Left)
	}
	for _, variable := range got.Environment {
		if strings.HasPrefix(variable, "LISTEN_") {
			t.Errorf("left in the environment: %s", variable)
		}
		if strings.HasPrefix(variable, "ANDROID_SOCKET_") && got.Source != "LISTEN_FDS" {
			t.Errorf("left in the environment: %s", variable)
		}
	}
}

func TestSocketsErrors(t *testing.T) {
	stream, free := "stream:"+abstract(), "stream:"+abstract()
	a, network, file := bound(t, stream), other(t, inet), other(t, pipe)
	tests := []struct {
		name        string
		order       order
		environment []string
		fds         []int
		want        string
	}{
		{"a network socket from systemd", order{OwnPID: true}, []string{"LISTEN_FDS=3"}, []int{a, network, a}, "network socket (AF_INET)"},
		{"nonsense from systemd", order{OwnPID: true}, []string{"LISTEN_FDS=x"}, nil, "LISTEN_FDS is not a number"},
		{"too many from systemd", order{OwnPID: true}, []string{"LISTEN_FDS=1000000000"}, nil, "LISTEN_FDS is not a number"},
		{"a file from Android", order{}, []string{"ANDROID_SOCKET_a=3", "ANDROID_SOCKET_b=4"}, []int{a, file}, "non-socket"},
		{"Android's nonsense", order{}, []string{"ANDROID_SOCKET_a=3", "ANDROID_SOCKET_b=x"}, []int{a}, "ANDROID_SOCKET_b is not a descriptor"},
		{"a flag that names nothing", order{SocketFDs: []int{3, 99}}, nil, []int{a}, "descriptor 99: bad file descriptor"},
		{"an address that is taken", order{Listen: []string{free, stream}}, nil, nil, "address already in use"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := start(t, test.order, test.environment, test.fds...)
			if !strings.Contains(got.Error, test.want) || !strings.HasPrefix(got.Error, "cannot take the sockets of ") {
				t.Errorf("got error %q, want one with %q", got.Error, test.want)
			}
			if got.Source != "none" || got.Sockets != nil {
				t.Errorf("got %v of %s beside the error", got.Sockets, got.Source)
			}
			if got.Left != -len(test.fds) {
				t.Errorf("descriptors beyond those before: got %d, want %d", got.Left, -len(test.fds))
			}
		})
	}
}

func TestWarnMissing(t *testing.T) {
	at := func(addresses ...listen.Address) (all []*listen.Socket) {
		for _, a := range addresses {
			all = append(all, &listen.Socket{Address: a, Transport: a.Type, Listening: a.Type != peer.Datagram})
		}
		return all
	}
	defaults := listen.Defaults()
	connection := &listen.Socket{Address: listen.Address{Type: peer.Stream}}
	tests := []struct {
		name    string
		source  Source
		sockets []*listen.Socket
		want    []string // addresses warned about
	}{
		{"all four", Systemd, at(defaults...), nil},
		{"one is missing", Systemd, at(defaults[1:]...), []string{"stream:@halberd"}},
		{"all but one", SocketFDs, at(defaults[0]), []string{"stream:/run/halberd/io.halberd", "seqpacket:@halberd", "dgram:@halberd"}},
		{"other names", Android, at(listen.Address{Type: peer.Stream, Name: "/dev/socket/halberd"}), []string{"stream:@halberd", "stream:/run/halberd/io.halberd", "seqpacket:@halberd", "dgram:@halberd"}},
		{"a padded name is not the name", Systemd, append(at(defaults[1:]...), at(listen.Address{Type: peer.Stream, Name: "@halberd\x00"})...), []string{"stream:@halberd"}},
		{"a connection alone", Systemd, []*listen.Socket{connection}, nil},
		{"bound by ourselves", Bound, at(defaults[0]), nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var log bytes.Buffer
			warnMissing(slog.New(slog.NewTextHandler(&log, nil)), test.source, test.sockets)
			got := strings.Count(log.String(), "level=WARN")
			if got != len(test.want) {
				t.Errorf("warnings: got %d, want %d:\n%s", got, len(test.want), log.String())
			}
			for _, address := range test.want {
				if !strings.Contains(log.String(), "address="+address+" ") {
					t.Errorf("no warning about %s:\n%s", address, log.String())
				}
			}
		})
	}
}

// What is missing is said at once, by the same call that gives the rest.
func TestSocketsWarn(t *testing.T) {
	stream := "stream:" + abstract()
	got := start(t, order{OwnPID: true}, []string{"LISTEN_FDS=2", "LISTEN_FDNAMES=s:line-7"}, bound(t, stream), other(t, pipe))
	if n := strings.Count(got.Warnings, "is not bound late"); n != 4 {
		t.Errorf("warnings about missing sockets: got %d, want 4:\n%s", n, got.Warnings)
	}
	if !strings.Contains(got.Warnings, "name=line-7") {
		t.Errorf("no warning about a descriptor that nobody takes:\n%s", got.Warnings)
	}
}

func TestSourceNames(t *testing.T) {
	var got []string
	for s := None; s <= Bound; s++ {
		got = append(got, s.String())
	}
	if want := []string{"none", "LISTEN_FDS", "ANDROID_SOCKET_", "-socket-fd", "-listen"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// The real thing: systemd's own tool opens the socket and starts us at the first connection.
func TestSystemdSocketActivate(t *testing.T) {
	tool, err := exec.LookPath("systemd-socket-activate")
	if err != nil {
		t.Skipf("%v", err)
	}
	tests := []struct{ flag, transport string }{{"", "stream"}, {"--seqpacket", "seqpacket"}, {"--datagram", "dgram"}}
	for _, test := range tests {
		t.Run(test.transport, func(t *testing.T) {
			name := abstract()
			before := []string{tool, "-l", name, "-E", orderVariable + "={}", "-E", "GORACE=atexit_sleep_ms=0"}
			if test.flag != "" {
				before = append(before, test.flag)
			}
			cmd := command(t, before...)
			var out bytes.Buffer
			cmd.Stdout = &out
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			knock(t, test.transport, name)
			if err := cmd.Wait(); err != nil {
				t.Fatal(err)
			}
			if want := listening(test.transport + ":" + name)[0]; !strings.Contains(out.String(), `"`+want+`"`) {
				t.Errorf("got %s, want %s", out.String(), want)
			}
		})
	}
}

// knock connects until somebody listens, which nothing announces.
func knock(t *testing.T, transport, name string) {
	t.Helper()
	a, err := listen.Parse(transport + ":" + name)
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if dial(t, a) == nil {
			return
		}
	}
	t.Fatalf("nobody listens on %v", a)
}
