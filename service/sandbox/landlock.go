package sandbox

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Access is what can be done with files, and with those below a folder.
type Access uint64

// Kinds of access, to be combined.
const (
	Read    Access = unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_READ_DIR
	Write   Access = unix.LANDLOCK_ACCESS_FS_WRITE_FILE
	Control Access = unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
	Remove  Access = unix.LANDLOCK_ACCESS_FS_REMOVE_FILE
	// Keep is what a folder of one's own needs: regular files come, are replaced, and go.
	Keep = Read | Write | Remove | unix.LANDLOCK_ACCESS_FS_MAKE_REG | unix.LANDLOCK_ACCESS_FS_TRUNCATE
)

// Path is a file, or a folder with all below it, and what can be done there.
type Path struct {
	Name   string
	Access Access
}

// ofFiles are the rights that a rule for something else than a folder can have.
const ofFiles = unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_TRUNCATE | unix.LANDLOCK_ACCESS_FS_IOCTL_DEV

// atFirst are the rights that Landlock could take when it came: all up to making symbolic links.
const atFirst = unix.LANDLOCK_ACCESS_FS_MAKE_SYM<<1 - 1

// since lists what came later: what it is called where it is missing, and the rights. Links between folders were refused altogether before they had a right of their own.
var since = []struct {
	abi  int
	what string
	fs   uint64
	net  uint64
}{
	{2, "", unix.LANDLOCK_ACCESS_FS_REFER, 0},
	{3, "truncation (6.2)", unix.LANDLOCK_ACCESS_FS_TRUNCATE, 0},
	{4, "TCP (6.7)", 0, unix.LANDLOCK_ACCESS_NET_BIND_TCP | unix.LANDLOCK_ACCESS_NET_CONNECT_TCP},
	{5, "ioctl (6.10)", unix.LANDLOCK_ACCESS_FS_IOCTL_DEV, 0},
}

// handled gives all the rights that a version of Landlock takes, unless a rule gives them back, and what it cannot take.
func handled(abi int) (attr unix.LandlockRulesetAttr, lacks []string) {
	attr.Access_fs = atFirst
	for _, s := range since {
		switch {
		case s.abi <= abi:
			attr.Access_fs |= s.fs
			attr.Access_net |= s.net
		case s.what != "":
			lacks = append(lacks, s.what)
		}
	}
	return attr, lacks
}

// restrictFiles takes all files away but those of paths.
func restrictFiles(paths []Path) (held string, missing error) {
	abi, err := landlock(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if err != nil {
		return "", fmt.Errorf("cannot restrict files with Landlock: %w", err)
	}
	attr, lacks := handled(abi)
	if err := enforce(&attr, paths); err != nil {
		return "", fmt.Errorf("cannot restrict files with Landlock: %w", err)
	}
	if len(lacks) > 0 {
		missing = fmt.Errorf("cannot restrict %s with this kernel's Landlock", strings.Join(lacks, ", "))
	}
	return fmt.Sprintf("Landlock %d", abi), missing
}

// enforce makes a set of rules and puts it in force.
func enforce(attr *unix.LandlockRulesetAttr, paths []Path) error {
	set, err := landlock(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(attr)), unsafe.Sizeof(*attr), 0)
	if err != nil {
		return err
	}
	defer unix.Close(set)
	for _, p := range paths {
		if err := permit(set, p, attr.Access_fs); err != nil && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("%s: %w", p.Name, err)
		}
	}
	return allThreads(unix.SYS_LANDLOCK_RESTRICT_SELF, uintptr(set), 0, 0)
}

// permit adds the rule for a path, of the rights that the set knows.
func permit(set int, p Path, known uint64) error {
	fd, err := unix.Open(p.Name, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return err
	}
	rule := unix.LandlockPathBeneathAttr{Allowed_access: uint64(p.Access) & known, Parent_fd: int32(fd)}
	if stat.Mode&unix.S_IFMT != unix.S_IFDIR {
		rule.Allowed_access &= ofFiles
	}
	if rule.Allowed_access == 0 {
		return nil
	}
	_, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(set), unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&rule)), 0, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// landlock makes one of its calls. What is given as an address stays where it is.
//
//go:uintptrescapes
func landlock(call, a, b, c uintptr) (int, error) {
	n, _, errno := unix.Syscall(call, a, b, c)
	switch errno {
	case 0:
		return int(n), nil
	case syscall.EOPNOTSUPP:
		return -1, fmt.Errorf("it is switched off: %w", errno)
	}
	return -1, tell(errno)
}
