package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/service/client"
	"github.com/halberd-io/halberd/service/listen"
	"github.com/halberd-io/halberd/service/peer"
	"github.com/halberd-io/halberd/service/servicetest"
)

// TestSystemdSocketActivate: systemd's own tool holds the socket, and the first call starts the daemon, which answers it.
func TestSystemdSocketActivate(t *testing.T) {
	tool, err := exec.LookPath("systemd-socket-activate")
	if err != nil {
		t.Skip(err)
	}
	for _, kind := range transports {
		t.Run(kind.String(), func(t *testing.T) {
			at := name()
			args := []string{"-l", at, "-E", "GORACE", "-E", roleVariable + "=" + roleDaemon}
			if kind != peer.Stream {
				args = append(args, map[peer.Transport]string{peer.Seqpacket: "--seqpacket", peer.Datagram: "--datagram"}[kind])
			}
			cmd := daemon(t, "-sim")
			p := start(t, exec.Command(tool, append(args, cmd.Args...)...))
			p.stderr.await(t, "Listening on "+at)
			if strings.Contains(p.stderr.String(), serving) {
				t.Error("it runs before the first call")
			}
			whoAmI(t, kind.String()+":"+at)
			p.stdout.await(t, "served at "+kind.String()+":"+at+".")
			p.terminate(t)
		})
	}
}

// passed starts a daemon with a simulated board to which descriptors are passed as systemd does it: from 3 on, as the variables say.
func passed(t *testing.T, args []string, files []*os.File, variables ...string) *process {
	t.Helper()
	program := daemon(t, append([]string{"-sim"}, args...)...)
	cmd := servicetest.Command(t, program.Args...)
	cmd.Env = append(append(os.Environ(), roleVariable+"="+rolePasser), variables...)
	cmd.ExtraFiles = files
	return start(t, cmd)
}

// TestListenFDs: all kinds of socket at once, and what is missing is said.
func TestListenFDs(t *testing.T) {
	at := name()
	var files []*os.File
	for _, kind := range transports {
		files = append(files, bind(t, kind, at))
	}
	p := passed(t, nil, files, "LISTEN_FDS=3")
	for _, kind := range transports {
		whoAmI(t, kind.String()+":"+at)
	}
	p.stdout.await(t, serving)
	if got, want := p.stdout.String(), fmt.Sprintf("served at stream:%[1]s seqpacket:%[1]s dgram:%[1]s.", at); !strings.Contains(got, want) {
		t.Errorf("it prints %q, want %q in it", got, want)
	}
	for _, address := range listen.Defaults() {
		p.stderr.await(t, `msg="a socket is missing among those inherited, and is not bound late" address=`+address.String()+" source=LISTEN_FDS")
	}
	p.terminate(t)
}

// TestListenFDsOfOthers: descriptors that were meant for another process are not touched.
func TestListenFDsOfOthers(t *testing.T) {
	at, other := name(), name()
	cmd := daemon(t, "-sim", "-listen", "stream:"+at)
	cmd.ExtraFiles = []*os.File{bind(t, peer.Stream, other)}
	cmd.Env = append(cmd.Env, "LISTEN_FDS=1", "LISTEN_PID=1")
	p := start(t, cmd)
	p.stdout.await(t, serving)
	whoAmI(t, "stream:"+at)
	p.terminate(t)
}

// TestListenFDsThatAreNot: what cannot be served ends the daemon with the descriptor's name.
func TestListenFDsThatAreNot(t *testing.T) {
	pair := socketpair(t, unix.AF_UNIX, unix.SOCK_DGRAM)
	p := passed(t, nil, pair[:1], "LISTEN_FDS=1", "LISTEN_FDNAMES=datagrams")
	p.exits(t, 1)
	if got, want := p.stderr.String(), "LISTEN_FDS: datagrams: cannot use descriptor 3: it is a datagram socket without a name"; !strings.Contains(got, want) {
		t.Errorf("got %q, want %q in it", got, want)
	}
}

// TestListenFDsOfANetwork: the network is never served, whoever asks for it.
func TestListenFDsOfANetwork(t *testing.T) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Skipf("cannot make a network socket: %v", err)
	}
	p := passed(t, nil, []*os.File{file(t, fd, "network")}, "LISTEN_FDS=1")
	p.exits(t, 1)
	if got, want := p.stderr.String(), "the network is never served"; !strings.Contains(got, want) {
		t.Errorf("got %q, want %q in it", got, want)
	}
}

// TestAndroid: init binds and passes the number in a variable of the socket's name; listening is left to the service.
func TestAndroid(t *testing.T) {
	path := filepath.Join(folder(t, nil), "halberd")
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrUnix{Name: path})
	}
	if err != nil {
		t.Fatal(err)
	}
	packets := name()
	cmd := daemon(t, "-sim", "-listen", "stream:"+name())
	cmd.ExtraFiles = []*os.File{file(t, fd, path), bind(t, peer.Seqpacket, packets)}
	cmd.Env = append(cmd.Env, "ANDROID_SOCKET_halberd=3", "ANDROID_SOCKET_halberd_packets=4")
	p := start(t, cmd)
	p.stdout.await(t, "served at stream:"+path+" seqpacket:"+packets+".")
	whoAmI(t, "stream:"+path)
	whoAmI(t, "seqpacket:"+packets)
	p.stderr.await(t, "source=ANDROID_SOCKET_")
	p.terminate(t)
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("the path is init's, and not to be removed: %v", err)
	}
}

// TestSocketFD: s6 passes a listening socket as standard input.
func TestSocketFD(t *testing.T) {
	at := name()
	cmd := daemon(t, "-sim", "-socket-fd", "0", "-socket-fd", "0")
	cmd.Stdin = bind(t, peer.Stream, at)
	p := start(t, cmd)
	p.stdout.await(t, "served at stream:"+at+".")
	whoAmI(t, "stream:"+at)
	p.stderr.await(t, "source=-socket-fd")
	p.terminate(t)
}

// TestConnection: a connection that is handed over is served without a word on standard output, and the daemon ends with it.
func TestConnection(t *testing.T) {
	pair := socketpair(t, unix.AF_UNIX, unix.SOCK_STREAM)
	p := passed(t, nil, pair[:1], "LISTEN_FDS=1", "LISTEN_FDNAMES=varlink")
	pair[0].Close()
	if _, err := pair[1].WriteString("{\"method\":\"io.halberd.Policy.WhoAmI\"}\x00"); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 4096)
	n, err := pair[1].Read(buf)
	if got, want := string(buf[:n]), fmt.Sprintf(`{"parameters":{"uid":%d,`, os.Geteuid()); err != nil || !strings.HasPrefix(got, want) {
		t.Errorf("got %q, %v, want %s…", got, err, want)
	}
	pair[1].Close()
	p.exits(t, 0)
	if p.stdout.String() != "" || p.stderr.String() != "" {
		t.Errorf("it prints %q and %q, want nothing", p.stdout, p.stderr)
	}
}

func socketpair(t *testing.T, domain, kind int) []*os.File {
	t.Helper()
	fds, err := unix.Socketpair(domain, kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	return []*os.File{file(t, fds[0], "one"), file(t, fds[1], "other")}
}

// TestFirstSourceGivesAll: where an init system passes a socket, none is bound besides, whatever the command line says.
func TestFirstSourceGivesAll(t *testing.T) {
	at, late := name(), name()
	p := passed(t, []string{"-listen", "stream:" + late}, []*os.File{bind(t, peer.Stream, at)}, "LISTEN_FDS=1")
	whoAmI(t, "stream:"+at)
	if _, err := client.Dial(t.Context(), "stream:"+late); err == nil {
		t.Error("an address was bound late")
	}
	p.terminate(t)
}
