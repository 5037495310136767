package wire_test

import (
	"strings"
	"testing"

	"github.com/halberd-io/halberd/hal/haltest"
)

// What the fuzz targets check, on inputs made of their seeds.
func TestRandomMessages(t *testing.T) {
	for text := range haltest.Inputs(5000, seeds...) {
		data := []byte(text)
		checkValid(t, data)
		checkMembers(t, data, uint8(len(data)))
		checkMembers(t, data, 2)
		checkRead(t, data, 4)
		checkAppendString(t, text)
		checkBytes(t, strings.Trim(text, `"`))
	}
}
