package simtest

import (
	"unsafe"

	gpiocdev "github.com/warthog618/go-gpiocdev/uapi"

	"github.com/halberd-io/halberd/hal/uapi"
)

// lineRequest is the descriptor that a request for GPIO lines gave, or 0 for any other request.
func lineRequest(request uint, argument unsafe.Pointer) int {
	if request != uapi.GPIOGetLine {
		return 0
	}
	return int((*gpiocdev.LineRequest)(argument).Fd)
}
