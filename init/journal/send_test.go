package journal

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// journald is the receiving end.
func journald(t *testing.T) (address string, next func() string) {
	t.Helper()
	address = filepath.Join(t.TempDir(), "socket")
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrUnix{Name: address})
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return address, func() string {
		t.Helper()
		buf, control := make([]byte, 1<<20), make([]byte, 64)
		n, cn, _, _, err := unix.Recvmsg(fd, buf, control, unix.MSG_CMSG_CLOEXEC)
		if err != nil {
			t.Fatal(err)
		}
		if cn == 0 {
			return string(buf[:n])
		}
		return fromFile(t, control[:cn], buf)
	}
}

// fromFile reads the record that came as a sealed file.
func fromFile(t *testing.T, control, buf []byte) string {
	t.Helper()
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		t.Fatal(err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fds[0])
	if seals, err := unix.FcntlInt(uintptr(fds[0]), unix.F_GET_SEALS, 0); err != nil || seals != 0xf {
		t.Errorf("the file has seals %#x (%v), want all", seals, err)
	}
	n, err := unix.Pread(fds[0], buf, 0)
	if err != nil {
		t.Fatal(err)
	}
	return string(buf[:n])
}

func logger(t *testing.T, address string) *slog.Logger {
	t.Helper()
	socket, err := dial(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(socket) })
	return (&Log{journal: &journal{socket: socket}}).Logger(slog.LevelInfo)
}

// TestRecords: what arrives is what the journal's protocol has for it.
func TestRecords(t *testing.T) {
	address, next := journald(t)
	log := logger(t, address)
	log.Warn("denied", "uid", 1000, "reason", "no grant")
	if got, want := next(), "PRIORITY=4\nMESSAGE=denied uid=1000 reason=no grant\nHALBERD_REASON=no grant\nHALBERD_UID=1000\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	log.Info("two", "text", "a\nb")
	if got, want := next(), "PRIORITY=6\nMESSAGE\n\x0c\x00\x00\x00\x00\x00\x00\x00two text=a\nb\nHALBERD_TEXT\n\x03\x00\x00\x00\x00\x00\x00\x00a\nb\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	long := strings.Repeat("x", 300_000)
	log.Info("three", "text", long)
	if got, want := next(), "PRIORITY=6\nMESSAGE=three text="+long+"\nHALBERD_TEXT="+long+"\n"; got != want {
		t.Errorf("a long record: got %d bytes, want %d", len(got), len(want))
	}
}

// TestFullJournal: nobody waits for a journal that does not read, and how many records it lost is told before the next one.
func TestFullJournal(t *testing.T) {
	address, next := journald(t)
	log := logger(t, address)
	const total = 10_000
	for i := range total {
		log.Info("again", "i", i)
	}
	if got, want := next(), "PRIORITY=6\nMESSAGE=again i=0\nHALBERD_I=0\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	log.Info("the first that finds room, after what is said of the others")
	came, dropped := 1, 0
	for record := next(); dropped == 0; record = next() {
		if _, err := fmt.Sscanf(record, "PRIORITY=4\nMESSAGE=records were dropped: nobody read them dropped=%d\n", &dropped); err == nil {
			break
		}
		if want := fmt.Sprintf("PRIORITY=6\nMESSAGE=again i=%d\nHALBERD_I=%d\n", came, came); record != want {
			t.Fatalf("got %q, want %q", record, want)
		}
		came++
	}
	if came+dropped != total {
		t.Errorf("%d came and %d were dropped, want %d together", came, dropped, total)
	}
	log.Info("at last")
	const one = "PRIORITY=4\nMESSAGE=records were dropped: nobody read them dropped=1\nHALBERD_DROPPED=1\n"
	if got := next(); got != one {
		t.Errorf("got %q, want %q", got, one)
	}
	if got := next(); !strings.Contains(got, "at last") {
		t.Errorf("got %q", got)
	}
}

func TestIsStream(t *testing.T) {
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var stat unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &stat); err != nil {
		t.Fatal(err)
	}
	for variable, want := range map[string]bool{fmt.Sprintf("%d:%d", stat.Dev, stat.Ino): true, fmt.Sprintf("%d:%d", stat.Dev, stat.Ino+1): false, "": false, "nonsense": false} {
		if got := isStream(variable, int(f.Fd())); got != want {
			t.Errorf("%q: got %t, want %t", variable, got, want)
		}
	}
	if _, err := dial(filepath.Join(t.TempDir(), "nobody")); err == nil {
		t.Error("there is a journal where nobody listens")
	}
}
