package client

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

var transports = []string{"stream", "seqpacket", "dgram"}

// asked is a call as a server reads it.
type asked struct {
	Method       string
	Parameters   map[string]any
	Oneway, More bool
	text         string
}

// far is the server's end of a connection, or its datagram socket.
type far struct {
	*net.UnixConn
	kind   string
	client *net.UnixAddr // who sent the last datagram
	lines  *bufio.Reader
	packet []byte
}

func newFar(kind string, c *net.UnixConn) *far {
	return &far{UnixConn: c, kind: kind, lines: bufio.NewReader(c), packet: make([]byte, 2*maxMessage)}
}

// next reads the next call; false at the end of the connection.
func (f *far) next() (asked, bool) {
	text, err := f.read()
	if err != nil {
		return asked{}, false
	}
	call := asked{text: string(text)}
	if err := json.Unmarshal(text, &call); err != nil {
		return asked{text: fmt.Sprintf("bad call %q: %v", text, err)}, true
	}
	return call, true
}

func (f *far) read() ([]byte, error) {
	if f.kind == "stream" {
		text, err := f.lines.ReadBytes(0)
		return bytes.TrimSuffix(text, []byte{0}), err
	}
	n, from, err := f.ReadFromUnix(f.packet)
	if n == 0 && f.kind == "seqpacket" {
		err = io.EOF
	}
	f.client = from
	return f.packet[:n], err
}

// reply sends one reply, framed as the transport has it, with descriptors.
func (f *far) reply(text string, files ...*os.File) error {
	if f.kind == "stream" {
		text += "\x00"
	}
	var rights []byte
	if len(files) > 0 {
		var fds []int
		for _, file := range files {
			fds = append(fds, int(file.Fd()))
		}
		rights = unix.UnixRights(fds...)
	}
	to := f.client
	if f.kind != "dgram" {
		to = nil
	}
	_, _, err := f.WriteMsgUnix([]byte(text), rights, to)
	return err
}

// echo answers every call with its own parameters.
func echo(f *far) {
	for call, ok := f.next(); ok; call, ok = f.next() {
		if !call.Oneway {
			f.reply(echoed(call))
		}
	}
}

func echoed(call asked) string {
	text, _ := json.Marshal(map[string]any{"parameters": call.Parameters})
	return string(text)
}

// server is a server on a real socket. It runs handle for each connection, one at a time where they come so, and once for a datagram socket.
type server struct {
	address string
	handle  func(*far)
	stop    func() error
	wait    sync.WaitGroup
	mu      sync.Mutex
	open    []*far
	all     int // connections so far
}

// listen starts a server, which ends with the test.
func listen(t *testing.T, kind string, handle func(*far)) *server {
	t.Helper()
	return listenAt(t, kind+":@halberd-"+rand.Text(), handle)
}

func listenAt(t *testing.T, address string, handle func(*far)) *server {
	t.Helper()
	s, err := newServer(address, handle)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.end)
	return s
}

func newServer(address string, handle func(*far)) (*server, error) {
	kind, name, _ := strings.Cut(address, ":")
	s := &server{address: address, handle: handle}
	if kind == "dgram" {
		c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
		if err != nil {
			return nil, err
		}
		s.stop = c.Close
		s.start(newFar(kind, c))
		return s, nil
	}
	network := map[string]string{"stream": "unix", "seqpacket": "unixpacket"}[kind]
	l, err := net.ListenUnix(network, &net.UnixAddr{Name: name, Net: network})
	if err != nil {
		return nil, err
	}
	s.stop = l.Close
	s.wait.Go(func() { s.accept(kind, l) })
	return s, nil
}

func (s *server) accept(kind string, l *net.UnixListener) {
	for {
		c, err := l.AcceptUnix()
		if err != nil {
			return
		}
		s.start(newFar(kind, c))
	}
}

func (s *server) start(f *far) {
	s.mu.Lock()
	s.all++
	s.open = append(s.open, f)
	s.mu.Unlock()
	s.wait.Go(func() {
		defer f.Close()
		s.handle(f)
	})
}

// connections is how many there were.
func (s *server) connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all
}

// end closes everything and waits for the handlers. It may be called twice.
func (s *server) end() {
	s.stop()
	s.mu.Lock()
	for _, f := range s.open {
		f.Close()
	}
	s.mu.Unlock()
	s.wait.Wait()
}

// connectTo dials, and closes at the end of the test.
func connectTo(t *testing.T, address string, options ...Option) *Client {
	t.Helper()
	c, err := Dial(t.Context(), address, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// call makes an ordinary call to a server that answers as echo does, and tells what was wrong with it.
func call(c *Client, value int) error {
	var got struct{ Value int }
	if err := c.Call(context.Background(), "io.halberd.Test.Echo", map[string]int{"value": value}, &got); err != nil {
		return err
	}
	if got.Value != value {
		return fmt.Errorf("got the answer %d, want %d", got.Value, value)
	}
	return nil
}

// until waits for what no event announces, like the end of another goroutine. The limit is not what is tested: it turns a hang into a failure.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for limit := time.Now().Add(time.Minute); !done(); runtime.Gosched() {
		if time.Now().After(limit) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// want checks an error.
func want(t *testing.T, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("got error %v, want %v", got, want)
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(names)
}
