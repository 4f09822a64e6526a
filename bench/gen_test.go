package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"sync/atomic"
	"testing"
	"time"
)

// testGen compiles the generator once per test that needs it; it takes half a second.
func testGen(t *testing.T) string {
	t.Helper()
	gen, err := buildGen(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return gen
}

func testPort(t *testing.T) int {
	t.Helper()
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// Against itself gen must see no error in any kind of work; so both of its halves agree on HTTP.
func TestGenAgreesWithItself(t *testing.T) {
	gen := testGen(t)
	for _, c := range []struct {
		name string
		args []string
	}{
		{"small", []string{"--path", "/", "--length", "200"}},
		{"16 KiB", []string{"--path", "/16k", "--length", "16384"}},
		{"1 MiB", []string{"--path", "/1m", "--length", "1048576", "--conns", "4"}},
		{"chunked answer", []string{"--path", "/chunked", "--length", "16384"}},
		{"kept 1 KiB", []string{"--path", "/kept1k", "--length", "1024", "--visit"}},
		{"kept 64 KiB", []string{"--path", "/kept64k", "--length", "65536"}},
		{"text of 16 KiB", []string{"--path", "/text16k", "--length", "16384", "--encoding", "gzip"}},
		{"text of 256 KiB", []string{"--path", "/text256k", "--length", "262144", "--conns", "4"}},
		{"upload", []string{"--body", "65536", "--length", "200"}},
		{"chunked upload", []string{"--body", "65536", "--chunked"}},
		{"varied path", []string{"--path", "/l%d/x", "--vary", "100"}},
		{"one more cookie", []string{"--cookie", "where=there"}},
		{"fixed rate", []string{"--rate", "2000"}},
		{"fixed rate, connection per request", []string{"--rate", "1000", "--close"}},
		{"idle connections", []string{"--idle", "100", "--hold", "0.05"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			port := strconv.Itoa(testPort(t))
			args := append([]string{"--port", port, "--upstream", port, "--conns", "8", "--requests", "100",
				"--warmup", "0.01", "--seconds", "20"}, c.args...)
			res, err := runGen(t.Context(), gen, args)
			if err != nil {
				t.Fatal(err)
			}
			if res.Errors != 0 || res.Requests < 100 || res.P50 <= 0 || res.P99 < res.P50 {
				t.Errorf("got %+v", res)
			}
		})
	}
}

// A load generator that overlooks wrong answers measures nothing.
func TestGenFindsWrongAnswers(t *testing.T) {
	gen := testGen(t)
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/missing" {
			w.WriteHeader(http.StatusNotFound)
		}
		_, _ = io.WriteString(w, "short")
	})}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }() // ends with Close
	defer func() {
		_ = srv.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	}()
	port := strconv.Itoa(ln.Addr().(*net.TCPAddr).Port)
	args := []string{"--port", port, "--conns", "1", "--requests", "20", "--warmup", "0", "--seconds", "20"}

	res, err := runGen(t.Context(), gen, append(args, "--path", "/missing"))
	if err != nil || res.BadStatus < 20 || res.FirstBadStatus != http.StatusNotFound {
		t.Errorf("status: %+v, %v", res, err)
	}
	res, err = runGen(t.Context(), gen, append(args, "--length", "200"))
	if err != nil || res.BadLength < 20 {
		t.Errorf("length: %+v, %v", res, err)
	}
	res, err = runGen(t.Context(), gen, append(args, "--length", "5"))
	if err != nil || res.Errors != 0 {
		t.Errorf("right answer: %+v, %v", res, err)
	}
}

// At a fixed rate a request that had to wait for a free connection counts from when it was due: what a stalling proxy
// kept from being sent is in the figures.
func TestGenCountsLatencyFromWhenARequestWasDue(t *testing.T) {
	gen := testGen(t)
	const stall = 100 * time.Millisecond
	var n atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if n.Add(1)%20 == 1 {
			time.Sleep(stall)
		}
		_, _ = io.WriteString(w, "x")
	}))
	defer srv.Close()
	port := strconv.Itoa(srv.Listener.Addr().(*net.TCPAddr).Port)
	args := []string{"--port", port, "--conns", "1", "--warmup", "0", "--seconds", "1"}

	res, err := runGen(t.Context(), gen, append(args, "--rate", "400"))
	if err != nil || res.Errors != 0 {
		t.Fatalf("%+v, %v", res, err)
	}
	if res.P50 < float64(stall.Microseconds())/2 {
		t.Errorf("half of the requests waited at most %.0f µs behind stalls of %v", res.P50, stall)
	}
	if n.Load() < 400 {
		t.Errorf("%d requests were sent, 400 were due", n.Load())
	}
}

func TestGenCountsCPUOfTheGivenProcesses(t *testing.T) {
	gen := testGen(t)
	port := strconv.Itoa(testPort(t))
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	args := []string{"--port", port, "--upstream", port, "--conns", "1", "--requests", "50", "--warmup", "0",
		"--seconds", "20", "--pids", fmt.Sprint(os.Getpid())}
	res, err := runGen(ctx, gen, args)
	if err != nil {
		t.Fatal(err)
	}
	if res.RSSBefore <= 0 || res.CPU < 0 {
		t.Errorf("got %+v", res)
	}
}
