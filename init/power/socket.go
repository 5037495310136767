package power

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/wire"
)

// patience is how long an init system may take to answer, in seconds.
const patience = 10

// maxAnswer is the longest answer, in bytes.
const maxAnswer = 64 << 10

// converse sends a message to a socket and reads the answer until it is whole.
func (m *Machine) converse(path string, message []byte, whole func(answer []byte) bool) ([]byte, error) {
	fd, err := m.connect(path)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	for len(message) > 0 {
		n, err := unix.SendmsgN(fd, message, nil, nil, unix.MSG_NOSIGNAL)
		if err != nil && err != unix.EINTR {
			return nil, fmt.Errorf("cannot write to %s: %w", path, err)
		}
		message = message[max(n, 0):]
	}
	var answer []byte
	for buf := make([]byte, 4096); !whole(answer); {
		n, err := unix.Read(fd, buf)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return nil, fmt.Errorf("cannot read from %s: %w", path, err)
		case n == 0 || len(answer)+n > maxAnswer:
			return nil, fmt.Errorf("cannot read from %s: no whole answer", path)
		default:
			answer = append(answer, buf[:n]...)
		}
	}
	return answer, nil
}

// connect connects to a socket. One that nobody listens at is unreachable.
func (m *Machine) connect(path string) (int, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	limit := unix.Timeval{Sec: patience}
	err = errors.Join(unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit), unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &limit))
	if err == nil {
		err = unix.Connect(fd, &unix.SockaddrUnix{Name: m.path(path)})
	}
	switch err {
	case nil:
		return fd, nil
	case unix.ENOENT, unix.ECONNREFUSED:
		err = errUnreachable
	}
	_ = unix.Close(fd)
	return -1, fmt.Errorf("cannot connect to %s: %w", path, err)
}

// shutdownSocket is where logind listens for varlink.
const shutdownSocket = "/run/systemd/io.systemd.Shutdown"

// shutdownd asks logind by io.systemd.Shutdown, which knows of its inhibitors.
type shutdownd struct{ *Machine }

func (shutdownd) name() string { return "varlink" }

func (w shutdownd) able() (asked, targets bool) {
	return w.is(shutdownSocket, unix.S_IFSOCK) && w.writable(shutdownSocket), w.takesTarget()
}

func (w shutdownd) ask(r hal.PowerRequest) error { return w.withTarget(r, w.call) }

// call calls the method. skipInhibitors is left out unless it is needed.
func (w shutdownd) call(r hal.PowerRequest) error {
	method, parameters := "Reboot", "{}"
	if r.Action == hal.PowerOff {
		method = "PowerOff"
	}
	if r.Force {
		parameters = `{"skipInhibitors":true}`
	}
	message := `{"method":"io.systemd.Shutdown.` + method + `","parameters":` + parameters + "}\x00"
	answer, err := w.converse(shutdownSocket, []byte(message), func(answer []byte) bool { return bytes.IndexByte(answer, 0) >= 0 })
	if err != nil {
		return err
	}
	answer, _, _ = bytes.Cut(answer, []byte{0})
	return refusedBy(answer)
}

// refusedBy is the error in a reply of varlink, with its parameters, or nil.
func refusedBy(reply []byte) error {
	if err := wire.Valid(reply); err != nil {
		return fmt.Errorf("cannot understand logind: %w", err)
	}
	var name, parameters []byte
	err := wire.Each(wire.Trim(reply), func(key []byte, v wire.Value) (err error) {
		switch string(key) {
		case "error":
			name, err = v.Text()
		case "parameters":
			parameters = v
		}
		return err
	})
	if err == nil && name != nil {
		return fmt.Errorf("logind refuses: %s %s", name, parameters)
	}
	return err
}

// propertyService is where Android's init takes properties.
const propertyService = "/dev/socket/property_service"

// property is Android's init, which does what the property sys.powerctl says.
type property struct{ *Machine }

func (property) name() string                  { return "property" }
func (w property) able() (asked, targets bool) { return w.writable(propertyService), true }

// setProperty is PROP_MSG_SETPROP2 of bionic's _system_properties.h (Android 8 and later).
const setProperty = 0x00020001

// ask sets the property: a number, name and value with their lengths, and the answer is a number, 0 for done.
func (w property) ask(r hal.PowerRequest) error {
	value := "reboot"
	if r.Action == hal.PowerOff {
		value = "shutdown"
	} else if r.Target != "" {
		value += "," + r.Target
	}
	message := binary.NativeEndian.AppendUint32(nil, setProperty)
	for _, text := range []string{"sys.powerctl", value} {
		message = append(binary.NativeEndian.AppendUint32(message, uint32(len(text))), text...)
	}
	answer, err := w.converse(propertyService, message, func(answer []byte) bool { return len(answer) >= 4 })
	if err != nil {
		return err
	}
	if code := binary.NativeEndian.Uint32(answer); code != 0 {
		return fmt.Errorf("init refuses the property sys.powerctl: %#x", code)
	}
	return nil
}

// dinitSocket is the system's control socket, as dinit is configured for Linux.
const dinitSocket = "/run/dinitctl"

// dinit is asked by its control protocol, whose SHUTDOWN is the same in all versions: its signal for the end of everything only halts.
type dinit struct{ *Machine }

func (dinit) name() string { return "control socket" }
func (w dinit) able() (asked, targets bool) {
	return w.is(dinitSocket, unix.S_IFSOCK) && w.writable(dinitSocket), false
}

// The words of dinit's control-cmds.h and service-constants.h.
const (
	dinitShutdown = 10
	dinitPowerOff = 3
	dinitReboot   = 4
	dinitAck      = 50
)

func (w dinit) ask(r hal.PowerRequest) error {
	kind := byte(dinitReboot)
	if r.Action == hal.PowerOff {
		kind = dinitPowerOff
	}
	answer, err := w.converse(dinitSocket, []byte{dinitShutdown, kind}, func(answer []byte) bool { return len(answer) > 0 })
	if err != nil {
		return err
	}
	if answer[0] != dinitAck {
		return fmt.Errorf("dinit refuses to shut down: %d", answer[0])
	}
	return nil
}
