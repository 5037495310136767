package serial

import (
	"path"
	"slices"
	"strings"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sysfs"
)

// newRoster finds the ports. board.toml means one by its own name, or by that of any device that it is a part of.
func newRoster(env *hal.Env) *sysfs.Roster[*Port] {
	var names map[string][]string
	return &sysfs.Roster[*Port]{
		Env: env, Set: hal.NewSet[*Port](class, "port"), Noun: "serial port",
		Places: func() (all []sysfs.Place, err error) {
			all, names, err = places(env.Kernel)
			return all, err
		},
		Means: func(e *hal.Entry, p sysfs.Place) bool { return slices.Contains(names[p.Path], e.Value.(*entry).Name) },
		Open:  func(id string, p sysfs.Place, e *hal.Entry) (*Port, error) { return newPort(env, id, p, e) },
	}
}

// places are the terminals with hardware behind them, with all the names of each. The kernel has entries for ports that no driver found hardware for: those are of type 0, PORT_UNKNOWN.
func places(k hal.Kernel) (all []sysfs.Place, names map[string][]string, err error) {
	entries, err := sysfs.Entries(k, folder)
	names = map[string][]string{}
	for _, p := range entries {
		var wired bool
		if wired, p.Err = isWired(k, p.Path); !wired && p.Err == nil {
			continue
		}
		if p.Err == nil {
			names[p.Path], p.Err = name(k, &p)
		}
		all = append(all, p)
	}
	return all, names, err
}

// isWired reports whether an entry has hardware. Ports of USB have no type.
func isWired(k hal.Kernel, entry string) (bool, error) {
	if _, err := k.Readlink(entry + "/device"); err != nil {
		return false, unless(sysfs.Missing(err), err)
	}
	kind, err := sysfs.Read(k, entry+"/type")
	if err != nil && !sysfs.Missing(err) {
		return false, err
	}
	return kind != "0", nil
}

// unless gives an error that is not to be expected.
func unless(expected bool, err error) error {
	if expected {
		return nil
	}
	return err
}

// name gives a port its name, and lists all that it has: the kernel's, and those of the devices that it is a part of.
func name(k hal.Kernel, p *sysfs.Place) (all []string, err error) {
	dir, err := sysfs.Resolve(k, p.Path+"/device")
	if err != nil {
		return nil, err
	}
	all = append(strings.Split(strings.TrimPrefix(dir, "/sys/devices/"), "/"), p.Name)
	socket, err := plugged(k, dir)
	if err != nil || socket == "" {
		return all, err
	}
	number, err := sysfs.Read(k, p.Path+"/device/port_number")
	switch {
	case err == nil && number != "0":
		all = slices.DeleteFunc(all, func(name string) bool { return name == socket }) // that is the first port
		socket += "-port" + number
	case err != nil && !sysfs.Missing(err):
		return nil, err
	}
	p.Name = socket
	return append(all, socket), nil
}

// plugged is the USB interface that a device is a part of, as 1-1.2:1.0: a name for the place where it is plugged in, while the number in ttyUSB0 depends on what was plugged in before. It is "" for
// a device that is no part of one.
func plugged(k hal.Kernel, dir string) (string, error) {
	for ; len(dir) > len("/sys"); dir = path.Dir(dir) {
		if !strings.Contains(path.Base(dir), ":") {
			continue
		}
		bus, err := k.Readlink(dir + "/subsystem")
		switch {
		case err == nil && path.Base(bus) == "usb":
			return path.Base(dir), nil
		case err != nil && !sysfs.Missing(err):
			return "", err
		}
	}
	return "", nil
}
