package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/halberd-io/halberd/service/peer"
	"github.com/halberd-io/halberd/service/servicetest"
)

// programVariable tells the test binary that it is started as halctl.
const programVariable = "HALBERD_TEST_HALCTL"

func TestMain(m *testing.M) {
	if os.Getenv(programVariable) != "" {
		main()
	}
	servicetest.Main(m)
}

// transports are the three kinds of socket, connections those of them that have one.
var (
	transports  = []peer.Transport{peer.Stream, peer.Seqpacket, peer.Datagram}
	connections = transports[:2]
)

// buffer is what a program prints. It may be read while the program runs.
type buffer struct {
	mu    sync.Mutex
	more  sync.Cond
	text  bytes.Buffer
	ended bool
}

func newBuffer() *buffer {
	b := &buffer{}
	b.more.L = &b.mu
	return b
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.more.Broadcast()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func (b *buffer) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = true
	b.more.Broadcast()
}

// await waits until so many lines are there, or the program has ended.
func (b *buffer) await(t *testing.T, lines int) []string {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for strings.Count(b.text.String(), "\n") < lines {
		if b.ended {
			t.Fatalf("the program ended after %q, want %d lines", b.text.String(), lines)
		}
		b.more.Wait()
	}
	return strings.Split(strings.TrimSuffix(b.text.String(), "\n"), "\n")
}

// running is a program in this process.
type running struct {
	stdout, stderr *buffer
	status         chan int
}

// begin runs halctl with these arguments, which ends by itself or with ctx.
func begin(ctx context.Context, args ...string) *running {
	r := &running{newBuffer(), newBuffer(), make(chan int, 1)}
	go func() {
		p := &program{stdout: r.stdout, stderr: r.stderr}
		status := p.run(ctx, args)
		if p.client != nil {
			p.client.Close()
		}
		r.stdout.end()
		r.stderr.end()
		r.status <- status
	}()
	return r
}

// halctl runs halctl with these arguments to its end.
func halctl(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	r := begin(t.Context(), args...)
	status = <-r.status
	return status, r.stdout.String(), r.stderr.String()
}

// at calls a server.
func at(t *testing.T, s *servicetest.Server, kind peer.Transport, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	return halctl(t, append([]string{"-a", s.Address(kind)}, args...)...)
}

// matches compares with a text that may end in … for whatever follows.
func matches(got, want string) bool {
	if prefix, open := strings.CutSuffix(want, "…"); open {
		return strings.HasPrefix(got, prefix)
	}
	return got == want
}

// jsonLines checks that a text is JSON objects, one a line, and gives them.
func jsonLines(t *testing.T, text string) (objects []map[string]any) {
	t.Helper()
	for line := range strings.Lines(text) {
		var object map[string]any
		if err := json.Unmarshal([]byte(line), &object); err != nil {
			t.Errorf("%q is not a JSON object: %v", line, err)
		}
		objects = append(objects, object)
	}
	return objects
}

var names atomic.Int64

// name gives an abstract name that nobody else uses, with its @.
func name() string { return fmt.Sprintf("@halctl-test-%d-%d", os.Getpid(), names.Add(1)) }

// standIn is a daemon that gives every call the same answers, with what was called before. Without answers it says nothing at all.
func standIn(t *testing.T, answers ...string) (address string, calls <-chan string) {
	t.Helper()
	l, err := net.Listen("unix", name())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	heard := make(chan string, 100)
	go func() {
		for c, err := l.Accept(); err == nil; c, err = l.Accept() {
			go answer(c, answers, heard)
		}
	}()
	return "stream:" + l.Addr().String(), heard
}

func answer(c net.Conn, answers []string, heard chan<- string) {
	defer c.Close()
	buf := make([]byte, 1<<16)
	for n, err := c.Read(buf); err == nil; n, err = c.Read(buf) {
		heard <- strings.TrimSuffix(string(buf[:n]), "\x00")
		for _, answer := range answers {
			if _, err := c.Write([]byte(answer + "\x00")); err != nil {
				return
			}
		}
	}
}
