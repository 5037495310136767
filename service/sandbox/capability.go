package sandbox

import (
	"fmt"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// names are those of the capabilities that the daemon may keep.
var names = map[int]string{unix.CAP_SYS_TIME: "CAP_SYS_TIME", unix.CAP_SYS_BOOT: "CAP_SYS_BOOT", unix.CAP_SYS_ADMIN: "CAP_SYS_ADMIN", unix.CAP_WAKE_ALARM: "CAP_WAKE_ALARM"}

// sets are those of a thread, 32 capabilities in each of the two.
type sets [2]unix.CapUserData

// dropCapabilities lets go of all capabilities but some. Where there are no others, nothing is called: systemd's filter would refuse it.
func dropCapabilities(keeping []int) (held string, missing error) {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var has sets
	if err := unix.Capget(&header, &has[0]); err != nil {
		return "", fmt.Errorf("cannot read the capabilities: %w", err)
	}
	left := has.only(keeping)
	if left != has {
		err := allThreads(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&left[0])), 0)
		if err != nil {
			return "", fmt.Errorf("cannot let go of capabilities: %w", err)
		}
	}
	return left.String(), nil
}

// only gives what is left of the sets. Nothing is inheritable.
func (s sets) only(keeping []int) (left sets) {
	for _, c := range keeping {
		i, bit := c/32, uint32(1)<<(c%32)
		left[i].Permitted |= s[i].Permitted & bit
		left[i].Effective |= s[i].Effective & bit
	}
	return left
}

// String names what is there.
func (s sets) String() string {
	var all []string
	for c := range 64 {
		if s[c/32].Permitted&(1<<(c%32)) != 0 {
			name, known := names[c]
			if !known {
				name = fmt.Sprint("capability ", c)
			}
			all = append(all, name)
		}
	}
	if all == nil {
		return "no capabilities"
	}
	return strings.Join(all, " ")
}
