//go:build boot

package boottest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/halberd-io/halberd/service/client"
)

// TestCpu looks at each policy that the machine has; an emulated one has none as a rule.
func TestCpu(t *testing.T) {
	folders, _ := filepath.Glob("/sys/devices/system/cpu/cpufreq/policy*")
	if len(folders) == 0 {
		t.Skip("the machine has no cpufreq")
	}
	for _, folder := range folders {
		got := must(t, 0, "-j", "cpu", "get", filepath.Base(folder))
		if governor := read(t, folder+"/scaling_governor"); !strings.Contains(got, `"governor":"`+governor+`"`) {
			t.Errorf("%s: the governor is %s, and Get gives %s", folder, governor, got)
		}
	}
}

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
