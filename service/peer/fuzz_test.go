package peer

import (
	"slices"
	"strings"
	"testing"

	"github.com/halberd-io/halberd/hal/haltest"
)

var cgroups = []string{
	"0::/system.slice/kiosk.service\n", "4:memory:/system.slice\n1:name=systemd:/a.slice/_cpu.service/x.service\n0::/\n", "0::/user.slice/user-1000.slice/user@1000.service/app.slice/kiosk.service",
	"0::/docker/x:name=systemd:/kiosk.service\n", "::\n0\n0:\n:::/kiosk.service\n", "1:name=systemd:/../kiosk.service\n", "0::/a.slice//kiosk.service\n",
	`0::/system.slice/dev-disk-by\x2dlabel-swap.swap`, "0::/.service\n0::/system.slice/kiosk.service (deleted)\n",
}

// checkCgroups: the unit is the first component of one of the paths that is no slice, and could be a unit's name.
func checkCgroups(t *testing.T, file string) {
	t.Helper()
	unit := unitFromFile(file)
	if unit == "" {
		return
	}
	if strings.Trim(unit, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-_.\\@") != "" {
		t.Errorf("%q: got %q, which is no name of a unit", file, unit)
	}
	if i := strings.LastIndexByte(unit, '.'); i < 1 || !slices.Contains(unitTypes[:], unit[i:]) {
		t.Errorf("%q: got %q, which has no type of unit", file, unit)
	}
	if !slices.ContainsFunc(strings.Split(file, "\n"), func(line string) bool { return firstComponent(line) == unit }) {
		t.Errorf("%q: got %q, which nothing in it begins with", file, unit)
	}
}

// firstComponent is the first one behind the slices of a line's path.
func firstComponent(line string) string {
	fields := strings.SplitN(line, ":", 3)
	if len(fields) < 3 || !strings.HasPrefix(fields[2], "/") {
		return ""
	}
	for _, c := range strings.Split(fields[2][1:], "/") {
		if !strings.HasSuffix(c, ".slice") {
			return strings.TrimPrefix(c, "_")
		}
	}
	return ""
}

func FuzzCgroups(f *testing.F) {
	for _, s := range cgroups {
		f.Add(s)
	}
	f.Fuzz(checkCgroups)
}

func TestRandomCgroups(t *testing.T) {
	for file := range haltest.Inputs(5000, cgroups...) {
		checkCgroups(t, file)
	}
}

// Each byte is in the names of units or is not.
func TestValidUnit(t *testing.T) {
	const all = `abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-_.\@`
	for c := range 256 {
		if got, want := validUnit("a"+string([]byte{byte(c)})), strings.IndexByte(all, byte(c)) >= 0; got != want {
			t.Errorf("byte %#x: got %v, want %v", c, got, want)
		}
	}
}
