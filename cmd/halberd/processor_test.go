package main

import (
	"runtime"
	"testing"
)

// TestSpareProcessor: one processor is made two, but not against somebody's will.
func TestSpareProcessor(t *testing.T) {
	rows := []struct {
		name, variable string
		have, want     int
	}{
		{"one", "", 1, 2},
		{"one, as somebody wants it", "1", 1, 1},
		{"three", "", 3, 3},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Setenv("GOMAXPROCS", row.variable)
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(row.have))
			spareProcessor()
			if got := runtime.GOMAXPROCS(0); got != row.want {
				t.Errorf("got %d, want %d", got, row.want)
			}
		})
	}
}
