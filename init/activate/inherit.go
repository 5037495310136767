package activate

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/coreos/go-systemd/v22/activation"
	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/service/listen"
	"github.com/halberd-io/halberd/service/peer"
)

// reachable says whether clients can reach the daemon by this socket, as opposed to a connection that one has already.
func reachable(s *listen.Socket) bool { return s.Listening || s.Transport == peer.Datagram }

// inherited is one descriptor that came from somewhere else.
type inherited struct {
	name string
	fd   int
}

// classifyAll turns descriptors into sockets, in order. On an error, those not reached yet are closed, and the sockets made are returned with it.
func classifyAll(all []inherited) ([]*listen.Socket, error) {
	var sockets []*listen.Socket
	for i, one := range all {
		s, err := listen.Classify(one.fd)
		if err != nil {
			closeFDs(all[i:])
			return sockets, fmt.Errorf("%s: %w", one.name, err)
		}
		sockets = append(sockets, s)
	}
	return sockets, nil
}

func closeFDs(all []inherited) {
	for _, one := range all {
		_ = unix.Close(one.fd)
	}
}

// fromSystemd takes LISTEN_FDS. Beside the sockets it brings what an earlier run left in the descriptor store.
func fromSystemd(opt *Options) ([]*listen.Socket, error) {
	all, err := systemdDescriptors()
	if err != nil {
		closeFDs(all)
		return nil, err
	}
	var sockets []inherited
	for _, one := range all {
		if isSocket(one.fd) {
			sockets = append(sockets, one)
		} else {
			opt.store(one)
		}
	}
	return classifyAll(sockets)
}

// systemdDescriptors returns duplicates, since an os.File closes its descriptor when it is collected, and closes the originals. Those made before an
// error are returned with it.
func systemdDescriptors() ([]inherited, error) {
	var all []inherited
	var errs []error
	for _, f := range activation.Files(true) {
		fd, err := duplicate(f)
		if err != nil {
			errs = append(errs, fmt.Errorf("cannot use %s: %w", f.Name(), err))
			continue
		}
		all = append(all, inherited{f.Name(), fd})
	}
	return all, errors.Join(errs...)
}

// duplicate closes f. It asks by SyscallConn, since Fd would turn the description blocking.
func duplicate(f *os.File) (fd int, err error) {
	defer f.Close()
	conn, err := f.SyscallConn()
	if err != nil {
		return -1, err
	}
	failed := conn.Control(func(from uintptr) {
		fd, err = unix.FcntlInt(from, unix.F_DUPFD_CLOEXEC, 3)
	})
	return fd, errors.Join(failed, err)
}

func isSocket(fd int) bool {
	var st unix.Stat_t
	return unix.Fstat(fd, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFSOCK
}

func (opt *Options) store(one inherited) {
	if opt.Stored != nil {
		opt.Stored(one.name, one.fd)
		return
	}
	opt.Log.Warn("a descriptor that is no socket was inherited, and is closed", "name", one.name)
	_ = unix.Close(one.fd)
}

const androidPrefix = "ANDROID_SOCKET_"

// fromAndroid takes what Android's init puts into ANDROID_SOCKET_<name>, ordered by name.
func fromAndroid(*Options) ([]*listen.Socket, error) {
	var all []inherited
	for _, variable := range os.Environ() {
		name, value, _ := strings.Cut(variable, "=")
		if !strings.HasPrefix(name, androidPrefix) {
			continue
		}
		_ = os.Unsetenv(name) // cannot fail for a name that was there
		fd, err := strconv.Atoi(value)
		if err != nil || fd < 0 {
			closeFDs(all)
			return nil, fmt.Errorf("%s is not a descriptor: %q", name, value)
		}
		all = append(all, inherited{name, fd})
	}
	slices.SortFunc(all, func(a, b inherited) int { return strings.Compare(a.name, b.name) })
	return classifyAll(all)
}

// fromFlags takes the descriptors named on the command line. s6 passes its listening socket as standard input, 0.
func fromFlags(opt *Options) ([]*listen.Socket, error) {
	var all []inherited
	for _, fd := range opt.SocketFDs {
		if !slices.ContainsFunc(all, func(one inherited) bool { return one.fd == fd }) {
			all = append(all, inherited{"-socket-fd " + strconv.Itoa(fd), fd})
		}
	}
	return classifyAll(all)
}
