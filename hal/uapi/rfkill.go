package uapi

import "unsafe"

// RfkillEvent is struct rfkill_event of include/uapi/linux/rfkill.h, as it is read from and written to /dev/rfkill. Since Linux 5.11 the kernel may add bytes behind it, which a reader
// that has room for these alone does not get.
type RfkillEvent struct {
	Idx  uint32
	Type uint8
	Op   uint8
	Soft uint8
	Hard uint8
}

// RfkillEventSize is RFKILL_EVENT_SIZE_V1.
const RfkillEventSize = int(unsafe.Sizeof(RfkillEvent{}))

// Operations of enum rfkill_operation.
const (
	RfkillAdd       = 0
	RfkillDel       = 1
	RfkillChange    = 2
	RfkillChangeAll = 3
)

// RfkillTypes are the names of enum rfkill_type, as /sys/class/rfkill/*/type has them; the first one stands for all.
var RfkillTypes = [...]string{"all", "wlan", "bluetooth", "ultrawideband", "wimax", "wwan", "gps", "fm", "nfc"}
