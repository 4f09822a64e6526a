package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"pingap/bench/internal/judge"
)

// requestTime bounds one request with its handshake.
const requestTime = 10 * time.Second

// figures is one measurement, in the names of gen.
type figures struct {
	Requests   int64   `json:"requests"`
	Errors     int64   `json:"errors"`
	Seconds    float64 `json:"seconds"`
	RPS        float64 `json:"rps"`
	CPU        float64 `json:"cpu_us"`
	ProxyCores float64 `json:"proxy_cores"`
	First      string  `json:"first_error,omitempty"`
	RSSBefore  int64   `json:"rss_before_kib"`
	RSSAfter   int64   `json:"rss_after_kib"`
	PerIdle    float64 `json:"bytes_per_idle"`
}

// load is what the clients share.
type load struct {
	options
	done   atomic.Int64
	failed atomic.Int64
	first  atomic.Pointer[error] // the first failure
}

// handshakes makes a connection with TLS 1.3 for each request.
func handshakes(ctx context.Context, o options) (figures, error) {
	l := &load{options: o}
	ctx, cancel := context.WithTimeout(ctx, o.warmup+o.seconds)
	defer cancel()
	var clients sync.WaitGroup
	for range o.conns {
		clients.Go(func() { l.client(ctx) }) // ends with ctx, at the latest a requestTime later
	}
	pause(ctx, o.warmup)
	requests, cpu, begin := l.done.Load(), judge.CPUOf(o.pids), time.Now()
	<-ctx.Done()
	f := l.figures(l.done.Load()-requests, judge.CPUOf(o.pids)-cpu, time.Since(begin))
	clients.Wait()
	return f, nil
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

func (l *load) figures(requests int64, cpu, took time.Duration) figures {
	f := figures{Requests: requests, Errors: l.failed.Load(), Seconds: took.Seconds()}
	f.RPS = float64(requests) / took.Seconds()
	f.ProxyCores = cpu.Seconds() / took.Seconds()
	if requests > 0 {
		f.CPU = float64(cpu.Microseconds()) / float64(requests)
	}
	if err := l.first.Load(); err != nil {
		f.First = (*err).Error()
	}
	return f
}

// client makes requests until ctx ends. With resume each client keeps one ticket, which the answer before brought.
func (l *load) client(ctx context.Context) {
	config := &tls.Config{InsecureSkipVerify: true, ServerName: "localhost", MinVersion: tls.VersionTLS13, NextProtos: []string{"http/1.1"}}
	if l.resume {
		config.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	}
	for first := true; ctx.Err() == nil; first = false {
		err := l.request(config, l.resume && !first)
		switch {
		case err == nil && !(l.resume && first):
			l.done.Add(1)
		case err != nil:
			l.failed.Add(1)
			l.first.CompareAndSwap(nil, &err)
			pause(ctx, 10*time.Millisecond)
		}
	}
}

// request is a connection, a handshake, a request and its answer.
func (l *load) request(config *tls.Config, resumed bool) error {
	raw, err := net.DialTimeout("tcp", l.addr, requestTime)
	if err != nil {
		return err
	}
	defer raw.Close()
	if err := raw.SetDeadline(time.Now().Add(requestTime)); err != nil {
		return err
	}
	conn := tls.Client(raw, config)
	if err := conn.Handshake(); err != nil {
		return err
	}
	if conn.ConnectionState().DidResume != resumed {
		return fmt.Errorf("resumed: %v, want %v", !resumed, resumed)
	}
	if err := exchange(conn, "Connection: close\r\n", l.length); err != nil {
		return err
	}
	return conn.Close()
}

// exchange asks for /small over HTTP/1.1.
func exchange(conn net.Conn, fields string, length int) error {
	if _, err := io.WriteString(conn, "GET /small HTTP/1.1\r\nHost: localhost\r\nUser-Agent: peer\r\n"+fields+"\r\n"); err != nil {
		return err
	}
	resp, err := http.ReadResponse(bufio.NewReaderSize(conn, 1024), nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	n, err := io.Copy(io.Discard, resp.Body)
	switch {
	case err != nil:
		return err
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("status %d", resp.StatusCode)
	case int(n) != length:
		return errors.New("an answer of another length")
	}
	return nil
}
