package servicetest

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/service/listen"
	"github.com/halberd-io/halberd/service/peer"
)

// Impostor is a process of any identity that listens where a client may take it for the daemon. It never answers.
type Impostor struct {
	Name  string // its abstract name, with the @
	lines *bufio.Scanner
}

// Pose starts an impostor on one kind of socket, a stream or packets, which ends with the test.
func Pose(t testing.TB, as As, kind peer.Transport) *Impostor {
	t.Helper()
	i := &Impostor{Name: fmt.Sprintf("@halberd-test-%d-%d", os.Getpid(), count.Add(1))}
	cmd := Command(t, i.Name)
	cmd.Env = append(os.Environ(), childVariable+"=impostor "+kind.String())
	cmd.Stderr = os.Stderr
	as.Apply(cmd)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { end(t, cmd) })
	i.lines = bufio.NewScanner(out)
	if i.next(t) != "listening" {
		t.Fatal("the impostor says something else than that it listens")
	}
	return i
}

func end(t testing.TB, cmd *exec.Cmd) {
	if err := cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait() // it was killed
}

func (i *Impostor) next(t testing.TB) string {
	t.Helper()
	if !i.lines.Scan() {
		t.Fatalf("the impostor ended: %v", i.lines.Err())
	}
	text, err := strconv.Unquote(i.lines.Text())
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Received waits until a client has ended its connection, and gives all that the client sent on it. Each connection is told once, in their order.
func (i *Impostor) Received(t testing.TB) string {
	t.Helper()
	return i.next(t)
}

// pose is the child: it prints what each client sends, as one quoted line a client.
func pose(kind, name string) int {
	socket, err := listen.Bind(listen.Address{Type: transport(kind), Name: name})
	if err == nil {
		err = unix.SetNonblock(socket.FD, false)
	}
	for said := "listening"; err == nil; {
		fmt.Println(strconv.Quote(said))
		var fd int
		if fd, _, err = unix.Accept4(socket.FD, unix.SOCK_CLOEXEC); err == nil {
			said, err = everything(fd)
			unix.Close(fd)
		}
	}
	fmt.Fprintln(os.Stderr, "the impostor:", err)
	return 1
}

func everything(fd int) (string, error) {
	var all []byte
	buf := make([]byte, 1<<16)
	for {
		n, err := unix.Read(fd, buf)
		switch {
		case err == unix.EINTR:
		case err == unix.ECONNRESET || err == nil && n == 0:
			return string(all), nil
		case err != nil:
			return string(all), err
		default:
			all = append(all, buf[:n]...)
		}
	}
}
