package sim

import (
	"fmt"
	"strconv"
	"strings"
	"unsafe"

	gpiocdev "github.com/warthog618/go-gpiocdev/uapi"
	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal/uapi"
)

// procNode is what /proc/self says about a descriptor: the link fd/N, and the file fdinfo/N, which tells the lines of a request as linereq_show_fdinfo does. It is nil for any other path.
func (k *Kernel) procNode(path string) (*node, error) {
	link, isLink := strings.CutPrefix(path, "/proc/self/fd/")
	info, isInfo := strings.CutPrefix(path, "/proc/self/fdinfo/")
	if !isLink && !isInfo {
		return nil, nil
	}
	fd, err := strconv.Atoi(link)
	if isInfo {
		fd, err = strconv.Atoi(info)
	}
	if err != nil {
		return nil, unix.ENOENT
	}
	h, err := k.handle(fd)
	if err != nil { // nothing of the board's
		return realNode(path)
	}
	r, is := h.file.(*request)
	switch {
	case isInfo:
		text := "pos:\t0\nflags:\t02000002"
		if is && !k.silent {
			text += r.fdinfo()
		}
		return &node{attr: constant(text)}, nil
	case is:
		return &node{target: "anon_inode:gpio-line"}, nil
	}
	return &node{target: "/dev/null"}, nil
}

// realNode is what the kernel below says about a descriptor.
func realNode(path string) (*node, error) {
	target := make([]byte, unix.PathMax)
	n, err := unix.Readlink(path, target)
	if err != nil {
		return nil, err
	}
	return &node{target: string(target[:n])}, nil
}

func (r *request) fdinfo() string {
	text := fmt.Sprintf("\ngpio-chip:\t%s", r.chip.name)
	for _, l := range r.lines {
		text += fmt.Sprintf("\ngpio-line:\t%d", l.offset)
	}
	return text
}

// Requested is the descriptor that an ioctl gave which requested GPIO lines, or 0 for any other ioctl: for tests that play a process, which has it then.
func Requested(number uint, argument unsafe.Pointer) (fd int) {
	if number != uapi.GPIOGetLine {
		return 0
	}
	return int((*gpiocdev.LineRequest)(argument).Fd)
}
