//go:build boot

package boottest

import (
	"context"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/service/client"
)

// openPort has a port handed over to a connection.
func openPort(t testing.TB, c *client.Client, parameters map[string]any) *os.File {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	files, err := c.CallFDs(ctx, "io.halberd.Serial.Open", parameters, nil)
	if err != nil || len(files) != 1 {
		t.Fatalf("got %d descriptors, %v", len(files), err)
	}
	t.Cleanup(func() { _ = files[0].Close() })
	return files[0]
}

// TestSerialOfPL011: the machine's own port, which is the console: set up as asked for, exclusive until its holder has ended, with lines and counters of the real driver.
func TestSerialOfPL011(t *testing.T) {
	const port = "ttyAMA0"
	_ = start(t, 0, nil, "systemctl", "stop", "serial-getty@ttyAMA0.service") // which would hang the port up
	t.Cleanup(func() { _ = start(t, 0, nil, "systemctl", "--no-block", "start", "serial-getty@ttyAMA0.service") })
	if list := must(t, 0, "list", "Serial"); !strings.Contains(list, port) {
		t.Fatalf("the port is not listed:\n%s", list)
	}
	refused(t, app, "PermissionDenied", "call", "io.halberd.Serial.Open", `{"port":"`+port+`","baud":9600}`)
	refused(t, 0, "io.halberd.NotSupported", "call", "io.halberd.Serial.GetLines", `{"port":"`+port+`"}`)
	refused(t, 0, "io.halberd.NotSupported", "call", "io.halberd.Serial.Open", `{"port":"`+port+`","baud":12000000}`)

	c := dial(t, "stream:@halberd")
	f := openPort(t, c, map[string]any{"port": port, "baud": 38400, "stop": 2})
	settings, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS2)
	if err != nil {
		t.Fatal(err)
	}
	if settings.Ospeed < 37248 || settings.Ospeed > 39552 || settings.Cflag&unix.CSTOPB == 0 || settings.Lflag != 0 || settings.Oflag != 0 {
		t.Errorf("the settings are %+v, want 38400 baud, 2 stop bits, and a raw terminal", settings)
	}
	refused(t, 0, "io.halberd.Busy", "call", "io.halberd.Serial.Open", `{"port":"`+port+`","baud":9600}`)
	refused(t, 0, "io.halberd.Busy", "call", "io.halberd.Serial.SetLines", `{"port":"`+port+`","rts":false}`)

	var lines struct{ RTS bool }
	for _, rts := range []bool{false, true} {
		call(t, c, "io.halberd.Serial.SetLines", map[string]any{"port": port, "rts": rts}, nil)
		call(t, c, "io.halberd.Serial.GetLines", map[string]any{"port": port}, &lines)
		if lines.RTS != rts {
			t.Errorf("RTS is %t, want %t", lines.RTS, rts)
		}
	}
	call(t, c, "io.halberd.Serial.Break", map[string]any{"port": port, "durationMSec": 20}, nil)
	var counted struct{ Sent int64 }
	call(t, c, "io.halberd.Serial.Counters", map[string]any{"port": port}, &counted)
	const text = "halberd: written through a descriptor that was handed over\r\n"
	before := counted.Sent
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	eventually(t, "what was written is sent", func() bool {
		call(t, c, "io.halberd.Serial.Counters", map[string]any{"port": port}, &counted)
		return counted.Sent >= before+int64(len(text))
	})

	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	other := dial(t, "seqpacket:@halberd")
	eventually(t, "the next one may have the port", func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		files, err := other.CallFDs(ctx, "io.halberd.Serial.Open", map[string]any{"port": port, "baud": 115200}, nil)
		for _, f := range files {
			_ = f.Close()
		}
		return err == nil
	})
}
