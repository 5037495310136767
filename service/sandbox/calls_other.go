//go:build !amd64 && !arm64 && !riscv64 && !arm

package sandbox

const (
	architecture = 0
	mapCall      = 0
)

var native [0]uintptr
