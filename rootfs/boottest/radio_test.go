//go:build boot

package boottest

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestRadio switches each radio that the image has, and compares with the kernel's own attribute.
func TestRadio(t *testing.T) {
	folders, _ := filepath.Glob("/sys/class/rfkill/rfkill*")
	if len(folders) == 0 {
		t.Skip("the image has no radio")
	}
	for _, folder := range folders {
		name := read(t, folder+"/name")
		if !strings.Contains(must(t, 0, "list", "Radio"), name) {
			t.Errorf("%s is not listed", name)
			continue
		}
		for _, row := range []struct{ command, want string }{{"block", "1"}, {"unblock", "0"}} {
			must(t, 0, "radio", row.command, name)
			if got := read(t, folder+"/soft"); got != row.want {
				t.Errorf("%s: after %s the kernel says %s, want %s", name, row.command, got, row.want)
			}
		}
	}
}
