package uapi

import (
	"testing"
	"unsafe"

	gpiocdev "github.com/warthog618/go-gpiocdev/uapi"
)

// The numbers are those that a C program prints for GPIO_V2_… on every architecture.
func TestGPIORequests(t *testing.T) {
	for _, c := range []struct {
		name      string
		got, want uint
	}{
		{"GPIO_GET_CHIPINFO_IOCTL", GPIOGetChipInfo, 0x8044b401},
		{"GPIO_V2_GET_LINEINFO_IOCTL", GPIOGetLineInfo, 0xc100b405},
		{"GPIO_V2_GET_LINEINFO_WATCH_IOCTL", GPIOWatchLine, 0xc100b406},
		{"GPIO_GET_LINEINFO_UNWATCH_IOCTL", GPIOUnwatchLine, 0xc004b40c},
		{"GPIO_V2_GET_LINE_IOCTL", GPIOGetLine, 0xc250b407},
		{"GPIO_V2_LINE_SET_CONFIG_IOCTL", GPIOLineSetConfig, 0xc110b40d},
		{"GPIO_V2_LINE_GET_VALUES_IOCTL", GPIOLineGetValues, 0xc010b40e},
		{"GPIO_V2_LINE_SET_VALUES_IOCTL", GPIOLineSetValues, 0xc010b40f},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %#x, want %#x", c.name, c.got, c.want)
		}
	}
}

func TestGPIOSizes(t *testing.T) {
	for _, c := range []struct {
		name      string
		got, want uintptr
	}{
		{"gpiochip_info", unsafe.Sizeof(gpiocdev.ChipInfo{}), 68},
		{"gpio_v2_line_info", unsafe.Sizeof(gpiocdev.LineInfoV2{}), 256},
		{"gpio_v2_line_info_changed", unsafe.Sizeof(gpiocdev.LineInfoChangedV2{}), 288},
		{"gpio_v2_line_info_changed.event_type", unsafe.Offsetof(gpiocdev.LineInfoChangedV2{}.Type), 264},
		{"gpio_v2_line_request", unsafe.Sizeof(gpiocdev.LineRequest{}), 592},
		{"gpio_v2_line_request.fd", unsafe.Offsetof(gpiocdev.LineRequest{}.Fd), 588},
		{"gpio_v2_line_config", unsafe.Sizeof(gpiocdev.LineConfig{}), 272},
		{"gpio_v2_line_config.attrs", unsafe.Offsetof(gpiocdev.LineConfig{}.Attrs), 32},
		{"gpio_v2_line_config_attribute", unsafe.Sizeof(gpiocdev.LineConfigAttribute{}), 24},
		{"gpio_v2_line_attribute", unsafe.Sizeof(gpiocdev.LineAttribute{}), 16},
		{"gpio_v2_line_values", unsafe.Sizeof(gpiocdev.LineValues{}), 16},
		{"gpio_v2_line_event", unsafe.Sizeof(gpiocdev.LineEvent{}), 48},
		{"gpio_v2_line_event.offset", unsafe.Offsetof(gpiocdev.LineEvent{}.Offset), 12},
		{"gpio_v2_line_event.seqno", unsafe.Offsetof(gpiocdev.LineEvent{}.Seqno), 16},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %d, want %d", c.name, c.got, c.want)
		}
	}
}
