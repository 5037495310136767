package sim

import (
	"fmt"
	"path"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal/uapi"
)

// What adapters can do, for I2C.Functions: plain I2C, of which the kernel makes SMBus; SMBus alone, as drivers/i2c/i2c-stub.c has it; and SMBus without blocks, as most PCs have it.
const (
	SMBusOnly = uapi.I2CFuncQuick | uapi.I2CFuncReadByte | uapi.I2CFuncWriteByte | uapi.I2CFuncReadByteData | uapi.I2CFuncWriteByteData | uapi.I2CFuncReadWordData | uapi.I2CFuncWriteWordData
	SMBusI2C  = SMBusOnly | uapi.I2CFuncReadI2CBlock | uapi.I2CFuncWriteI2CBlock
	PlainI2C  = SMBusI2C | uapi.I2CFuncI2C
)

// I2C is an I2C adapter to add to the board.
type I2C struct {
	Name      string // the adapter's, as its driver calls it; "" for "sim-i2c"
	Number    int    // its own, or the next one that is free
	Under     string // its parent device, as OnPlatform; "" for that
	Functions uint   // 0 for PlainI2C
	Chips     []I2CChip
	// Silence is what the adapter's driver answers for an address that nothing answers at; nil for ENXIO.
	Silence error
}

// I2CChip is a chip on an adapter.
type I2CChip struct {
	Address int
	Kind    string // 24c02, 24c32 or lm75
	Driver  string // that the kernel has bound to it; "" for none
}

// adapter follows drivers/i2c: i2c-dev.c, and i2c-core-base.c and i2c-core-smbus.c behind it.
type adapter struct {
	kernel    *Kernel
	name, dir string
	functions uint
	silence   error
	chips     map[int]*wired
	parent    *adapter // of a branch behind a multiplexer
	gone      bool
}

// wired is a chip on its bus.
type wired struct {
	i2cChip
	driver string
}

// i2cChip is what a bus sees of a chip. Each message is one call, and one of a combined transfer follows the other. A message of no bytes only asks whether anybody is there.
type i2cChip interface {
	write(p []byte)
	read(p []byte)
}

// AddI2C adds an I2C adapter with its chips, and gives its name: i2c-0.
func (k *Kernel) AddI2C(c I2C) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	c.Name = or(c.Name, "sim-i2c")
	number := c.Number
	for k.devices[fmt.Sprint("i2c-", number)] != nil {
		number++
	}
	a := &adapter{kernel: k, name: fmt.Sprint("i2c-", number), functions: c.Functions, silence: c.Silence, chips: map[int]*wired{}}
	if a.functions == 0 {
		a.functions = PlainI2C
	}
	if a.silence == nil {
		a.silence = unix.ENXIO
	}
	n := k.newDevice(or(c.Under, OnPlatform)+"/"+a.name+"=i2c", "/sys/class/i2c-dev", a.name, func() { k.AddI2C(c) })
	n.add("name", constant(c.Name))
	a.place(c.Name)
	for _, chip := range c.Chips {
		a.solder(chip, number)
	}
	k.addNode(a.name, "/dev/"+a.name, func(int) (file, error) { return &i2cFile{adapter: a}, nil })
	k.uevent("add", a.dir, "i2c")
	k.appear(a.name)
	return a.name
}

// place finds where the adapter stands among the others, and makes it a device of its own beside the one of i2c-dev.
func (a *adapter) place(name string) {
	k := a.kernel
	d := k.devices[a.name]
	a.dir = path.Dir(path.Dir(d.paths[0]))
	k.mkdir(a.dir).add("name", constant(name))
	k.link("/sys/bus/i2c/devices/"+a.name, a.dir)
	d.paths = append(d.paths, a.dir, "/sys/bus/i2c/devices/"+a.name)
	d.unplugged = func() {
		a.gone = true
		k.uevent("remove", a.dir, "i2c")
	}
	for _, other := range k.adapters {
		if !other.gone && other.dir == path.Dir(a.dir) {
			a.parent = other
		}
	}
	k.adapters = append(k.adapters, a)
}

// solder adds a chip, which is a device of the kernel's where a driver is bound to it.
func (a *adapter) solder(c I2CChip, bus int) {
	a.chips[c.Address] = &wired{newI2CChip(c.Kind), c.Driver}
	if c.Driver == "" {
		return
	}
	k, client := a.kernel, fmt.Sprintf("%d-%04x", bus, c.Address)
	k.mkdir(a.dir+"/"+client).add("name", constant(c.Kind))
	k.mkdir("/sys/bus/i2c/drivers/" + c.Driver)
	k.link(a.dir+"/"+client+"/subsystem", "/sys/bus/i2c")
	k.link(a.dir+"/"+client+"/driver", "/sys/bus/i2c/drivers/"+c.Driver)
	k.link("/sys/bus/i2c/devices/"+client, a.dir+"/"+client)
	d := k.devices[a.name]
	d.paths = append(d.paths, "/sys/bus/i2c/devices/"+client)
}

// busy reports whether a driver has an address, as i2cdev_check_addr does: on this bus, on those up to the root of a tree of multiplexers, and on those below.
func (a *adapter) busy(address int) bool {
	for up := a.parent; up != nil; up = up.parent {
		if up.has(address) {
			return true
		}
	}
	return a.busyBelow(address)
}

func (a *adapter) busyBelow(address int) bool {
	return a.has(address) || slices.ContainsFunc(a.kernel.adapters, func(below *adapter) bool {
		return below.parent == a && !below.gone && below.busyBelow(address)
	})
}

func (a *adapter) has(address int) bool {
	c := a.chips[address]
	return c != nil && c.driver != ""
}

// i2cFile is an open /dev/i2c-N.
type i2cFile struct {
	adapter *adapter
	address int // that I2C_SLAVE set
}

func (f *i2cFile) close() {}

// pread receives one message, as i2cdev_read does.
func (f *i2cFile) pread(p []byte, _ int64) (int, error) {
	p = p[:min(len(p), uapi.I2CMaxLength)]
	return len(p), f.adapter.transfer([]i2cMessage{{f.address, true, p}})
}

// pwrite sends one message, as i2cdev_write does.
func (f *i2cFile) pwrite(p []byte) (int, error) {
	p = p[:min(len(p), uapi.I2CMaxLength)]
	return len(p), f.adapter.transfer([]i2cMessage{{f.address, false, p}})
}

func (f *i2cFile) ioctl(number uint, argument unsafe.Pointer) error {
	switch {
	case f.adapter.gone:
		return unix.ENODEV
	case number == uapi.I2CFuncs:
		*(*uint)(argument) = f.adapter.functions
		return nil
	case number == uapi.I2CRdwr:
		return f.adapter.combined((*uapi.I2CRdwrData)(argument))
	case number == uapi.I2CSMBus:
		return f.adapter.smbus(f.address, (*uapi.I2CSMBusData)(argument))
	}
	return unix.ENOTTY
}

// take sets the address.
func (f *i2cFile) take(number uint, argument int) error {
	switch {
	case f.adapter.gone:
		return unix.ENODEV
	case number != uapi.I2CSlave && number != uapi.I2CSlaveForce:
		return unix.ENOTTY
	case argument < 0 || argument > 0x7f:
		return unix.EINVAL
	case number == uapi.I2CSlave && f.adapter.busy(argument):
		return unix.EBUSY
	}
	f.address = argument
	return nil
}

// i2cMessage is a message with the memory of the caller.
type i2cMessage struct {
	address int
	read    bool
	data    []byte
}

// combined is i2cdev_ioctl_rdwr. It does not look whether a driver has an address.
func (a *adapter) combined(d *uapi.I2CRdwrData) error {
	switch {
	case d.Messages == nil || d.Count == 0 || d.Count > uapi.I2CMaxMessages:
		return unix.EINVAL
	case a.functions&uapi.I2CFuncI2C == 0:
		return unix.EOPNOTSUPP
	}
	var all []i2cMessage
	for _, m := range unsafe.Slice(d.Messages, d.Count) {
		if m.Len > uapi.I2CMaxLength || m.Flags&^uapi.I2CMessageRead != 0 {
			return unix.EINVAL
		}
		all = append(all, i2cMessage{int(m.Addr), m.Flags&uapi.I2CMessageRead != 0, unsafe.Slice(m.Buf, m.Len)})
	}
	return a.transfer(all)
}

// transfer is what happens on the wires. It stops at the first message that nobody answers.
func (a *adapter) transfer(messages []i2cMessage) error {
	if err := a.kernel.useBus(a.name); err != nil {
		return err
	}
	if a.gone {
		return unix.ENODEV
	}
	for _, m := range messages {
		c := a.chips[m.address]
		switch {
		case c == nil:
			return a.silence
		case m.read:
			c.read(m.data)
		default:
			c.write(m.data)
		}
	}
	return nil
}
