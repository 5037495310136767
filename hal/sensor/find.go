package sensor

import (
	"errors"
	"path"
	"slices"
	"strings"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sysfs"
)

// The kinds of devices, as board.toml has them for keys.
const (
	kindHwmon   = "hwmon"
	kindThermal = "thermal"
	kindIIO     = "iio"
)

// source is one place in /sys where sensors are.
type source struct {
	kind, folder, prefix string
	nameFile             string // which has the kernel's name for the device
	files                string // what the names of a channel's files begin with
	channels             func(files []string) []*found
}

var sources = []source{
	{kindHwmon, "/sys/class/hwmon", "hwmon", "name", "", hwmonChannels},
	{kindThermal, "/sys/class/thermal", "thermal_zone", "type", "", zoneChannels},
	{kindIIO, "/sys/bus/iio/devices", "iio:device", "name", "in_", iioChannels},
}

// find finds the channels of one device.
func (src *source) find(k hal.Kernel, path string) ([]*found, error) {
	dir, err := sysfs.Resolve(k, path)
	if err != nil {
		return nil, err
	}
	name, err := sysfs.Read(k, dir+"/"+src.nameFile)
	if err != nil {
		return nil, err
	}
	files, err := sysfs.List(k, dir)
	if err != nil {
		return nil, err
	}
	channels := src.channels(files)
	bus, parent := sysfs.Bus(k, dir), parent(k, dir)
	for _, c := range channels {
		c.kind, c.device, c.dir, c.bus, c.parent = src.kind, name, dir, bus, parent
		if label := src.files + c.channel + "_label"; slices.Contains(files, label) {
			if c.label, err = sysfs.Read(k, dir+"/"+label); err != nil {
				return nil, err
			}
		}
	}
	return channels, nil
}

// parent names the device that a class entry belongs to; the entry itself where it has none.
func parent(k hal.Kernel, dir string) string {
	if device, err := sysfs.Resolve(k, dir+"/device"); err == nil {
		return path.Base(device)
	}
	if up := path.Dir(dir); !strings.HasPrefix(dir, "/sys/devices/virtual/") {
		return path.Base(up)
	}
	return path.Base(dir)
}

// hwmonChannels finds temp1_input and the like.
func hwmonChannels(files []string) (out []*found) {
	for _, file := range files {
		channel, ok := strings.CutSuffix(file, "_input")
		if !ok {
			continue
		}
		if q, known := quantityOf(hwmonQuantities, channel); known {
			out = append(out, &found{channel: channel, file: file, quantity: q})
		}
	}
	return out
}

// zoneChannels is the one temperature of a thermal zone.
func zoneChannels([]string) []*found {
	return []*found{{channel: "temp", file: "temp", quantity: quantity{"temp", "milli_celsius", 0}}}
}

// iioChannels finds in_voltage0_raw and the like; where there is in_voltage0_input too, that is used.
func iioChannels(files []string) (out []*found) {
	for _, file := range files {
		name, isInput := strings.CutPrefix(file, "in_")
		if !isInput {
			continue
		}
		channel, processed := strings.CutSuffix(name, "_input")
		if !processed {
			var raw bool
			if channel, raw = strings.CutSuffix(name, "_raw"); !raw || slices.Contains(files, "in_"+channel+"_input") {
				continue
			}
		}
		if q, known := quantityOf(iioQuantities, channel); known {
			out = append(out, &found{channel: channel, file: file, quantity: q})
		}
	}
	return out
}

// calibrate reads the offset and scale of an IIO channel that is raw, once. Its driver may wait for the hardware, so it runs where the sensor is read.
func (s *Sensor) calibrate() (err error) {
	if s.calibrated || s.kind != kindIIO || !strings.HasSuffix(s.file, "_raw") {
		return nil
	}
	if s.offset, err = s.calibration("offset", decimal{0, 0}); err != nil {
		return err
	}
	s.scale, err = s.calibration("scale", decimal{1, 0})
	s.calibrated = err == nil
	return err
}

// calibration reads an attribute of the channel, or else the one that all channels of its kind share.
func (s *Sensor) calibration(what string, otherwise decimal) (decimal, error) {
	shared := s.prefix
	if strings.Contains(s.channel, "-") {
		shared = s.prefix + "-" + s.prefix // of a differential channel
	}
	for _, file := range []string{"in_" + s.channel + "_" + what, "in_" + shared + "_" + what, "in_" + what, what} {
		text, err := sysfs.Read(s.env.Kernel, s.dir+"/"+file)
		if sysfs.Missing(err) {
			continue
		}
		if err != nil {
			return decimal{}, err
		}
		d, err := parseDecimal(text)
		if err != nil {
			return decimal{}, errors.Join(errors.New("cannot read "+s.dir+"/"+file), err)
		}
		return d, nil
	}
	return otherwise, nil
}

// spellings are the names that a channel may have, the shortest first.
func (f *found) spellings() []string {
	short := f.label
	if short == "" {
		short = f.channel
	}
	at := f.device + "@" + f.parent
	return []string{f.device + "/" + short, at + "/" + short, at + "/" + f.channel, f.device + "@" + path.Base(f.dir) + "/" + f.channel}
}

// nameAll gives each channel the shortest spelling that no other one has. All that share a spelling get a longer one.
func nameAll(all []*found) map[*found]string {
	level := make([]int, len(all))
	for {
		count := map[string]int{}
		for i := range all {
			count[all[i].spellings()[level[i]]]++
		}
		longer := false
		for i := range all {
			if s := all[i].spellings(); count[s[level[i]]] > 1 && level[i] < len(s)-1 {
				level[i]++
				longer = true
			}
		}
		if !longer {
			break
		}
	}
	names := map[*found]string{}
	for i, f := range all {
		names[f] = f.spellings()[level[i]]
	}
	return names
}

// mark finds the devices whose name another one has too.
func mark(all []*found) {
	for i := range all {
		all[i].shared = false
		for j := range all {
			if all[i].kind == all[j].kind && all[i].device == all[j].device && all[i].dir != all[j].dir {
				all[i].shared = true
			}
		}
	}
}
