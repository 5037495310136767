package activate

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

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

// firstPassed is SD_LISTEN_FDS_START of sd_listen_fds(3).
const firstPassed = 3

// systemdDescriptors takes what LISTEN_FDS announces, if LISTEN_PID says that it is for us, and takes the variables out of the environment.
// Those read before an error are returned with it.
//
// These lines stand in for go-systemd's package of the same purpose, which imports crypto/tls for its network listeners: 1 MB of the ARMv7 binary,
// and its start-up work, for code that nothing here can call.
func systemdDescriptors() ([]inherited, error) {
	pid, count, names := os.Getenv("LISTEN_PID"), os.Getenv("LISTEN_FDS"), os.Getenv("LISTEN_FDNAMES")
	for _, name := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
		_ = os.Unsetenv(name) // cannot fail for a name of this form
	}
	if pid != strconv.Itoa(os.Getpid()) {
		return nil, nil
	}
	all, err := announced(count, names)
	if err != nil {
		return nil, err
	}
	for i, one := range all {
		if _, err := unix.FcntlInt(uintptr(one.fd), unix.F_SETFD, unix.FD_CLOEXEC); err != nil {
			return all[:i], fmt.Errorf("LISTEN_FDS announces descriptor %d: %w", one.fd, err)
		}
	}
	return all, nil
}

// announced lists the descriptors that LISTEN_FDS and LISTEN_FDNAMES announce. One without a name is called after its number.
func announced(count, listed string) ([]inherited, error) {
	if count == "" {
		return nil, nil
	}
	n, err := strconv.Atoi(count)
	if err != nil || n < 0 || n > maxPassed {
		return nil, fmt.Errorf("LISTEN_FDS is not a number of descriptors: %q", count)
	}
	names := strings.Split(listed, ":")
	var all []inherited
	for i := range n {
		one := inherited{"LISTEN_FD_" + strconv.Itoa(firstPassed+i), firstPassed + i}
		if i < len(names) && names[i] != "" {
			one.name = names[i]
		}
		all = append(all, one)
	}
	return all, nil
}

// maxPassed is far more than a service manager passes, and keeps a bad number from being counted to.
const maxPassed = 4096

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
	all, err := androidDescriptors()
	if err != nil {
		closeFDs(all)
		return nil, err
	}
	return classifyAll(all)
}

// androidDescriptors empties the environment of them. Those read beside an error are returned with it.
func androidDescriptors() ([]inherited, error) {
	all, names, err := androidIn(os.Environ())
	for _, name := range names {
		_ = os.Unsetenv(name) // cannot fail for a name that was there
	}
	return all, err
}

// androidIn finds the descriptors in an environment, ordered by name, and the names of their variables.
func androidIn(environment []string) (all []inherited, names []string, err error) {
	var errs []error
	for _, variable := range environment {
		name, value, _ := strings.Cut(variable, "=")
		if !strings.HasPrefix(name, androidPrefix) {
			continue
		}
		names = append(names, name)
		fd, err := strconv.Atoi(value)
		if err != nil || fd < 0 {
			errs = append(errs, fmt.Errorf("%s is not a descriptor: %q", name, value))
			continue
		}
		all = append(all, inherited{name, fd})
	}
	slices.SortFunc(all, func(a, b inherited) int { return strings.Compare(a.name, b.name) })
	return all, names, errors.Join(errs...)
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
