package servicetest

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/service/peer"
)

// Staying is a process that makes calls over one connection, and stays connected until it is killed.
type Staying struct {
	cmd     *exec.Cmd
	replies *bufio.Scanner
}

// Stay starts one, which its caller kills.
func (s *Server) Stay(t testing.TB, kind peer.Transport, messages ...string) *Staying {
	t.Helper()
	cmd := Command(t, s.Name)
	cmd.Env = append(os.Environ(), childVariable+"=staying "+kind.String())
	cmd.Stdin = strings.NewReader(strings.Join(messages, "\n") + "\n")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	return &Staying{cmd, bufio.NewScanner(out)}
}

// Reply waits for the next reply.
func (c *Staying) Reply(t testing.TB) string {
	t.Helper()
	if !c.replies.Scan() {
		t.Fatalf("the child ended: %v", c.replies.Err())
	}
	return c.replies.Text()
}

// Kill ends the process with SIGKILL, wherever it is.
func (c *Staying) Kill(t testing.TB) {
	t.Helper()
	if err := c.cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = c.cmd.Wait() // it was killed
}

// stay is the child: it makes its calls, and waits for its end.
func stay(kind, name string) int {
	r, err := Dial(transport(kind), name)
	if err == nil {
		err = answer(r, os.Stdin)
	}
	for err == nil {
		_ = unix.Pause() // until it is killed
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}
