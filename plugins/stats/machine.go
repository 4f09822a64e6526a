package stats

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// every bounds how often the system is asked: figures may be so old.
const every = time.Second

// machine is what the system says of this process and of itself.
type machine struct {
	hostname              string
	memory, total, used   int64 // bytes; total and used of the machine
	threads, files        int
	cores                 int // physical
	connections, connect6 int // TCP and TCP over IPv6, of the network name space
}

// gauge asks the system at most once in every.
type gauge struct {
	root string // of /proc; a test has another

	mu   sync.Mutex // guards what follows
	at   time.Time
	last machine
}

// read returns what the system says. What it does not say is 0.
func (g *gauge) read() machine {
	g.mu.Lock()
	defer g.mu.Unlock()
	if now := time.Now(); g.at.IsZero() || now.Sub(g.at) >= every {
		cores := g.last.cores
		if cores == 0 { // does not change
			cores = g.physicalCores()
		}
		g.last, g.at = g.ask(), now
		g.last.cores = cores
	}
	return g.last
}

func (g *gauge) ask() machine {
	status, memory := g.pairs("self/status"), g.pairs("meminfo")
	total := kilobytes(memory["MemTotal"])
	m := machine{
		memory: kilobytes(status["VmRSS"]), total: total, used: max(0, total-kilobytes(memory["MemAvailable"])),
		threads: number(status["Threads"]), files: g.openFiles(),
		connections: inUse(g.pairs("self/net/sockstat")["TCP"]), connect6: inUse(g.pairs("self/net/sockstat6")["TCP6"]),
	}
	m.hostname, _ = os.Hostname()
	return m
}

// pairs reads a file of lines "name: value"; nil if there is none.
func (g *gauge) pairs(name string) map[string]string {
	data, err := os.ReadFile(filepath.Join(g.root, name))
	if err != nil {
		return nil
	}
	all := map[string]string{}
	for line := range strings.Lines(string(data)) {
		if key, value, ok := strings.Cut(line, ":"); ok {
			all[strings.TrimSpace(key)] = strings.TrimSpace(value)
		}
	}
	return all
}

// number reads the first word of a value.
func number(text string) int {
	word, _, _ := strings.Cut(text, " ")
	n, _ := strconv.Atoi(word) // 0 without one
	return n
}

func kilobytes(text string) int64 { return int64(number(text)) << 10 }

// inUse reads "inuse 5 orphan 0 ...".
func inUse(text string) int {
	rest, ok := strings.CutPrefix(text, "inuse ")
	if !ok {
		return 0
	}
	return number(rest)
}

// openFiles counts descriptors, without the one that counts.
func (g *gauge) openFiles() int {
	dir, err := os.Open(filepath.Join(g.root, "self/fd"))
	if err != nil {
		return 0
	}
	defer dir.Close()
	n := 0
	for {
		names, err := dir.Readdirnames(1024)
		n += len(names)
		if err != nil {
			if errors.Is(err, io.EOF) && n > 0 {
				return n - 1
			}
			return 0
		}
	}
}

// physicalCores counts the cores that have an id of their own; 0 where the system does not number them.
func (g *gauge) physicalCores() int {
	data, err := os.ReadFile(filepath.Join(g.root, "cpuinfo"))
	if err != nil {
		return 0
	}
	cores := map[string]bool{}
	var socket string
	lines := bufio.NewScanner(bytes.NewReader(data))
	for lines.Scan() {
		key, value, _ := strings.Cut(lines.Text(), ":")
		switch strings.TrimSpace(key) {
		case "physical id":
			socket = value
		case "core id":
			cores[socket+"/"+value] = true
		}
	}
	return len(cores)
}
