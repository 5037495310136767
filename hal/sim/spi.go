package sim

import (
	"fmt"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal/uapi"
)

// SPI is a device of spidev to add to the board. What it is sent comes back: its two data lines are one.
type SPI struct {
	Bus, ChipSelect int
	MinHz, MaxHz    uint32  // what the controller can do; 0 for 1 kHz and 10 MHz
	Bits            []uint8 // of a word, which the controller can do; nil for 8 and 16
	Mode            uint32  // as the board's description has it
	Buffer          int     // the module's parameter bufsiz, for all devices from then on; 0 leaves it as it is, 4096 at first
}

// spidev follows drivers/spi/spidev.c, with spi_setup and __spi_validate of spi.c behind it, on a controller that knows all of SPI_MODE_3, SPI_CS_HIGH, SPI_LSB_FIRST, SPI_LOOP and SPI_NO_CS.
type spidev struct {
	SPI
	kernel  *Kernel
	bus     string
	bits    uint8
	speed   uint32 // that spidev has, until nobody has the device open any more
	users   int
	gone    bool
	selects int // how often the chip was selected
}

// AddSPI adds a device of spidev, and gives its name: spidev0.0.
func (k *Kernel) AddSPI(s SPI) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	plug := func() { k.AddSPI(s) }
	s.MinHz, s.MaxHz = orNumber(s.MinHz, 1000), orNumber(s.MaxHz, 10_000_000)
	if s.Bits == nil {
		s.Bits = []uint8{8, 16}
	}
	k.bufsiz = orNumber(s.Buffer, orNumber(k.bufsiz, 4096))
	d := &spidev{SPI: s, kernel: k, bus: fmt.Sprint("spi", s.Bus), bits: 8, speed: s.MaxHz}
	chip := fmt.Sprintf("spi%d.%d", s.Bus, s.ChipSelect)
	name := "spidev" + chip[len("spi"):]
	parent := OnPlatform + "/spi_master/" + d.bus + "=spi_master/" + chip + "=spi"
	k.newDevice(parent, "/sys/class/spidev", name, plug)
	dev := k.devices[name]
	dev.paths = append(dev.paths, "/sys/devices/platform/halberd-sim/spi_master/"+d.bus+"/"+chip)
	dev.unplugged = func() { d.gone = true }
	k.spidevs[name] = d
	k.mkdir("/sys/module/spidev/parameters").add("bufsiz", constant(strconv.Itoa(k.bufsiz)))
	k.addNode(name, "/dev/"+name, func(int) (file, error) {
		d.users++
		return spiFile{d}, nil
	})
	k.appear(name)
	return name
}

func orNumber[T int | uint32](n, other T) T {
	if n == 0 {
		return other
	}
	return n
}

// Selects is how often the chip of a device of spidev was selected.
func (k *Kernel) Selects(device string) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.spidevs[device].selects
}

// spiFile is an open /dev/spidevB.C.
type spiFile struct{ *spidev }

// close is spidev_release.
func (f spiFile) close() {
	if f.users--; f.users == 0 {
		f.speed = f.MaxHz
	}
}

func (f spiFile) pread(p []byte, _ int64) (int, error) {
	clear(p)
	return len(p), f.half(p)
}

func (f spiFile) pwrite(p []byte) (int, error) { return len(p), f.half(p) }

// half is spidev_sync_read and spidev_sync_write.
func (f spiFile) half(p []byte) error {
	if len(p) > f.kernel.bufsiz {
		return unix.EMSGSIZE
	}
	return f.message([]uapi.SPITransfer{{TxBuf: uint64(uintptr(unsafe.Pointer(unsafe.SliceData(p)))), Len: uint32(len(p))}})
}

func (f spiFile) ioctl(number uint, argument unsafe.Pointer) error {
	const typeAndNumber, direction, write = 0xffff, 30, 1
	size := number >> 16 & (1<<14 - 1)
	switch {
	case number>>8&0xff != 'k':
		return unix.ENOTTY
	case f.gone:
		return unix.ESHUTDOWN
	}
	switch number {
	case uapi.SPIRdMode32:
		*(*uint32)(argument) = f.Mode
	case uapi.SPIRdBitsPerWord:
		*(*uint8)(argument) = f.bits
	case uapi.SPIRdMaxSpeedHz:
		*(*uint32)(argument) = f.speed
	case uapi.SPIWrMode32:
		return f.setMode(*(*uint32)(argument))
	case uapi.SPIWrBitsPerWord:
		return f.setBits(*(*uint8)(argument))
	case uapi.SPIWrMaxSpeedHz:
		return f.setSpeed(*(*uint32)(argument))
	default:
		if number&typeAndNumber != uapi.SPIMessage(0)&typeAndNumber || number>>direction != write {
			return unix.ENOTTY
		}
		return f.messages(size, argument)
	}
	return nil
}

// setMode takes what the controller knows; all else is refused by spidev or by spi_setup.
func (d *spidev) setMode(mode uint32) error {
	if mode&^(uapi.SPICPHA|uapi.SPICPOL|uapi.SPICSHigh|uapi.SPILSBFirst|uapi.SPILoop|uapi.SPINoCS) != 0 {
		return unix.EINVAL
	}
	d.Mode = mode
	return nil
}

// setBits takes 0 for 8.
func (d *spidev) setBits(bits uint8) error {
	bits = uint8(orNumber(uint32(bits), 8))
	if !d.can(bits) {
		return unix.EINVAL
	}
	d.bits = bits
	return nil
}

func (d *spidev) can(bits uint8) bool {
	for _, b := range d.Bits {
		if b == bits {
			return true
		}
	}
	return false
}

// setSpeed takes any but 0: the controller's limits count when there is something to transfer.
func (d *spidev) setSpeed(hz uint32) error {
	if hz == 0 {
		return unix.EINVAL
	}
	d.speed = hz
	return nil
}

// messages is the part of spidev_ioctl that reads transfers.
func (d *spidev) messages(size uint, argument unsafe.Pointer) error {
	one := uint(unsafe.Sizeof(uapi.SPITransfer{}))
	switch {
	case size%one != 0:
		return unix.EINVAL
	case size == 0:
		return nil
	}
	return d.message(unsafe.Slice((*uapi.SPITransfer)(argument), size/one))
}

// alignment is what each transfer takes at least of the buffer: ARCH_DMA_MINALIGN of arm64.
const alignment = 128

// message is spidev_message.
func (d *spidev) message(transfers []uapi.SPITransfer) error {
	var tx, rx int
	for i := range transfers {
		t := &transfers[i]
		aligned := (int(t.Len) + alignment - 1) / alignment * alignment
		if t.RxBuf != 0 {
			rx += aligned
		}
		if t.TxBuf != 0 {
			tx += aligned
		}
		if rx > d.kernel.bufsiz || tx > d.kernel.bufsiz {
			return unix.EMSGSIZE
		}
	}
	for i := range transfers {
		if err := d.validate(&transfers[i]); err != nil {
			return err
		}
	}
	if err := d.kernel.useBus(d.bus); err != nil {
		return err
	}
	if d.gone {
		return unix.ESHUTDOWN
	}
	d.exchange(transfers)
	return nil
}

// validate is __spi_validate.
func (d *spidev) validate(t *uapi.SPITransfer) error {
	bits := uint8(orNumber(uint32(t.BitsPerWord), uint32(d.bits)))
	word := uint32(1)
	switch {
	case bits > 16:
		word = 4
	case bits > 8:
		word = 2
	}
	if !d.can(bits) || t.Len%word != 0 || min(orNumber(t.SpeedHz, d.speed), d.MaxHz) < d.MinHz {
		return unix.EINVAL
	}
	return nil
}

// exchange is what happens on the wires.
func (d *spidev) exchange(transfers []uapi.SPITransfer) {
	d.selects++
	for i := range transfers {
		t := &transfers[i]
		sent := make([]byte, t.Len)
		if t.TxBuf != 0 {
			copy(sent, unsafe.Slice((*byte)(pointer(&t.TxBuf)), t.Len))
		}
		if t.RxBuf != 0 {
			copy(unsafe.Slice((*byte)(pointer(&t.RxBuf)), t.Len), sent)
		}
		if t.CSChange != 0 && i < len(transfers)-1 {
			d.selects++
		}
	}
}

// pointer reads a pointer that stands in the low half of 64 bits where it has 32.
func pointer(p *uint64) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(p)) }
