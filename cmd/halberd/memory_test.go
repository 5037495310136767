package main

import (
	"math"
	"runtime/debug"
	"testing"
)

// TestMemoryLimit reads what kernels show, as they were seen under systemd, in containers and with version 1.
func TestMemoryLimit(t *testing.T) {
	const none = math.MaxInt64
	for _, row := range []struct {
		name  string
		files map[string]string
		want  int64
	}{
		{"no control groups", nil, none},
		{"no limit", map[string]string{"proc/self/cgroup": "0::/system.slice/halberd.service\n",
			"sys/fs/cgroup/system.slice/halberd.service/memory.max": "max\n", "sys/fs/cgroup/system.slice/halberd.service/memory.high": "max\n"}, none},
		{"max", map[string]string{"proc/self/cgroup": "0::/system.slice/halberd.service\n",
			"sys/fs/cgroup/system.slice/halberd.service/memory.max": "67108864\n", "sys/fs/cgroup/system.slice/halberd.service/memory.high": "max\n"}, 67108864},
		{"high below max", map[string]string{"proc/self/cgroup": "0::/system.slice/halberd.service\n",
			"sys/fs/cgroup/system.slice/halberd.service/memory.max": "67108864\n", "sys/fs/cgroup/system.slice/halberd.service/memory.high": "50331648\n"}, 50331648},
		{"of the slice", map[string]string{"proc/self/cgroup": "0::/a.slice/b.service\n",
			"sys/fs/cgroup/a.slice/b.service/memory.max": "67108864\n", "sys/fs/cgroup/a.slice/memory.max": "33554432\n"}, 33554432},
		{"in a container", map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "33554432\n"}, 33554432},
		{"a group that is not seen", map[string]string{"proc/self/cgroup": "0::/../../other\n", "sys/fs/cgroup/memory.max": "33554432\n"}, 33554432},
		{"version 1", map[string]string{"proc/self/cgroup": "5:cpu:/\n4:memory:/halberd\n1:name=systemd:/x\n0::/\n",
			"sys/fs/cgroup/memory/halberd/memory.limit_in_bytes": "33554432\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}, 33554432},
		{"version 1 without a limit", map[string]string{"proc/self/cgroup": "4:memory:/\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"},
			9223372036854771712},
		{"another controller", map[string]string{"proc/self/cgroup": "3:cpuset:/halberd\n", "sys/fs/cgroup/memory/halberd/memory.limit_in_bytes": "33554432\n"}, none},
		{"nonsense", map[string]string{"proc/self/cgroup": "0\n\n:::\n0::/x\n", "sys/fs/cgroup/x/memory.max": "-5\n", "sys/fs/cgroup/x/memory.high": "lots\n"}, none},
	} {
		t.Run(row.name, func(t *testing.T) {
			root := folder(t, row.files)
			if got := memoryLimit(root); got != row.want {
				t.Errorf("got %d, want %d", got, row.want)
			}
		})
	}
}

// TestLimitMemory: the collector is told of the limit, unless somebody told it another one.
func TestLimitMemory(t *testing.T) {
	for _, row := range []struct {
		name, limit, variable string
		want                  int64
	}{
		{"a limit", "67108864", "", 50331648},
		{"a limit that is hardly one", "1048576", "", leastMemory},
		{"none", "max", "", math.MaxInt64},
		{"as somebody wants it", "67108864", "20MiB", math.MaxInt64},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Setenv("GOMEMLIMIT", row.variable)
			before := debug.SetMemoryLimit(math.MaxInt64)
			defer debug.SetMemoryLimit(before)
			root := folder(t, map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": row.limit + "\n"})
			limitMemory(root)
			if got := debug.SetMemoryLimit(-1); got != row.want {
				t.Errorf("got %d, want %d", got, row.want)
			}
		})
	}
}
