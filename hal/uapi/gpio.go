// Package uapi has the kernel's numbers and structures that no well-kept library has, one file per kernel header.
package uapi

import (
	"unsafe"

	gpiocdev "github.com/warthog618/go-gpiocdev/uapi"
)

const (
	ior  = 2 << 30 // _IOR
	iowr = 3 << 30 // _IOWR
	size = 16      // where the size of the argument stands
	gpio = 0xb4 << 8
)

// The requests of include/uapi/linux/gpio.h, version 2 of the character device (Linux 5.10). The structures are go-gpiocdev's; each request takes a pointer to
// the one named. The directions' numbers are those of include/uapi/asm-generic/ioctl.h, which every architecture that Halberd is built for uses.
const (
	GPIOGetChipInfo   uint = ior | gpio | 0x01 | uint(unsafe.Sizeof(gpiocdev.ChipInfo{}))<<size     // on a chip
	GPIOGetLineInfo   uint = iowr | gpio | 0x05 | uint(unsafe.Sizeof(gpiocdev.LineInfoV2{}))<<size  // on a chip
	GPIOWatchLine     uint = iowr | gpio | 0x06 | uint(unsafe.Sizeof(gpiocdev.LineInfoV2{}))<<size  // on a chip, which can be read then
	GPIOUnwatchLine   uint = iowr | gpio | 0x0c | uint(unsafe.Sizeof(uint32(0)))<<size              // on a chip, of an offset
	GPIOGetLine       uint = iowr | gpio | 0x07 | uint(unsafe.Sizeof(gpiocdev.LineRequest{}))<<size // on a chip
	GPIOLineSetConfig uint = iowr | gpio | 0x0d | uint(unsafe.Sizeof(gpiocdev.LineConfig{}))<<size  // on a request, as those below
	GPIOLineGetValues uint = iowr | gpio | 0x0e | uint(unsafe.Sizeof(gpiocdev.LineValues{}))<<size
	GPIOLineSetValues uint = iowr | gpio | 0x0f | uint(unsafe.Sizeof(gpiocdev.LineValues{}))<<size
)

// GPIOLineChangeSize is the size of one struct gpio_v2_line_info_changed, as they are read from a chip whose lines are watched.
const GPIOLineChangeSize = int(unsafe.Sizeof(gpiocdev.LineInfoChangedV2{}))

// GPIOLineEventSize is the size of one struct gpio_v2_line_event, as they are read from a request.
const GPIOLineEventSize = int(unsafe.Sizeof(gpiocdev.LineEvent{}))
