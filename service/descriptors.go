package service

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// spareDescriptors are kept for what is not counted as connections: devices that are plugged in later, descriptors that are passed, files that are read.
const spareDescriptors = 128

// fitDescriptors lowers the limits where the kernel does not give this process a descriptor for each connection. The runtime has raised the soft limit to the hard
// one already.
func (s *Server) fitDescriptors() error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("cannot read the limit of descriptors: %w", err)
	}
	used := openDescriptors() + maxRefused + spareDescriptors
	room := int(min(limit.Cur, 1<<30)) - used
	if room >= s.limits.connections {
		return nil
	}
	if room < 2 {
		return fmt.Errorf("cannot serve with a limit of %d descriptors (RLIMIT_NOFILE): %d are needed beside those of connections", limit.Cur, used)
	}
	s.log.Warn("fewer connections are served than configured, since there are not enough descriptors (RLIMIT_NOFILE)",
		"connections", room, "configured", s.limits.connections, "descriptors", limit.Cur)
	s.limits.connections = room
	s.limits.rootConnections = min(s.limits.rootConnections, room/2)
	return nil
}

// openDescriptors counts those of this process. Without /proc there are none to be seen, and a full table is met when it comes.
func openDescriptors() int {
	dir, err := os.Open("/proc/self/fd")
	if err != nil {
		return 0
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	return len(names)
}
