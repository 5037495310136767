package service

import (
	"bytes"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/service/loop"
)

const (
	// maxUevents is how many messages of the kernel one turn of the loop takes, so that a flood of them leaves the others their turns.
	maxUevents = 64
	// maxUevent is the longest message: the kernel's are 2 KiB of variables and a path.
	maxUevent = 8 << 10
	// calm is the least time between two rescans of a class.
	calm = 100 * time.Millisecond
	// maxTries is how often a class that asks for it is rescanned again, after 100 ms, 200 ms and so on. A chip whose node in /dev does not come in 3 s is left until something else happens.
	maxTries = 5
)

// hotplug listens to the kernel and lets the classes look what came and went. What a message says is only a reason to look: a class compares all that there is, so nothing is lost with a message
// that was.
type hotplug struct {
	server *Server
	fd     int
	buf    []byte
	scans  []*scan
}

// scan is the looking of one class.
type scan struct {
	server *Server
	class  *hal.Class
	timer  *loop.Timer // of the next time; nil where there is none
	due    bool        // and that is as soon as may be
	next   time.Time   // not before
	tries  int
}

// openHotplug opens the kernel's messages. It comes before the classes, so that no device falls in between. Without it the server goes on.
func (s *Server) openHotplug() {
	fd, err := s.config.Kernel.Uevents()
	if err != nil {
		s.log.Warn("cannot listen to the kernel: devices that are plugged in or out are not noticed", "error", err)
		return
	}
	s.hotplug = &hotplug{server: s, fd: fd, buf: make([]byte, maxUevent)}
}

// listen begins to wait for messages. Those that came since the start wait already.
func (h *hotplug) listen() {
	if h == nil {
		return
	}
	for _, class := range h.server.classes {
		if class.Rescan != nil {
			h.scans = append(h.scans, &scan{server: h.server, class: class})
		}
	}
	if err := h.server.loop.Add(h.fd, unix.EPOLLIN, h); err != nil {
		h.fail(err)
	}
}

// fail goes on without.
func (h *hotplug) fail(err error) {
	h.server.log.Warn("cannot listen to the kernel any more: devices that are plugged in or out are not noticed", "error", err)
	h.close()
}

// close ends the listening. Closing nil or closing twice does no harm.
func (h *hotplug) close() {
	if h == nil || h.fd < 0 {
		return
	}
	for _, s := range h.scans {
		s.timer.Stop()
	}
	h.server.loop.Remove(h.fd)
	if err := h.server.config.Kernel.Close(h.fd); err != nil {
		h.server.log.Warn("cannot close the kernel's messages", "error", err)
	}
	h.fd = -1
}

// Ready takes messages. epoll says so again while more wait.
func (h *hotplug) Ready(uint32) {
	for range maxUevents {
		n, err := h.server.config.Kernel.Uevent(h.fd, h.buf)
		switch err {
		case nil:
			h.heard(h.buf[:n])
		case unix.EAGAIN:
			return
		case unix.ENOBUFS:
			h.lost()
		default:
			h.fail(err)
			return
		}
	}
}

// heard plans to rescan the classes that a message is about, or tells them of a change.
func (h *hotplug) heard(message []byte) {
	action, subsystem, name := parseUevent(message)
	for _, s := range h.scans {
		if !slices.Contains(s.class.Subsystems, subsystem) {
			continue
		}
		switch action {
		case "add", "remove", "move":
			s.plan()
		case "change":
			if s.class.Changed != nil {
				s.class.Changed(name)
			}
		}
	}
}

// lost plans to rescan everything, as some messages were lost.
func (h *hotplug) lost() {
	h.server.log.Debug("the kernel's messages came too fast")
	for _, s := range h.scans {
		s.plan()
	}
}

// plan rescans as soon as the last rescan was long enough ago. It is done in a round of its own, when all messages of this one were read.
func (s *scan) plan() {
	s.tries = 0
	if s.due {
		return
	}
	s.due = true
	s.timer.Stop()
	s.timer = s.server.loop.After(time.Until(s.next), s.run)
}

// run rescans, and once more later where something was not ready.
func (s *scan) run() {
	s.due, s.timer = false, nil
	before := s.server.inventory(s.class)
	again := s.class.Rescan()
	s.server.tellChanges(s.class, before)
	s.next = time.Now().Add(calm)
	if again && s.tries < maxTries {
		s.timer = s.server.loop.After(calm<<s.tries, s.run)
		s.tries++
	}
}

// parseUevent finds two variables of a message, and the name of the device that it is about: "add@/devices/…/name", then "NAME=value", each ended by a NUL. What has no such head gives "".
func parseUevent(message []byte) (action, subsystem, name string) {
	head, rest, _ := bytes.Cut(message, []byte{0})
	if !bytes.Contains(head, []byte("@/")) {
		return "", "", ""
	}
	for len(rest) > 0 {
		var variable []byte
		variable, rest, _ = bytes.Cut(rest, []byte{0})
		if value, ok := bytes.CutPrefix(variable, []byte("ACTION=")); ok {
			action = string(value)
		} else if value, ok := bytes.CutPrefix(variable, []byte("SUBSYSTEM=")); ok {
			subsystem = string(value)
		}
	}
	return action, subsystem, string(head[bytes.LastIndexByte(head, '/')+1:])
}
