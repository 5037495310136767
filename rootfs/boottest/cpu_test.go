//go:build boot

package boottest

import (
	"context"
	"errors"
	"os"
	"testing"

	"github.com/halberd-io/halberd/service/client"
)

// TestLatencyHold: what is handed over is the kernel's own device, where it has one.
func TestLatencyHold(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	files, err := dial(t, "").CallFDs(ctx, "io.halberd.Cpu.LatencyHold", map[string]int{"uSec": 100}, nil)
	if _, missing := os.Stat("/dev/cpu_dma_latency"); errors.Is(missing, os.ErrNotExist) {
		if !client.IsError(err, "io.halberd.NotSupported") {
			t.Errorf("without the device: %v, want NotSupported", err)
		}
		return
	}
	if err != nil || len(files) != 1 {
		t.Fatalf("%d descriptors: %v", len(files), err)
	}
	defer files[0].Close()
	own, err := files[0].Stat()
	if err != nil {
		t.Fatal(err)
	}
	if device, err := os.Stat("/dev/cpu_dma_latency"); err != nil || !os.SameFile(own, device) {
		t.Errorf("what was handed over is %v, the device is %v, %v", own, device, err)
	}
}
