package activate

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/halberd-io/halberd/hal/haltest"
)

var environments = []string{
	"", "1\na", "3\na:b:c", "3\n:b", "2\na:b:c:d", "-1\n", "+1\n", "4096\nx", "4097\nx", "1000000000000000000000\n", "0x3\n", " 1\n", "1_0\n",
	"ANDROID_SOCKET_halberd=7\nPATH=/bin", "ANDROID_SOCKET_b=3\nANDROID_SOCKET_a=4\n", "ANDROID_SOCKET_=\nANDROID_SOCKET_x=-1\nANDROID_SOCKET_y", "ANDROID_SOCKET_x=99999999999999999999",
}

// checkEnvironment: LISTEN_FDS announces as many descriptors as it says, one after the other and each with a name, and no more than anybody passes; each variable of Android's init gives one
// descriptor that is none of the negative ones, or an error.
func checkEnvironment(t *testing.T, text string) {
	t.Helper()
	count, names, _ := strings.Cut(text, "\n")
	all, err := announced(count, names)
	n, parseErr := strconv.Atoi(count)
	if good := parseErr == nil && n >= 0 && n <= 4096 || count == ""; good != (err == nil) || err == nil && len(all) != n {
		t.Errorf("LISTEN_FDS=%q: got %d descriptors, %v", count, len(all), err)
	}
	for i, one := range all {
		if one.fd != 3+i || one.name == "" || one.name != "LISTEN_FD_"+strconv.Itoa(one.fd) && one.name != strings.Split(names, ":")[i] {
			t.Errorf("%q: got %+v at %d", text, one, i)
		}
	}
	lines := strings.Split(text, "\n")
	found, variables, err := androidIn(lines)
	if !slices.IsSortedFunc(found, func(a, b inherited) int { return strings.Compare(a.name, b.name) }) || (err != nil) != (len(found) < len(variables)) {
		t.Errorf("%q: got %+v of %q, %v", text, found, variables, err)
	}
	for _, one := range found {
		if one.fd < 0 || !strings.HasPrefix(one.name, "ANDROID_SOCKET_") || !slices.ContainsFunc(lines, func(line string) bool {
			value, ok := strings.CutPrefix(line, one.name+"=")
			fd, err := strconv.Atoi(value)
			return ok && err == nil && fd == one.fd
		}) {
			t.Errorf("%q: got %+v", text, one)
		}
	}
}

func FuzzEnvironment(f *testing.F) {
	for _, s := range environments {
		f.Add(s)
	}
	f.Fuzz(checkEnvironment)
}

func TestRandomEnvironments(t *testing.T) {
	for text := range haltest.Inputs(5000, environments...) {
		checkEnvironment(t, text)
	}
}
