// Package sysfs finds devices in /sys and reads and writes their attributes, through a hal.Kernel and through kept descriptors.
//
// Names of class entries are taken from ReadDir or checked by CheckName; an entry is resolved once to its folder below /sys/devices, where its attributes are opened by
// fixed names, and a symbolic link is not followed there.
//
// Source: Linux Documentation/admin-guide/sysfs-rules.rst.
package sysfs

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
)

// CheckName says what is wrong with a name that is to be one component of a path in /sys.
func CheckName(name string) error {
	if name == "" || name == "." || name == ".." || len(name) > 255 {
		return fmt.Errorf("%q is no name of a device in /sys", name)
	}
	for i := 0; i < len(name); i++ {
		c := name[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("._:@+-", c) >= 0 {
			continue
		}
		return fmt.Errorf("%q is no name of a device in /sys: %q cannot stand in it", name, c)
	}
	return nil
}

// List gives the names in a folder of a class or bus, sorted. A folder that is not there is empty, since then the kernel has no such class.
func List(k hal.Kernel, dir string) ([]string, error) {
	names, err := k.ReadDir(dir)
	if err == unix.ENOENT {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot list %s: %w", dir, err)
	}
	return names, nil
}

// maxLinks is how many symbolic links one path may go through, as in the kernel.
const maxLinks = 40

// Resolve gives the absolute path without symbolic links. What is not below /sys is refused.
func Resolve(k hal.Kernel, p string) (string, error) {
	todo, done, links := strings.Split(p, "/"), "/", 0
	for len(todo) > 0 {
		next := path.Join(done, todo[0])
		todo = todo[1:]
		target, err := k.Readlink(next)
		switch {
		case err == unix.EINVAL: // not a link
			done = next
			continue
		case err != nil:
			return "", fmt.Errorf("cannot resolve %s: %w", p, err)
		}
		if links++; links > maxLinks {
			return "", fmt.Errorf("cannot resolve %s: %w", p, unix.ELOOP)
		}
		if path.IsAbs(target) {
			done = "/"
		}
		todo = append(strings.Split(target, "/"), todo...)
	}
	if !strings.HasPrefix(done, "/sys/") {
		return "", fmt.Errorf("cannot resolve %s: %s is not below /sys", p, done)
	}
	return done, nil
}

// Gone reports whether a device that had a folder of this number is not at that path any more, also where another one has come there. An error leaves it in doubt. Unlike a call on the device,
// asking never waits for it.
func Gone(k hal.Kernel, path string, inode uint64) (bool, error) {
	now, err := k.Inode(path)
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENODEV):
		return true, nil
	case err != nil:
		return false, fmt.Errorf("cannot look at %s: %w", path, err)
	}
	return now != inode, nil
}

// There is ENODEV for a device that is gone, as Gone tells. After its node was opened it says whether that was the device's own, and not that of another one with its number.
func There(k hal.Kernel, path string, inode uint64) error {
	gone, err := Gone(k, path, inode)
	if gone {
		return unix.ENODEV
	}
	return err
}
