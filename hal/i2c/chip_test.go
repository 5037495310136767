package i2c

import (
	"fmt"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/haltest"
	"github.com/halberd-io/halberd/hal/sim"
	"github.com/halberd-io/halberd/hal/sim/simtest"
	"github.com/halberd-io/halberd/hal/uapi"
)

func TestProbe(t *testing.T) {
	for _, c := range []struct {
		name, in, want string
	}{
		{"by a write of nothing", `{"bus":"%s","address":73}`, `{"present":true}`},
		{"by reading a byte", `{"bus":"%s","address":80}`, `{"present":true}`},
		{"nobody", `{"bus":"%s","address":9}`, `{"present":false}`},
		{"nobody where memories are", `{"bus":"%s","address":87}`, `{"present":false}`},
		{"the kernel's", `{"bus":"%s","address":72}`, `Busy{"class":"I2c","device":"%s","holder":"lm75"}`},
		{"reserved", `{"bus":"%s","address":3}`, `InvalidParameter{"parameter":"address"}`},
	} {
		for _, bus := range []string{"plain", "smbus", "piix"} {
			t.Run(c.name+" on "+bus, func(t *testing.T) {
				b := simtest.Open(t, Driver(), bench(), false, all()...)
				b.Expect("Probe", strings.ReplaceAll(c.in, "%s", bus), strings.ReplaceAll(c.want, "%s", bus))
			})
		}
	}
}

// TestProbeDoesNotMoveAnEEPROM: a chip that is asked whether it is there is not written to.
func TestProbeWritesNothing(t *testing.T) {
	b := simtest.Open(t, Driver(), bench(), false, all()...)
	b.Expect("Write", `{"device":"plain-heat","register":2,"data":"`+b64(0x30, 0, 0x40, 0)+`"}`, `{}`)
	b.Expect("Probe", `{"bus":"plain","address":73}`, `{"present":true}`)
	b.Expect("Read", `{"device":"plain-heat","register":2,"length":2}`, data(0x30, 0))
}

func TestProbeWithoutTheMeans(t *testing.T) {
	k := sim.New(sim.Options{Bare: true})
	k.AddI2C(sim.I2C{Functions: 1})
	b := simtest.Open(t, Driver(), k, false)
	b.Expect("Probe", `{"bus":"i2c-0","address":9}`, cannot)
	b.Expect("Probe", `{"bus":"i2c-0","address":80}`, cannot)
}

func TestReadAndWrite(t *testing.T) {
	type step struct{ method, in, want string }
	for _, c := range []struct {
		name  string
		buses string // where that holds
		steps []step
	}{
		{"a byte", "plain smbus piix", []step{
			{"Write", `"eeprom","register":5,"data":"` + b64(9) + `"`, `{}`},
			{"Read", `"eeprom","register":5,"length":1`, data(9)},
			{"Read", `"eeprom","register":4,"length":3`, data(0xff, 9, 0xff)},
		}},
		{"a page", "plain smbus piix", []step{
			{"Write", `"eeprom","register":8,"data":"` + b64(1, 2, 3, 4, 5, 6, 7, 8) + `"`, `{}`},
			{"Read", `"eeprom","register":7,"length":10`, data(0xff, 1, 2, 3, 4, 5, 6, 7, 8, 0xff)},
		}},
		{"all of a span", "plain smbus piix", []step{
			{"Write", `"eeprom","register":0,"data":"` + b64(1) + `"`, `{}`},
			{"Read", `"eeprom","register":0,"length":64`, data(append([]byte{1}, []byte(strings.Repeat("\xff", 63))...)...)},
		}},
		{"beyond a page", "plain smbus piix", []step{
			{"Write", `"eeprom","register":6,"data":"` + b64(1, 2, 3) + `"`, `OutOfRange{"parameter":"data","minimum":1,"maximum":2}`},
			{"Read", `"eeprom","register":0,"length":8`, data([]byte(strings.Repeat("\xff", 8))...)},
		}},
		{"beyond a span", "plain", []step{
			{"Read", `"eeprom","register":63,"length":1`, data(0xff)},
			{"Read", `"eeprom","register":63,"length":2`, `OutOfRange{"parameter":"length","minimum":1,"maximum":1}`},
			{"Read", `"eeprom","register":64,"length":1`, `OutOfRange{"parameter":"register","minimum":0,"maximum":63}`},
			{"Read", `"eeprom","register":120,"length":1`, `OutOfRange{"parameter":"register","minimum":128,"maximum":255}`},
			{"Read", `"eeprom","register":65535,"length":1`, `OutOfRange{"parameter":"register","minimum":128,"maximum":255}`},
			{"Read", `"eeprom","register":65536,"length":1`, `InvalidParameter{"parameter":"register"}`},
			{"Read", `"eeprom","register":0,"length":0`, `InvalidParameter{"parameter":"length"}`},
			{"Write", `"eeprom","register":32,"data":"` + b64(1) + `"`, `OutOfRange{"parameter":"register","minimum":0,"maximum":31}`},
			{"Write", `"eeprom","register":31,"data":"` + b64(1, 2) + `"`, `OutOfRange{"parameter":"data","minimum":1,"maximum":1}`},
			{"Write", `"eeprom","register":0,"data":""`, `InvalidParameter{"parameter":"data"}`},
		}},
		{"registers of 16 bits", "plain", []step{
			{"Write", `"big","register":992,"data":"` + b64(1, 2) + `"`, `{}`},
			{"Read", `"big","register":991,"length":4`, data(0xff, 1, 2, 0xff)},
			{"Read", `"big","register":4095,"length":1`, data(0xff)},
			{"Read", `"big","register":4096,"length":1`, `OutOfRange{"parameter":"register","minimum":0,"maximum":4095}`},
		}},
		{"registers of 16 bits without plain I2C", "smbus piix", []step{
			{"Write", `"big","register":992,"data":"` + b64(1) + `"`, cannot},
			{"Read", `"big","register":992,"length":1`, cannot},
		}},
		{"two bytes a register", "plain smbus piix", []step{
			{"Read", `"heat","register":0,"length":2`, data(0x19, 0x80)},
			{"Write", `"heat","register":2,"data":"` + b64(0x30, 0x80) + `"`, `{}`},
			{"Read", `"heat","register":2,"length":2`, data(0x30, 0x80)},
			{"Read", `"heat","register":3,"length":2`, data(0x50, 0)},
			{"Read", `"heat","register":3,"length":4`, `OutOfRange{"parameter":"length","minimum":2,"maximum":2}`},
			{"Read", `"heat","register":0,"length":3`, `InvalidParameter{"parameter":"length"}`},
			{"Write", `"heat","register":0,"data":"` + b64(0, 0) + `"`, `OutOfRange{"parameter":"register","minimum":2,"maximum":3}`},
			{"Write", `"heat","register":2,"data":"` + b64(0) + `"`, `InvalidParameter{"parameter":"data"}`},
		}},
		{"register by register", "smbus piix", []step{
			{"Write", `"heat","register":2,"data":"` + b64(0x30, 0, 0x31, 0) + `"`, `{}`},
			{"Read", `"heat","register":2,"length":4`, data(0x30, 0, 0x31, 0)},
		}},
		{"a chip that counts nothing on", "plain", []step{
			{"Read", `"heat","register":2,"length":4`, data(0x4b, 0, 0x4b, 0)},
		}},
		{"the kernel's", "plain smbus piix", []step{
			{"Read", `"bound","register":0,"length":2`, `Busy{"class":"I2c","device":"BUS-bound","holder":"lm75"}`},
			{"Write", `"bound","register":0,"data":"` + b64(0, 0) + `"`, `NotSupported{"feature":"write"}`},
		}},
	} {
		for bus := range strings.SplitSeq(c.buses, " ") {
			t.Run(c.name+" on "+bus, func(t *testing.T) {
				b := simtest.Open(t, Driver(), bench(), false, all()...)
				for _, s := range c.steps {
					b.Expect(s.method, `{"device":"`+bus+`-`+s.in[1:]+`}`, strings.ReplaceAll(s.want, "BUS", bus))
				}
			})
		}
	}
}

// TestOneTransfer: what an adapter of plain I2C can do at once it does at once, and SMBus in as few pieces as there can be.
func TestPieces(t *testing.T) {
	for _, c := range []struct {
		device string
		length int
		want   int // transfers
	}{
		{"plain-eeprom", 64, 1}, {"smbus-eeprom", 64, 2}, {"smbus-eeprom", 33, 2}, {"smbus-eeprom", 32, 1}, {"piix-eeprom", 64, 64}, {"smbus-heat", 8, 4}, {"plain-heat", 8, 1},
	} {
		r := haltest.Record(bench())
		b := simtest.Open(t, Driver(), r, false, all()...)
		r.Reset()
		if got := b.Call("Read", fmt.Sprintf(`{"device":%q,"register":0,"length":%d}`, c.device, c.length)); !strings.HasPrefix(got, `{"data"`) {
			t.Errorf("%s: got %s", c.device, got)
		}
		n := 0
		for _, call := range r.Calls() {
			if call.Op == haltest.Ioctl && (call.Request == 0x0707 || call.Request == 0x0720) {
				n++
			}
		}
		if n != c.want {
			t.Errorf("%d bytes of %s: %d transfers, want %d", c.length, c.device, n, c.want)
		}
	}
}

// TestBound: board.toml may let an address be used beside its driver, for one chip, or for all who may use the bus.
func TestBound(t *testing.T) {
	transfer, probe, read := `{"bus":"%s","messages":[{"address":72,"write":"AA=="},{"address":72,"readLength":2}]}`, `{"bus":"%s","address":72}`, `{"device":"%s","register":0,"length":2}`
	busy := func(device string) string { return `Busy{"class":"I2c","device":"` + device + `","holder":"lm75"}` }
	for _, adapter := range []string{"i2c-0", "i2c-1", "i2c-2"} {
		chip := simtest.Entry{Table: "i2c", ID: "chip", Keys: `{"bus":"` + adapter + `","address":72,"register-bytes":2,"registers":"0","bound":true}`}
		b := simtest.Open(t, Driver(), bench(), false, chip)
		b.Expect("Read", fmt.Sprintf(read, "chip"), data(0x19, 0x80))
		b.Expect("Transfer", fmt.Sprintf(transfer, adapter), busy(adapter))
		b.Expect("Probe", fmt.Sprintf(probe, adapter), busy(adapter))

		chip.Keys = `{"bus":"` + adapter + `","address":72,"register-bytes":2,"registers":"0"}`
		bus := simtest.Entry{Table: "i2c-bus", ID: "bus", Keys: `{"adapter":"` + adapter + `","bound":[72]}`}
		b = simtest.Open(t, Driver(), bench(), false, chip, bus)
		b.Expect("Read", fmt.Sprintf(read, "chip"), data(0x19, 0x80))
		b.Expect("Transfer", fmt.Sprintf(transfer, "bus"), `{"reads":[`+data(0x19, 0x80)+`]}`)
		b.Expect("Probe", fmt.Sprintf(probe, "bus"), `{"present":true}`)
	}
}

// TestBoundBehindAMultiplexer: an address is as busy as all buses together are that a multiplexer can join.
func TestBoundBehindAMultiplexer(t *testing.T) {
	k := sim.New(sim.Options{Bare: true})
	root := "platform/halberd-sim=platform/i2c-0=i2c"
	k.AddI2C(sim.I2C{Chips: []sim.I2CChip{{Address: 0x70, Kind: "24c02", Driver: "pca954x"}}})
	k.AddI2C(sim.I2C{Under: root, Chips: []sim.I2CChip{{Address: 0x48, Kind: "lm75", Driver: "lm75"}}})
	k.AddI2C(sim.I2C{Under: root, Chips: []sim.I2CChip{{Address: 0x49, Kind: "lm75", Driver: "lm75"}}})
	k.AddI2C(sim.I2C{Under: root + "/i2c-2=i2c", Chips: []sim.I2CChip{{Address: 0x4a, Kind: "lm75", Driver: "tmp75"}}})
	k.AddI2C(sim.I2C{})
	b := simtest.Open(t, Driver(), k, false)
	for _, c := range []struct {
		bus, holder string
		address     int
	}{
		{"i2c-0", "pca954x", 0x70}, {"i2c-1", "pca954x", 0x70}, {"i2c-3", "pca954x", 0x70}, {"i2c-4", "", 0x70},
		{"i2c-0", "lm75", 0x48}, {"i2c-1", "lm75", 0x48}, {"i2c-2", "", 0x48}, {"i2c-3", "", 0x48},
		{"i2c-0", "tmp75", 0x4a}, {"i2c-1", "", 0x4a}, {"i2c-2", "tmp75", 0x4a}, {"i2c-3", "tmp75", 0x4a},
	} {
		want := `{"present":false}`
		if c.holder != "" {
			want = `Busy{"class":"I2c","device":"` + c.bus + `","holder":"` + c.holder + `"}`
		}
		b.Expect("Probe", fmt.Sprintf(`{"bus":%q,"address":%d}`, c.bus, c.address), want)
	}
}

// TestErrors: what the kernel may answer.
func TestErrors(t *testing.T) {
	system := func(errno unix.Errno) string {
		return fmt.Sprintf(`System{"origin":"linux","errno":%d,"errnoName":"%s"}`, int(errno), unix.ErrnoName(errno))
	}
	for _, c := range []struct {
		errno unix.Errno
		want  string
		probe string // "" for the same
	}{
		{unix.ENXIO, system(unix.ENXIO), `{"present":false}`},
		{unix.EREMOTEIO, system(unix.EREMOTEIO), `{"present":false}`},
		{unix.EIO, system(unix.EIO), ""},
		{unix.EAGAIN, system(unix.EAGAIN), ""},
		{unix.EBADMSG, system(unix.EBADMSG), ""},
		{unix.ETIMEDOUT, `Timeout{"class":"I2c","device":"ID"}`, ""},
		{unix.EBUSY, `Busy{"class":"I2c","device":"ID"}`, ""},
		{unix.EOPNOTSUPP, cannot, ""},
	} {
		for _, bus := range []string{"plain", "smbus"} {
			k := bench()
			b := simtest.Open(t, Driver(), k, false, all()...)
			for _, name := range []string{"i2c-0", "i2c-1"} {
				k.FailBus(name, c.errno)
			}
			probe := c.want
			if c.probe != "" {
				probe = c.probe
			}
			b.Expect("Transfer", `{"bus":"`+bus+`","messages":[{"address":80,"readLength":1}]}`, strings.ReplaceAll(c.want, "ID", bus))
			b.Expect("Read", `{"device":"`+bus+`-eeprom","register":0,"length":1}`, strings.ReplaceAll(c.want, "ID", bus+"-eeprom"))
			b.Expect("Write", `{"device":"`+bus+`-eeprom","register":0,"data":"AA=="}`, strings.ReplaceAll(c.want, "ID", bus+"-eeprom"))
			b.Expect("Probe", `{"bus":"`+bus+`","address":80}`, strings.ReplaceAll(probe, "ID", bus))
		}
	}
}

// short is a kernel whose adapters of SMBus read fewer bytes of a block than they were asked for, and say so.
type short struct {
	hal.Kernel
	by uint8
}

func (k *short) Ioctl(fd int, request uint, argument unsafe.Pointer) error {
	err := k.Kernel.Ioctl(fd, request, argument)
	if request == uapi.I2CSMBus && err == nil {
		if d := (*uapi.I2CSMBusData)(argument); d.Size == uapi.SMBusI2CBlock && d.ReadWrite == uapi.SMBusRead {
			d.Data[0] -= k.by
		}
	}
	return err
}

// TestShortBlock: bytes that did not come are not answered.
func TestShortBlock(t *testing.T) {
	b := simtest.Open(t, Driver(), &short{bench(), 1}, false, all()...)
	const want = `System{"origin":"linux","errno":5,"errnoName":"EIO"}`
	b.Expect("Read", `{"device":"smbus-eeprom","register":0,"length":8}`, want)
	b.Expect("Transfer", `{"bus":"smbus","messages":[{"address":80,"write":"AA=="},{"address":80,"readLength":8}]}`, want)
}
