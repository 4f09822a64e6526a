package process

import (
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"testing"
)

func TestMemoryIsTheLeastLimit(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		want  int64
	}{
		"nothing known":      {nil, 0},
		"machine":            {map[string]string{"proc/meminfo": "MemTotal:  1024 kB\nMemFree: 5 kB\n"}, 1 << 20},
		"version 2":          {map[string]string{"proc/meminfo": "MemTotal: 1024 kB\n", "proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "max\n", "sys/fs/cgroup/a/memory.max": "5000\n"}, 5000},
		"version 1":          {map[string]string{"proc/meminfo": "MemTotal: 1024 kB\n", "proc/self/cgroup": "4:cpu,memory:/x\n", "sys/fs/cgroup/memory/x/memory.limit_in_bytes": "7000\n"}, 7000},
		"in a container":     {map[string]string{"proc/meminfo": "MemTotal: 1024 kB\n", "proc/self/cgroup": "0::/elsewhere\n", "sys/fs/cgroup/memory.max": "9000\n"}, 9000},
		"more than there is": {map[string]string{"proc/meminfo": "MemTotal: 1 kB\n", "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "9000\n"}, 1024},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			for file, text := range c.files {
				if err := os.MkdirAll(filepath.Dir(filepath.Join(root, file)), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(root, file), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if got := memory(root); got != c.want {
				t.Errorf("%d bytes, want %d", got, c.want)
			}
		})
	}
}

func TestSlimLowersTheLimitAndNeverRaisesIt(t *testing.T) {
	before := debug.SetMemoryLimit(math.MaxInt64)
	defer debug.SetMemoryLimit(before)
	Slim()
	limit := debug.SetMemoryLimit(-1)
	if limit < slimMargin || limit > 1<<32 {
		t.Errorf("the limit is %d bytes", limit)
	}
	debug.SetMemoryLimit(5)
	if Slim(); debug.SetMemoryLimit(-1) != 5 {
		t.Error("a lower limit was raised")
	}
}
