package main

import (
	_ "embed" // for sample.toml
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// sampleConfig is what --sample serves.
//
//go:embed sample.toml
var sampleConfig string

// sampleAddr is where sample.toml expects its upstream.
const sampleAddr = "127.0.0.1:6189"

// startSampleUpstream runs the upstream of the sample as a process of its own;
// the supervisor's must not read from the network. It ends with stop, and also
// when this process ends in any other way, by the end of the pipe.
func startSampleUpstream(s surroundings) (stop func(), err error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("sample upstream: %w", err)
	}
	ready, started, err := os.Pipe()
	if err != nil {
		read.Close()
		write.Close()
		return nil, fmt.Errorf("sample upstream: %w", err)
	}
	defer ready.Close()
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = []string{"pingap: sample upstream", "sample-upstream"}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = read, started, s.stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	err = cmd.Start()
	read.Close()
	started.Close()
	if err != nil {
		write.Close()
		return nil, fmt.Errorf("sample upstream: %w", err)
	}
	stop = func() {
		write.Close()
		_ = cmd.Wait() // it has nothing more to say
	}
	if _, err := ready.Read(make([]byte, 1)); err != nil {
		stop()
		return nil, fmt.Errorf("sample upstream: %w", errSampleStart)
	}
	fmt.Fprintln(s.stderr, "pingap: serving the sample on http://127.0.0.1:6188/")
	return stop, nil
}

var errSampleStart = errors.New("it did not start")

// sampleUpstreamRole answers every request with what it got, until standard
// input ends.
func sampleUpstreamRole(_ []string, s surroundings) int {
	listener, err := net.Listen("tcp", sampleAddr)
	if err != nil {
		return s.fail(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(echo), ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }() // ends with Close
	fmt.Fprintln(s.stdout, "ready")
	// Nothing is ever written to it: reading ends when the parent does.
	_, _ = io.Copy(io.Discard, os.Stdin)
	_ = server.Close()
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return s.fail(err)
	}
	return exitDone
}

// echo says what arrived.
func echo(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintf(w, "sample upstream: %s %s %s\nHost: %s\n", r.Method, r.RequestURI, r.Proto, r.Host)
	if err := r.Header.Write(w); err != nil {
		return // the client has gone
	}
	_, _ = io.Copy(w, io.LimitReader(r.Body, 64<<10))
}
