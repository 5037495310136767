package journal

import (
	"fmt"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// pipeBuf is how much a pipe takes that can be written at all (pipe(7): PIPE_BUF).
const pipeBuf = 4096

// stderr writes lines to standard error, and waits for nobody who is to read them: a pipe that nobody reads, or a terminal that was stopped, must not hold up the loop. A line that finds no room is
// dropped and counted, and the count is written before the next one.
type stderr struct {
	write func(p []byte) (int, error) // as much as there is room for

	mu      sync.Mutex
	rest    []byte // of a line whose beginning is written
	dropped int
}

func newStderr(fd int) *stderr { return &stderr{write: writerOf(fd)} }

// writerOf gives what writes to a descriptor without waiting. The flags of a descriptor belong to whoever shares it, as the shell that has the terminal: so what can be opened anew is.
func writerOf(fd int) func([]byte) (int, error) {
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return func([]byte) (int, error) { return 0, err }
	}
	switch stat.Mode & unix.S_IFMT {
	case unix.S_IFREG: // no disk is waited for longer than for anything else
		return func(p []byte) (int, error) { return unix.Write(fd, p) }
	case unix.S_IFSOCK:
		return func(p []byte) (int, error) {
			return unix.SendmsgN(fd, p, nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
		}
	}
	own, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", fd), unix.O_WRONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return func(p []byte) (int, error) { return writeAsked(fd, p) }
	}
	return func(p []byte) (int, error) { return unix.Write(own, p) }
}

// writeAsked writes to what cannot be opened anew, as another user's pipe: it asks before each piece whether there is room. Somebody else who writes to the same pipe can take it in between; that alone is waited for.
func writeAsked(fd int, p []byte) (int, error) {
	poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
	if n, err := unix.Poll(poll, 0); err != nil || n == 0 {
		return 0, unix.EAGAIN
	}
	return unix.Write(fd, p[:min(len(p), pipeBuf)])
}

// Write writes a line, or drops it. It never fails: there is nobody to tell.
func (w *stderr) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.catchUp() || !w.begin(line) {
		w.dropped++
	}
	return len(line), nil
}

// catchUp writes what comes before the next line, and reports whether all of it is written.
func (w *stderr) catchUp() bool {
	w.rest = w.rest[w.put(w.rest):]
	if len(w.rest) > 0 {
		return false
	}
	if w.dropped == 0 {
		return true
	}
	if !w.begin(fmt.Appendf(nil, "time=%s level=WARN msg=%q dropped=%d\n", time.Now().Format("2006-01-02T15:04:05.000Z07:00"), lost, w.dropped)) {
		return false
	}
	w.dropped = 0
	return len(w.rest) == 0
}

// begin writes a line as far as it goes; the rest comes later. It reports false where nothing of it is written.
func (w *stderr) begin(line []byte) bool {
	n := w.put(line)
	if n > 0 {
		w.rest = append(w.rest[:0], line[n:]...)
	}
	return n > 0
}

// put writes as much as there is room for.
func (w *stderr) put(p []byte) (written int) {
	for written < len(p) {
		n, err := w.write(p[written:])
		switch {
		case err == unix.EINTR:
		case err != nil || n <= 0:
			return written
		default:
			written += n
		}
	}
	return written
}
