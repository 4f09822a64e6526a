package e2e

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// This file is a backend in a process of its own, which can be killed: this test binary in another role. What it counts is in a file that is
// mapped by both and so outlasts it.

const (
	processRole = "E2E_ROLE" // what this binary is to be instead of the tests
	backendRole = "backend"
	processAddr = "E2E_ADDR"
	processFile = "E2E_FILE"
)

// ledgerBook is the counts of a backend process.
type ledgerBook struct{ now, total *atomic.Int64 }

func mapBook(path string) (ledgerBook, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return ledgerBook{}, err
	}
	defer f.Close()
	size := os.Getpagesize()
	if err := f.Truncate(int64(size)); err != nil {
		return ledgerBook{}, err
	}
	memory, err := unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return ledgerBook{}, err
	}
	return ledgerBook{(*atomic.Int64)(unsafe.Pointer(&memory[0])), (*atomic.Int64)(unsafe.Pointer(&memory[64]))}, nil
}

// serveBackend is main of such a process.
func serveBackend() int {
	book, err := mapBook(os.Getenv(processFile))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	book.now.Store(0)
	l, err := net.Listen("tcp", os.Getenv(processAddr))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	err = http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		book.now.Add(1)
		defer book.now.Add(-1)
		book.total.Add(1)
		_, _ = io.Copy(io.Discard, r.Body) // what is missing is missed by the client
		if r.URL.Path == "/slow" {
			time.Sleep(20 * time.Millisecond) // the slowness keeps requests in flight
		}
		w.Header().Set(nameField, "process")
		fmt.Fprintln(w, "process")
	}))
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// processBackend is one of them, as its parent sees it.
type processBackend struct {
	t     *testing.T
	addr  string
	path  string
	book  ledgerBook
	cmd   *exec.Cmd
	ended chan struct{}
}

func newProcessBackend(t *testing.T) *processBackend {
	t.Helper()
	p := &processBackend{t: t, addr: freePort(t), path: filepath.Join(workDir(t), "book")}
	var err error
	if p.book, err = mapBook(p.path); err != nil {
		t.Fatal(err)
	}
	p.start()
	t.Cleanup(p.kill)
	return p
}

// start begins anew at the same address.
func (p *processBackend) start() {
	p.t.Helper()
	p.cmd, p.ended = exec.Command(os.Args[0]), make(chan struct{})
	p.cmd.Env = append(os.Environ(), processRole+"="+backendRole, processAddr+"="+p.addr, processFile+"="+p.path)
	p.cmd.Stderr = os.Stderr
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := startPinned(p.cmd, p.ended); err != nil {
		p.t.Fatal(err)
	}
	if err := within(patience, func() error {
		c, err := net.Dial("tcp", p.addr)
		if err == nil {
			c.Close()
		}
		return err
	}); err != nil {
		p.t.Fatal(err)
	}
}

// kill ends it with -9 and returns when it is gone.
func (p *processBackend) kill() {
	_ = p.cmd.Process.Kill() // it may have been killed before
	<-p.ended
}
