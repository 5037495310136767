//go:build boot

package boottest

import (
	"encoding/json"
	"strings"
	"testing"
)

func decode(t testing.TB, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
}

// The grants of these tests are those of 60-kiosk.toml in the image.

// TestGrantByUID: one uid may and the others may not.
func TestGrantByUID(t *testing.T) {
	must(t, kiosk, "gpio", "get", "valve")
	refused(t, app, "PermissionDenied", "gpio", "get", "valve")
	refused(t, kiosk, "PermissionDenied", "gpio", "get", "relay-up")
	refused(t, 65534, "PermissionDenied", "gpio", "get", "valve")
}

// TestGrantBySupplementaryGroup: of the real kernel's SO_PEERGROUPS, with several groups; on datagrams it does not count.
func TestGrantBySupplementaryGroup(t *testing.T) {
	for _, address := range addresses[:3] {
		args := []string{"-a", address, "led", "get", "status"}
		if o := start(t, kiosk, []uint32{20, leds, 44}, "halctl", args...); o.status != 0 {
			t.Errorf("%s: with the group: %s", address, o.all())
		}
		if o := start(t, kiosk, []uint32{20, 44}, "halctl", args...); o.status != 1 {
			t.Errorf("%s: without the group: exit status %d, want 1", address, o.status)
		}
	}
	if o := start(t, kiosk, []uint32{leds}, "halctl", "-a", "dgram:@halberd", "led", "get", "status"); o.status != 1 {
		t.Errorf("a datagram, which carries no supplementary groups: exit status %d, want 1", o.status)
	}
}

// TestGrantByUnit: systemd's unit of the peer decides, whoever its user is; on datagrams it does not count.
func TestGrantByUnit(t *testing.T) {
	get := []string{"halctl", "gpio", "get", "valve"}
	for _, row := range []struct {
		name       string
		properties []string
		want       int
	}{
		{"valves", []string{"User=app"}, 0},
		{"valves", []string{"DynamicUser=yes"}, 0},
		{"valves2", []string{"User=app"}, 1},
		{"valves2", []string{"DynamicUser=yes"}, 1},
		{"xvalves", []string{"User=app"}, 1},
	} {
		if o := unit(t, row.name, row.properties, get...); o.status != row.want {
			t.Errorf("%s.service with %s: exit status %d, want %d: %s", row.name, row.properties, o.status, row.want, o.all())
		}
	}
	if o := unit(t, "valves", []string{"User=app"}, "halctl", "-a", "dgram:@halberd", "gpio", "get", "valve"); o.status != 1 {
		t.Errorf("a datagram: exit status %d, want 1", o.status)
	}
	if o := unit(t, "both", []string{"User=app"}, "halctl", "gpio", "toggle", "valve"); o.status != 1 {
		t.Errorf("the unit without the uid: exit status %d, want 1", o.status)
	}
	if o := unit(t, "both", []string{"User=kiosk"}, "halctl", "gpio", "toggle", "valve"); o.status != 0 {
		t.Errorf("the unit with the uid: exit status %d, want 0: %s", o.status, o.all())
	}
}

// TestUnitOfDelegatedFolder: a user who owns a part of the control group tree names a folder in it as the unit that has the grant.
func TestUnitOfDelegatedFolder(t *testing.T) {
	script := `cg=/sys/fs/cgroup$(cut -d: -f3 /proc/self/cgroup); mkdir $cg/valves.service && echo $$ >$cg/valves.service/cgroup.procs &&
		grep -q 'valves.service$' /proc/self/cgroup && echo moved; exec halctl gpio get valve`
	o := unit(t, "liar", []string{"User=app", "Delegate=yes"}, "/bin/sh", "-c", script)
	if !strings.Contains(o.stdout, "moved") || o.status != 1 {
		t.Errorf("exit status %d, want 1 from a folder named valves.service: %s", o.status, o.all())
	}
}

// TestWhoAmI: what the kernel says of an app is what the daemon says to it.
func TestWhoAmI(t *testing.T) {
	o := unit(t, "asking", []string{"User=kiosk", "SupplementaryGroups=leds"}, "halctl", "-j", "-a", "seqpacket:@halberd", "whoami")
	var got struct {
		UID, GID  uint32
		Groups    []uint32
		Unit      string
		Transport string
	}
	decode(t, o.stdout, &got)
	if got.UID != kiosk || got.GID != kiosk || got.Unit != "asking.service" || got.Transport != "seqpacket" {
		t.Errorf("got %+v", got)
	}
	if len(got.Groups) == 0 || !strings.Contains(o.stdout, "1100") {
		t.Errorf("the groups are %v, want 1100 among them", got.Groups)
	}
}

// TestDynamicUserHasNoUID: a grant to a uid that systemd hands out anew is refused.
func TestDynamicUserHasNoUID(t *testing.T) {
	dir := "/etc/halberd/policy.d/70-dynamic.toml"
	write(t, dir, "[[grant]]\nid = \"d\"\nusers = [61200]\nmethods = [\"io.halberd.Gpio.Get\"]\ndevices = [\"*\"]\n")
	defer run(t, "rm", dir)
	if o := start(t, 0, nil, "halberd", "check"); o.status == 0 || !strings.Contains(o.all(), "70-dynamic.toml:3") {
		t.Errorf("halberd check: exit status %d, %s; want a fault at 70-dynamic.toml:3", o.status, o.all())
	}
}

// TestOtherNetworkNamespace: as in a container, the pathname socket is reached where it is bind-mounted, and the abstract ones are not.
func TestOtherNetworkNamespace(t *testing.T) {
	container := []string{"User=app", "PrivateNetwork=yes", "TemporaryFileSystem=/run", "BindPaths=/run/halberd/io.halberd:/run/board/socket"}
	if o := unit(t, "container", container, "halctl", "-a", "stream:/run/board/socket", "gpio", "get", "button"); o.status != 0 {
		t.Errorf("the bind-mounted socket: exit status %d: %s", o.status, o.all())
	}
	for _, address := range addresses[1:] {
		if o := unit(t, "container", container, "halctl", "-a", address, "gpio", "get", "button"); o.status != 3 {
			t.Errorf("%s: exit status %d, want 3 (no daemon): %s", address, o.status, o.all())
		}
	}
}

// TestPythonApp: the client to copy, as uid 1000.
func TestPythonApp(t *testing.T) {
	script := `import sys
sys.path.insert(0, "/usr/lib/halberd-test")
import halberd
board = halberd.connect()
board.call("io.halberd.Gpio.Set", line="relay-pump", value=1)
print(board.call("io.halberd.Gpio.Get", line="relay-pump")["value"])
try:
    board.call("io.halberd.Gpio.Set", line="valve", value=1)
except halberd.Refused as refused:
    print(refused.name)
`
	o := start(t, app, nil, "python3", "-B", "-c", script)
	if want := "1\norg.varlink.service.PermissionDenied\n"; o.status != 0 || o.stdout != want {
		t.Errorf("exit status %d, got %q, want %q: %s", o.status, o.stdout, want, o.stderr)
	}
	if got := read(t, line(t, "5")+"/value"); got != "1" {
		t.Errorf("the pin is %s, want 1", got)
	}
	must(t, app, "gpio", "set", "relay-pump", "0")
}

// TestVarlinkctl: systemd's own client, as an app, on both stream sockets.
func TestVarlinkctl(t *testing.T) {
	for _, address := range []string{"unix:/run/halberd/io.halberd", "unix:@halberd"} {
		for _, row := range []struct {
			args []string
			want string
		}{
			{[]string{"info", address}, "io.halberd.Gpio"},
			{[]string{"list-interfaces", address}, "io.halberd.Led"},
			{[]string{"introspect", address, "io.halberd.Gpio"}, "method Set"},
			{[]string{"call", address, "io.halberd.Gpio.Get", `{"line":"button"}`}, `"value"`},
		} {
			o := start(t, app, nil, "varlinkctl", row.args...)
			if o.status != 0 || !strings.Contains(o.stdout, row.want) {
				t.Errorf("varlinkctl %q: exit status %d, got %q, want %q in it", row.args, o.status, o.all(), row.want)
			}
		}
		o := start(t, app, nil, "varlinkctl", "call", address, "io.halberd.Gpio.Set", `{"line":"valve","value":1}`)
		if o.status == 0 || !strings.Contains(o.all(), "PermissionDenied") {
			t.Errorf("varlinkctl: exit status %d and %q, want PermissionDenied", o.status, o.all())
		}
	}
}

// TestInterfaceTextsInstalled: the files below /usr/share/varlink are valid, and are what the daemon says.
func TestInterfaceTextsInstalled(t *testing.T) {
	for _, name := range []string{"io.halberd", "io.halberd.Board", "io.halberd.Gpio", "io.halberd.Led", "io.halberd.Policy", "io.halberd.Sensor"} {
		file := "/usr/share/varlink/" + name + ".varlink"
		run(t, "varlinkctl", "validate-idl", file)
		if got := must(t, 0, "info", name); got != read(t, file) {
			t.Errorf("%s is not what the daemon says of %s", file, name)
		}
	}
}
