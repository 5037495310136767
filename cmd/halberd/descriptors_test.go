package main

import (
	"testing"

	"golang.org/x/sys/unix"
)

// TestDescriptorLimit: whatever the soft limit is that the daemon is started with, it may have as many descriptors as the hard one says.
func TestDescriptorLimit(t *testing.T) {
	var before, got unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	lower := before
	lower.Cur = 300
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &lower); err != nil {
		t.Fatal(err)
	}
	p := startSim(t, everywhere(name())...)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	if err := unix.Prlimit(p.Process.Pid, unix.RLIMIT_NOFILE, nil, &got); err != nil {
		t.Fatal(err)
	}
	if got.Cur+1 < got.Max { // the runtime leaves one
		t.Errorf("the daemon may have %d descriptors, want %d", got.Cur, got.Max)
	}
}
