// Package activate says which sockets the daemon has: those that an init system opened for it, or else those that it binds itself.
//
// The first source that gives any socket gives them all. What is missing then is warned about and never bound late: by that time, an app may have
// taken the name.
package activate

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"

	"github.com/halberd-io/halberd/service/listen"
)

// Source is where the sockets came from.
type Source uint8

// The sources, in the order in which they are asked.
const (
	None      Source = iota
	Systemd          // LISTEN_FDS of systemd, or of dinit
	Android          // ANDROID_SOCKET_<name>
	SocketFDs        // Options.SocketFDs
	Bound            // Options.Listen, or the defaults
)

// String names the source as a log says it.
func (s Source) String() string {
	return [...]string{"none", "LISTEN_FDS", "ANDROID_SOCKET_", "-socket-fd", "-listen"}[s]
}

// Options is what the command line says about sockets.
type Options struct {
	SocketFDs []int            // descriptors that were inherited (-socket-fd); they become the sockets'
	Listen    []listen.Address // addresses to bind (-listen); listen.Defaults where there is none
	Log       *slog.Logger     // warnings; nil for none

	// Stored takes a descriptor that systemd passed and that is no socket: one that was put into its descriptor store, under that name (as
	// LISTEN_FD_<n> where it gave none). The descriptor is close-on-exec and becomes the function's. Without one, it is warned about and closed.
	Stored func(name string, fd int)
}

// Sockets returns all sockets and where they came from. It takes the variables that it reads out of the environment, so that no child inherits
// them. On an error, everything that was inherited or bound is closed. It may block for as long as bind(2) does.
func Sockets(opt Options) ([]*listen.Socket, Source, error) {
	if opt.Log == nil {
		opt.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	sources := [...]struct {
		source Source
		open   func(*Options) ([]*listen.Socket, error)
	}{{Systemd, fromSystemd}, {Android, fromAndroid}, {SocketFDs, fromFlags}, {Bound, bind}}
	for _, s := range sources {
		sockets, err := s.open(&opt)
		if err != nil {
			return nil, None, errors.Join(fmt.Errorf("cannot take the sockets of %v: %w", s.source, err), closeAll(sockets))
		}
		if len(sockets) > 0 {
			warnMissing(opt.Log, s.source, sockets)
			return sockets, s.source, nil
		}
	}
	return nil, None, errors.New("cannot serve: there is no socket")
}

// bind makes the sockets ourselves. Those made before an error are returned with it.
func bind(opt *Options) ([]*listen.Socket, error) {
	addresses := opt.Listen
	if len(addresses) == 0 {
		addresses = listen.Defaults()
	}
	var sockets []*listen.Socket
	for _, a := range addresses {
		s, err := listen.Bind(a)
		if err != nil {
			return sockets, err
		}
		sockets = append(sockets, s)
	}
	return sockets, nil
}

func closeAll(sockets []*listen.Socket) error {
	var errs []error
	for _, s := range sockets {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}

// warnMissing says which of the four addresses an inherited set lacks. A set that is a connection alone, as `varlinkctl exec:` hands over, lacks none.
func warnMissing(log *slog.Logger, source Source, sockets []*listen.Socket) {
	if source == Bound || !slices.ContainsFunc(sockets, reachable) {
		return
	}
	for _, want := range listen.Defaults() {
		if !slices.ContainsFunc(sockets, func(s *listen.Socket) bool { return reachable(s) && s.Address == want }) {
			log.Warn("a socket is missing among those inherited, and is not bound late", "address", want.String(), "source", source.String())
		}
	}
}
