package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/service/client"
)

// fullPipe is a pipe that has no room, and that nobody reads yet.
func fullPipe(t *testing.T) (reads, writes *os.File) {
	t.Helper()
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	reads, writes = os.NewFile(uintptr(ends[0]), "pipe"), os.NewFile(uintptr(ends[1]), "pipe")
	t.Cleanup(func() { reads.Close() })
	t.Cleanup(func() { writes.Close() })
	room, err := unix.FcntlInt(uintptr(ends[1]), unix.F_SETPIPE_SZ, 4096)
	if err != nil {
		t.Skipf("F_SETPIPE_SZ: %v", err)
	}
	if _, err := unix.Write(ends[1], []byte(strings.Repeat("x", room-1)+"\n")); err != nil {
		t.Fatal(err)
	}
	return reads, writes
}

// TestStandardErrorThatNobodyReads: calls that are logged go on being answered, and what was lost meanwhile is told once somebody reads.
func TestStandardErrorThatNobodyReads(t *testing.T) {
	dir := folder(t, map[string]string{"policy.d/10.toml": "[[grant]]\nid = \"self\"\nusers = [" + fmt.Sprint(os.Geteuid()) + "]\nmethods = [\"io.halberd.Policy.Reload\"]\n"})
	reads, writes := fullPipe(t)
	at := "stream:" + name()
	cmd := daemon(t, "-sim", "-config", dir, "-listen", at)
	cmd.Stderr = writes
	p := start(t, cmd)
	p.stdout.await(t, serving)
	const calls = 100
	call := func() {
		t.Helper()
		c := connect(t, at)
		if err := setPump(t, c); !client.IsError(err, client.PermissionDenied) {
			t.Errorf("got %v, want %s", err, client.PermissionDenied)
		}
		if err := c.Call(t.Context(), "io.halberd.Policy.Reload", nil, nil); err != nil {
			t.Error(err)
		}
		c.Close()
	}
	for range calls {
		call()
	}
	lines := bufio.NewScanner(reads)
	if lines.Scan(); strings.Trim(lines.Text(), "x") != "" {
		t.Errorf("got %q, want what filled the pipe", lines.Text())
	}
	call()
	dropped := 0
	if lines.Scan(); true {
		_, told, _ := strings.Cut(lines.Text(), ` level=WARN msg="records were dropped: nobody read them" dropped=`)
		fmt.Sscan(told, &dropped)
	}
	if dropped < calls { // a reload each, and the records of decisions as far as they go
		t.Errorf("got %q, want to be told of at least %d lost ones", lines.Text(), calls)
	}
	for lines.Scan() && !strings.Contains(lines.Text(), fmt.Sprintf(" msg=reloaded generation=%d", calls+2)) {
		if !strings.HasPrefix(lines.Text(), "time=") {
			t.Errorf("got %q, want a whole line", lines.Text())
		}
	}
	if err := lines.Err(); err != nil {
		t.Error(err)
	}
	p.terminate(t)
}
