package main

import (
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
)

// limitMemory has the garbage collector keep within what the control group of this process may have, where it has a limit: three quarters of it, since the
// rest is needed for the kernel's buffers of connections, for stacks and for the program. GOMEMLIMIT in the environment is left as it is.
func limitMemory(root string) {
	if limit := memoryLimit(root); limit < math.MaxInt64 && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(max(limit/4*3, leastMemory))
	}
}

// leastMemory is what the collector is left in any case, in bytes: with less, it would run all the time, and the limit would be met all the same.
const leastMemory = 8 << 20

// memoryLimit gives the least memory.max and memory.high of the control group of this process and of those that it is in; of a version 1 hierarchy the
// memory.limit_in_bytes (Linux Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst). Without any it is math.MaxInt64. root is / but in tests.
func memoryLimit(root string) int64 {
	limit := int64(math.MaxInt64)
	text, _ := os.ReadFile(filepath.Join(root, "proc/self/cgroup"))
	for line := range strings.Lines(string(text)) {
		fields := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3) // hierarchy, its controllers, the group's path
		if len(fields) < 3 {
			continue
		}
		switch {
		case fields[0] == "0" && fields[1] == "":
			limit = min(limit, leastOf(root, "sys/fs/cgroup", fields[2], "memory.max", "memory.high"))
		case fields[1] == "memory":
			limit = min(limit, leastOf(root, "sys/fs/cgroup/memory", fields[2], "memory.limit_in_bytes"))
		}
	}
	return limit
}

// leastOf reads files of a group and of all those above it, up to where the hierarchy is mounted. A group that cannot be seen, as from within a container,
// has no limit there; the one at the mount is then this process's own.
func leastOf(root, mount, group string, names ...string) int64 {
	limit := int64(math.MaxInt64)
	for at := filepath.Join("/", group); ; at = filepath.Dir(at) {
		for _, name := range names {
			text, _ := os.ReadFile(filepath.Join(root, mount, at, name))
			if n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil && n > 0 {
				limit = min(limit, n)
			}
		}
		if at == "/" {
			return limit
		}
	}
}
