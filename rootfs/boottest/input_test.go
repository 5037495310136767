//go:build boot

package boottest

import (
	"context"
	"encoding/binary"
	"os"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/halberd-io/halberd/service/client"
)

// leaseKeys leases the keys of gpio-keys, and gives what is read of them.
func leaseKeys(t *testing.T) (c *client.Client, keys *os.File) {
	t.Helper()
	id := strings.ReplaceAll(read(t, find(t, "/sys/bus/platform/drivers/gpio-keys/*/input/input*/name")), " ", "%20")
	c = dial(t, "stream:@halberd")
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	files, err := c.CallFDs(ctx, "io.halberd.Input.Lease", map[string]any{"device": id}, nil)
	if err != nil || len(files) != 1 {
		t.Fatalf("got %d descriptors, %v", len(files), err)
	}
	t.Cleanup(func() { files[0].Close() })
	return c, files[0]
}

// pressed waits for the next event of a key.
func pressed(t *testing.T, keys *os.File) (code uint16, value int32) {
	t.Helper()
	const times = int(2 * unsafe.Sizeof(uintptr(0)))
	event := make([]byte, times+8)
	if err := keys.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := keys.Read(event); err != nil {
			t.Fatal(err)
		}
		if binary.NativeEndian.Uint16(event[times:]) == 1 { // EV_KEY
			return binary.NativeEndian.Uint16(event[times+2:]), int32(binary.NativeEndian.Uint32(event[times+4:]))
		}
	}
}

// TestInputLease: a key of gpio-keys that is pressed and let go is what a leased descriptor reads, and the lease ends with its connection: the kernel revokes the descriptor.
func TestInputLease(t *testing.T) {
	c, keys := leaseKeys(t)
	defer write(t, line(t, "2")+"/pull", "pull-down")
	for _, row := range []struct {
		pull string
		want int32
	}{{"pull-up", 1}, {"pull-down", 0}} {
		write(t, line(t, "2")+"/pull", row.pull)
		if code, value := pressed(t, keys); code != 148 || value != row.want {
			t.Errorf("%s: key %d is at %d, want 148 at %d", row.pull, code, value, row.want)
		}
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the descriptor is revoked", func() bool {
		_, err := keys.Write(make([]byte, 24))
		return err != nil && strings.Contains(err.Error(), "no such device")
	})
}
