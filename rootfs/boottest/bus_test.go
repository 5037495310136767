//go:build boot

package boottest

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestI2COfStub: on the kernel's simulated bus, which is SMBus alone: an address that has a driver is busy, one without is free, and what is written can be read.
func TestI2COfStub(t *testing.T) {
	number := stubBus(t)
	bus, folder := "i2c-"+number, "/sys/bus/i2c/devices/i2c-"+number
	transfer := func(messages string) []string {
		return []string{"call", "io.halberd.I2c.Transfer", fmt.Sprintf(`{"bus":%q,"messages":[%s]}`, bus, messages)}
	}
	if o := refused(t, 0, "io.halberd.Busy", "i2c", "probe", bus, "0x48"); !strings.Contains(o.stderr, `"holder":"lm75"`) {
		t.Errorf("the address of the sensor: %s, want its driver", o.stderr)
	}
	refused(t, 0, "io.halberd.Busy", transfer(`{"address":72,"readLength":1}`)...)
	if got := must(t, 0, "i2c", "probe", bus, "0x20"); got != "false" {
		t.Errorf("an address that nothing answers at: %s, want false", got)
	}

	write(t, folder+"/delete_device", "0x50")
	t.Cleanup(func() { write(t, folder+"/new_device", "24c02 0x50") })
	if got := must(t, 0, "i2c", "probe", bus, "0x50"); got != "true" {
		t.Errorf("the address of the EEPROM: %s, want true", got)
	}
	for _, row := range []struct{ messages, want string }{
		{`{"address":80,"write":"EAc="}`, `{"reads":[]}`},
		{`{"address":80,"write":"EA=="},{"address":80,"readLength":1}`, `{"reads":[{"data":"Bw=="}]}`},
		{`{"address":80,"write":"EAECAwQ="}`, `{"reads":[]}`},
		{`{"address":80,"write":"EA=="},{"address":80,"readLength":4}`, `{"reads":[{"data":"AQIDBA=="}]}`},
		{`{"address":80,"write":"IDQS"}`, `{"reads":[]}`},
		{`{"address":80,"write":"IA=="},{"address":80,"readLength":2}`, `{"reads":[{"data":"NBI="}]}`},
	} {
		if got := must(t, 0, transfer(row.messages)...); got != row.want {
			t.Errorf("%s: got %s, want %s", row.messages, got, row.want)
		}
	}
	if got := run(t, "i2cget", "-y", number, "0x50", "0x20", "w"); got != "0x1234" {
		t.Errorf("i2cget says %s, want 0x1234", got)
	}
	refused(t, 0, "io.halberd.NotSupported", transfer(`{"address":80,"write":"EA=="},{"address":80,"readLength":1},{"address":80,"readLength":1}`)...)
	refused(t, 0, "io.halberd.NotSupported", transfer(`{"address":80,"readLength":2}`)...)
}

// TestSPIOfGPIO: on spidev over spi-gpio, whose input is a line of the simulated chip: what is received follows its pull.
func TestSPIOfGPIO(t *testing.T) {
	device := filepath.Base(find(t, "/sys/class/spidev/spidev*"))
	transfer := []string{"call", "io.halberd.Spi.Transfer", `{"device":"` + device + `","segments":[{"write":"pQ==","deselect":true},{"write":"AAA=","read":true}]}`}
	must(t, 0, "spi", "configure", device, "0", "50000", "8")
	for _, row := range []struct{ pull, want string }{{"pull-up", `{"reads":[{"data":"//8="}]}`}, {"pull-down", `{"reads":[{"data":"AAA="}]}`}} {
		write(t, line(t, "13")+"/pull", row.pull)
		if got := must(t, 0, transfer...); got != row.want {
			t.Errorf("with a %s: got %s, want %s", row.pull, got, row.want)
		}
	}
	refused(t, 0, "io.halberd.OutOfRange", "call", "io.halberd.Spi.Transfer", `{"device":"`+device+`","segments":[{"write":"`+strings.Repeat("AAAA", 1366)+`"}]}`)

	c := dial(t, "stream:@halberd")
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	files, err := c.CallFDs(ctx, "io.halberd.Spi.Lease", map[string]string{"device": device}, nil)
	if err != nil || len(files) != 1 {
		t.Fatalf("a lease: %v, %v", files, err)
	}
	defer files[0].Close()
	refused(t, 0, "io.halberd.Busy", transfer...)
	write(t, line(t, "13")+"/pull", "pull-up")
	if got := received(t, files[0]); got != "ff ff" {
		t.Errorf("by the lease: got %s, want ff ff", got)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the device is free again", func() bool { return halctl(t, 0, transfer...).status == 0 })
}

// received reads two bytes from a device of spidev.
func received(t *testing.T, f *os.File) string {
	t.Helper()
	var p [2]byte
	if _, err := io.ReadFull(f, p[:]); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("% x", p)
}
