package service_test

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/halberd-io/halberd/service/dispatch"
	"github.com/halberd-io/halberd/service/peer"
	"github.com/halberd-io/halberd/service/servicetest"
)

// i2cCall writes a call on the simulated I2C bus and its chips.
func i2cCall(method, parameters string) string {
	return `{"method":"io.halberd.I2c.` + method + `","parameters":{` + parameters + `}}`
}

// TestBusGrants: a grant covers one chip on a bus, reading or writing alone, and a range of the registers of a chip, with all that a call reaches.
func TestBusGrants(t *testing.T) {
	transfer := func(messages string) string { return i2cCall("Transfer", `"bus":"i2c0","messages":[`+messages+`]`) }
	at := func(address int, what string) string { return fmt.Sprintf(`{"address":%d,%s}`, address, what) }
	read := func(device string, register, length int) string {
		return i2cCall("Read", fmt.Sprintf(`"device":%q,"register":%d,"length":%d`, device, register, length))
	}
	write := func(register int, data string) string {
		return i2cCall("Write", fmt.Sprintf(`"device":"eeprom","register":%d,"data":%q`, register, data))
	}
	send := func(segments string) string {
		return `{"method":"io.halberd.Spi.Transfer","parameters":{"device":"flash0","segments":[` + segments + `]}}`
	}
	spi := `methods = ["io.halberd.Spi.*"]` + "\n" + `devices = ["flash0"]`
	const w1, w2, r1, r4 = `"write":"AA=="`, `"write":"gAE="`, `"readLength":1`, `"readLength":4`
	all := `methods = ["io.halberd.I2c.*"]` + "\n" + `devices = ["*"]`
	for _, c := range []struct {
		name, grant, call string
		permitted         bool
	}{
		{"a bus by its name", `methods = ["io.halberd.I2c.Transfer"]` + "\n" + `devices = ["i2c0"]`, transfer(at(80, r1)), true},
		{"a chip by its name", `methods = ["io.halberd.I2c.Read"]` + "\n" + `devices = ["eeprom"]`, read("eeprom", 0, 1), true},
		{"another chip", `methods = ["io.halberd.I2c.Read"]` + "\n" + `devices = ["eeprom"]`, read("thermometer", 0, 2), false},
		{"a chip's name is no bus", `methods = ["io.halberd.I2c.*"]` + "\n" + `devices = ["eeprom"]`, transfer(at(80, r1)), false},
		{"looking", `verbs = ["observe"]` + "\n" + `devices = ["I2c/*"]`, read("eeprom", 0, 1), true},
		{"looking is not writing", `verbs = ["observe"]` + "\n" + `devices = ["I2c/*"]`, write(128, "AA=="), false},
		{"looking is not a bus", `verbs = ["observe", "control"]` + "\n" + `devices = ["I2c/*"]`, transfer(at(80, r1)), false},

		{"one address", all + "\nwhere = { messages = { address = { in = [0x50] } } }", transfer(at(80, w1) + "," + at(80, r4)), true},
		{"one address of two", all + "\nwhere = { messages = { address = { in = [0x50] } } }", transfer(at(80, w1) + "," + at(72, r4)), false},
		{"reads alone", all + "\nwhere.messages.readLength.max = 4", transfer(at(80, r4)), true},
		{"reads alone, longer", all + "\nwhere.messages.readLength.max = 3", transfer(at(80, r4)), false},
		{"reads alone, with a write", all + "\nwhere.messages.readLength.max = 4", transfer(at(80, w1) + "," + at(80, r4)), false},
		{"writes alone", all + "\nwhere.messages.write.length.max = 2", transfer(at(80, w2)), true},
		{"writes alone, longer", all + "\nwhere.messages.write.length.max = 1", transfer(at(80, w2)), false},
		{"writes alone, with a read", all + "\nwhere.messages.write.length.max = 2", transfer(at(80, w1) + "," + at(80, r4)), false},
		{"an address to probe", all + "\nwhere.address.in = [0x48]", i2cCall("Probe", `"bus":"i2c0","address":72`), true},
		{"another address to probe", all + "\nwhere.address.in = [0x48]", i2cCall("Probe", `"bus":"i2c0","address":80`), false},

		{"registers", all + "\nwhere.register = { min = 0x10, max = 0x1f }", read("eeprom", 0x10, 16), true},
		{"registers before", all + "\nwhere.register = { min = 0x10, max = 0x1f }", read("eeprom", 0x0f, 1), false},
		{"registers beyond", all + "\nwhere.register = { min = 0x10, max = 0x1f }", read("eeprom", 0x10, 17), false},
		{"some registers", all + "\nwhere.register.in = [0x10, 0x11, 0x13]", read("eeprom", 0x10, 2), true},
		{"one between some registers", all + "\nwhere.register.in = [0x10, 0x11, 0x13]", read("eeprom", 0x11, 3), false},
		{"registers to write", all + "\nwhere.register = { min = 0x80, max = 0x83 }", write(0x80, "AAECAw=="), true},
		{"registers to write beyond", all + "\nwhere.register = { min = 0x80, max = 0x83 }", write(0x81, "AAECAw=="), false},
		{"a length", all + "\nwhere.length.max = 4", read("eeprom", 0, 4), true},
		{"too long", all + "\nwhere.length.max = 4", read("eeprom", 0, 5), false},
		{"a length to write", all + "\nwhere.data.length.max = 2", write(0x80, "AAE="), true},
		{"a speed", spi + "\nwhere.segments.speedHz.max = 5000", send(`{"write":"AA==","speedHz":5000},{"write":"AA==","speedHz":1000}`), true},
		{"too fast", spi + "\nwhere.segments.speedHz.max = 5000", send(`{"write":"AA==","speedHz":5000},{"write":"AA==","speedHz":5001}`), false},
		{"a speed that is left out", spi + "\nwhere.segments.speedHz.max = 5000", send(`{"write":"AA==","speedHz":5000},{"write":"AA=="}`), false},
		{"bytes of a segment", spi + "\nwhere.segments.write.length.max = 2", send(`{"write":"AA=="},{"write":"AAE="}`), true},
		{"more of one", spi + "\nwhere.segments.write.length.max = 1", send(`{"write":"AA=="},{"write":"AAE="}`), false},
		{"too long to write", all + "\nwhere.data.length.max = 2", write(0x80, "AAEC"), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := servicetest.Start(t, fmt.Sprintf("[[grant]]\nid = \"i2c\"\nusers = [%d]\n%s\n", os.Geteuid(), c.grant))
			got, err := s.MustDial(t, peer.Seqpacket).Call(c.call)
			if err != nil {
				t.Fatal(err)
			}
			denied := parse(t, got).Error == "org.varlink.service.PermissionDenied"
			if denied == c.permitted || c.permitted && !strings.HasPrefix(got, `{"parameters":`) {
				t.Errorf("%s: got %s, want it permitted: %t", c.call, got, c.permitted)
			}
		})
	}
}

// TestHungBus: a bus that hangs in the kernel makes its own callers time out, at their deadline, and nobody else wait: not for the daemon, for another bus, or for a device
// that waits for none. When it comes back it serves as before.
func TestHungBus(t *testing.T) {
	s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()))
	hung, behind, other := s.MustDial(t, peer.Stream), s.MustDial(t, peer.Seqpacket), s.MustDial(t, peer.Stream)
	s.Sim.Hang("i2c-0")
	begin := time.Now()
	read := i2cCall("Read", `"device":"eeprom","register":0,"length":2`)
	if err := hung.Write(read); err != nil {
		t.Fatal(err)
	}
	for s.Sim.Waiting() == 0 {
		runtime.Gosched()
	}
	if err := behind.Write(i2cCall("Probe", `"bus":"i2c0","address":72`)); err != nil {
		t.Fatal(err)
	}
	others(t, other)
	if s.Sim.Waiting() == 0 {
		t.Error("the bus does not hang any more")
	}
	for _, c := range []struct {
		caller *servicetest.Raw
		device string
	}{{hung, "eeprom"}, {behind, "i2c0"}} {
		want := `{"error":"io.halberd.Timeout","parameters":{"class":"I2c","device":"` + c.device + `"}}`
		if got, err := c.caller.Read(); got != want || err != nil {
			t.Errorf("got %s, %v, want %s", got, err, want)
		}
	}
	if waited := time.Since(begin); waited < dispatch.Deadline {
		t.Errorf("timed out after %v, want %v", waited, dispatch.Deadline)
	}
	others(t, other)
	s.Sim.Resume("i2c-0")
	await(t, hung, read, `{"parameters":{"data":"//8="}}`)
}

// others makes calls that do not need the bus that hangs. Each is answered while it hangs.
func others(t *testing.T, r *servicetest.Raw) {
	t.Helper()
	for range 50 {
		for _, c := range []struct{ call, want string }{
			{i2cCall("Probe", `"bus":"i2c-1","address":73`), `{"parameters":{"present":false}}`},
			{`{"method":"io.halberd.Spi.Transfer","parameters":{"device":"flash0","segments":[{"write":"AQ==","read":true}]}}`, `{"parameters":{"reads":[{"data":"AQ=="}]}}`},
			{`{"method":"io.halberd.Gpio.Get","parameters":{"line":"relay-pump"}}`, `{"parameters":{"value":0}}`},
			{`{"method":"io.halberd.Board.Describe","parameters":{"device":"I2c/eeprom"}}`, `{"parameters":{"class":"I2c","id":"eeprom","bus":"i2c-0","methods":["Read","Write"]}}`},
		} {
			if got, err := r.Call(c.call); err != nil || !matches(got, c.want) {
				t.Fatalf("%s: got %s, %v, want %s", c.call, got, err, c.want)
			}
		}
	}
}
