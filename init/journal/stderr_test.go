package journal

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// pipe gives the ends of a small pipe. Reading does not wait.
func pipe(t *testing.T) (reads, writes int) {
	t.Helper()
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.FcntlInt(uintptr(ends[1]), unix.F_SETPIPE_SZ, 4*pipeBuf); err != nil {
		t.Skipf("F_SETPIPE_SZ: %v", err)
	}
	return finish(t, ends)
}

func finish(t *testing.T, ends [2]int) (reads, writes int) {
	t.Helper()
	t.Cleanup(func() {
		unix.Close(ends[0])
		unix.Close(ends[1])
	})
	if err := unix.SetNonblock(ends[0], true); err != nil {
		t.Fatal(err)
	}
	return ends[0], ends[1]
}

// readAll reads what is there.
func readAll(fd int) string {
	var all strings.Builder
	buf := make([]byte, 1<<16)
	for {
		n, err := unix.Read(fd, buf)
		if n <= 0 || err != nil {
			return all.String()
		}
		all.Write(buf[:n])
	}
}

// TestNobodyReads: whatever standard error is, and however long the lines, nobody waits; the lines that come are whole and in their order, and how many were dropped is told exactly, once.
func TestNobodyReads(t *testing.T) {
	socket := func(t *testing.T) (int, int) {
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		return finish(t, pair)
	}
	asked := func(fd int) func([]byte) (int, error) {
		return func(p []byte) (int, error) { return writeAsked(fd, p) }
	}
	for _, row := range []struct {
		name   string
		open   func(*testing.T) (reads, writes int)
		writer func(fd int) func([]byte) (int, error)
		length int
	}{
		{"a pipe", pipe, writerOf, 100},
		{"a pipe, and long lines", pipe, writerOf, 3*pipeBuf + 1},
		{"a pipe that cannot be opened anew", pipe, asked, 100},
		{"a pipe that cannot be opened anew, and long lines", pipe, asked, 3*pipeBuf + 1},
		{"a socket", socket, writerOf, 1000},
		{"a socket, and long lines", socket, writerOf, 1 << 17},
	} {
		t.Run(row.name, func(t *testing.T) {
			reads, writes := row.open(t)
			w := &stderr{write: row.writer(writes)}
			const rounds, lines = 3, 500
			number, got := 0, ""
			for range rounds {
				for range lines {
					fmt.Fprintf(w, "%d %s\n", number, strings.Repeat("x", row.length))
					number++
				}
				got += readAll(reads)
			}
			for range 10 {
				fmt.Fprintf(w, "%d %s\n", number, strings.Repeat("x", row.length))
				number++
				got += readAll(reads)
			}
			for !w.catchUp() {
				got += readAll(reads)
			}
			got += readAll(reads)
			check(t, got, number, row.length)
		})
	}
}

var droppedLine = regexp.MustCompile(`^time=\S+ level=WARN msg="records were dropped: nobody read them" dropped=(\d+)$`)

// check expects each of so many lines, or to be told that it was dropped.
func check(t *testing.T, got string, number, length int) {
	t.Helper()
	next, told := 0, 0
	for _, line := range strings.Split(strings.TrimSuffix(got, "\n"), "\n") {
		if m := droppedLine.FindStringSubmatch(line); m != nil {
			var n int
			fmt.Sscan(m[1], &n)
			next, told = next+n, told+1
			continue
		}
		if want := fmt.Sprintf("%d %s", next, strings.Repeat("x", length)); line != want {
			t.Fatalf("got a line of %d bytes %.60q, want %.20q", len(line), line, want)
		}
		next++
	}
	if next != number || told == 0 {
		t.Errorf("%d lines came or were told of as dropped, %d times, want %d", next, told, number)
	}
}

// TestReaderThatIsGone: nobody is told, and nothing ends by a signal.
func TestReaderThatIsGone(t *testing.T) {
	reads, writes := pipe(t)
	w := newStderr(writes)
	unix.Close(reads)
	for range 10 {
		if n, err := fmt.Fprintln(w, "hello"); n != 6 || err != nil {
			t.Errorf("got %d, %v", n, err)
		}
	}
	if w.dropped != 10 {
		t.Errorf("%d are counted, want 10", w.dropped)
	}
}

// TestFlagsOfStandardError: they are left alone, since others share them.
func TestFlagsOfStandardError(t *testing.T) {
	_, writes := pipe(t)
	fmt.Fprintln(newStderr(writes), "hello")
	if flags, err := unix.FcntlInt(uintptr(writes), unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK != 0 {
		t.Errorf("the flags are %#x, %v", flags, err)
	}
}

// TestFileAsStandardError: it is written where it stands, behind what others have written.
func TestFileAsStandardError(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := newStderr(int(f.Fd()))
	fmt.Fprintln(f, "others")
	for range 2000 {
		fmt.Fprintln(w, "ours")
	}
	got, err := os.ReadFile(f.Name())
	if want := "others\n" + strings.Repeat("ours\n", 2000); string(got) != want || err != nil {
		t.Errorf("got %d bytes, %v, want %d", len(got), err, len(want))
	}
	if closed := newStderr(1 << 20); closed.dropped != 0 {
		t.Error("something is dropped before it is written")
	} else if fmt.Fprintln(closed, "ours"); closed.dropped != 1 {
		t.Errorf("of a descriptor that is closed %d lines are dropped, want 1", closed.dropped)
	}
}
