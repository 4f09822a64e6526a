package judge

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Work is one measurement.
type Work struct {
	Program string // path of the generator
	Dir     string // for files that it needs
	Core    int    // that it is pinned to
	PIDs    []int  // the proxy's processes
	Address string // of the proxy
	Counted time.Duration
	Warmup  time.Duration // load before that, not counted

	Path    string
	TLS, H2 bool
	Conns   int
	Streams int // requests at once on each connection
	Length  int // bytes of each answer
	Body    int // bytes of each request
	Total   int // a number of requests in place of a time; 0 = by time
}

// Figures is what came of it.
type Figures struct {
	Requests int64
	Seconds  float64
	RPS      float64
	CPU      float64 // µs of the proxy's processes for each request
	Cores    float64 // that the proxy used; 1 = a whole one
}

func newFigures(requests int64, cpu, took time.Duration) Figures {
	f := Figures{Requests: requests, Seconds: took.Seconds(), Cores: cpu.Seconds() / took.Seconds()}
	f.RPS = float64(requests) / f.Seconds
	f.CPU = float64(cpu.Nanoseconds()) / 1000 / float64(requests)
	return f
}

// pinned is the program on its core.
func (w Work) pinned(ctx context.Context, args []string) *exec.Cmd {
	return exec.CommandContext(ctx, "taskset", append([]string{"-c", strconv.Itoa(w.Core), w.Program}, args...)...)
}

// CPUOf is the time that all threads of the processes have run so far.
func CPUOf(pids []int) time.Duration {
	sum := time.Duration(0)
	for _, pid := range pids {
		files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
		for _, path := range files {
			text, err := os.ReadFile(path)
			if err != nil {
				continue // the thread ended in between
			}
			first, _, _ := strings.Cut(string(text), " ")
			ns, _ := strconv.ParseInt(first, 10, 64)
			sum += time.Duration(ns)
		}
	}
	return sum
}

// tail is the end of what a program said.
func tail(text string) string { return strings.TrimSpace(text[max(0, len(text)-1000):]) }
