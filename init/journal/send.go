package journal

import (
	"encoding/binary"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// The journal's own protocol, as systemd documents it (JOURNAL_NATIVE_PROTOCOL). These lines stand in for go-systemd's package, which imports net: 600 KB of the ARMv7 binary for one datagram socket.

// address is where the journal listens.
const address = "/run/systemd/journal/socket"

// isStream reports whether a descriptor is the stream that JOURNAL_STREAM names, by device and inode.
func isStream(variable string, fd int) bool {
	var stat unix.Stat_t
	return variable != "" && unix.Fstat(fd, &stat) == nil && variable == fmt.Sprintf("%d:%d", stat.Dev, stat.Ino)
}

// dial gives a socket to the journal. Sending never waits: a journal that does not keep up loses records, and nobody waits for it.
func dial(address string) (socket int, err error) {
	socket, err = unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, err
	}
	if err := unix.Connect(socket, &unix.SockaddrUnix{Name: address}); err != nil {
		unix.Close(socket)
		return -1, err
	}
	return socket, nil
}

// entry makes a record: a line for each field, or where the value has lines itself, its length before it.
func entry(message string, priority int, fields map[string]string) []byte {
	b := appendField(nil, "PRIORITY", strconv.Itoa(priority))
	b = appendField(b, "MESSAGE", message)
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		b = appendField(b, name, fields[name])
	}
	return b
}

func appendField(b []byte, name, value string) []byte {
	b = append(b, name...)
	if strings.Contains(value, "\n") {
		b = append(b, '\n')
		b = binary.LittleEndian.AppendUint64(b, uint64(len(value)))
	} else {
		b = append(b, '=')
	}
	return append(append(b, value...), '\n')
}

// journal is a socket to the journal.
type journal struct {
	socket int

	mu      sync.Mutex
	dropped int // records that it had no room for
}

// send sends a record, and before it how many were dropped. What finds no room is dropped itself.
func (j *journal) send(record []byte) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.dropped > 0 {
		n := strconv.Itoa(j.dropped)
		if send(j.socket, entry(lost+" dropped="+n, priority(slog.LevelWarn), map[string]string{"HALBERD_DROPPED": n})) == nil {
			j.dropped = 0
		}
	}
	if j.dropped > 0 {
		j.dropped++
		return unix.EAGAIN
	}
	err := send(j.socket, record)
	if err != nil {
		j.dropped++
	}
	return err
}

// send sends a record. One that is too long for a datagram goes as a file in memory that is sealed.
func send(socket int, entry []byte) error {
	err := unix.Sendto(socket, entry, unix.MSG_NOSIGNAL, nil)
	if err == unix.EMSGSIZE || err == unix.ENOBUFS {
		err = sendFile(socket, entry)
	}
	if err != nil {
		return fmt.Errorf("cannot write to the journal: %w", err)
	}
	return nil
}

func sendFile(socket int, entry []byte) error {
	fd, err := unix.MemfdCreate("halberd-record", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if _, err := unix.Write(fd, entry); err != nil {
		return err
	}
	const all = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE | unix.F_SEAL_SEAL
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, all); err != nil {
		return err
	}
	return unix.Sendmsg(socket, nil, unix.UnixRights(fd), nil, unix.MSG_NOSIGNAL)
}
