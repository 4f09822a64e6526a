package client

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"pingap/message"
	"pingap/worker/http2/frame"
	"pingap/worker/http2/hpack"
)

// benchEnv makes the test binary a server for the benchmarks, so that its time is not counted.
const benchEnv = "PINGAP_TEST_H2_SERVER"

func TestMain(m *testing.M) {
	if os.Getenv(benchEnv) != "" {
		benchServer()
		return
	}
	os.Exit(m.Run())
}

// benchServer answers every request with 200 bytes, until its parent closes the pipe.
func benchServer() {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(ln.Addr())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	for {
		nc, err := ln.Accept()
		if err != nil {
			return
		}
		go benchConn(nc, 64<<10)
	}
}

// benchConn is a server that does as little as one can: heads are not decoded.
func benchConn(nc net.Conn, size int) {
	defer nc.Close()
	in := bufio.NewReaderSize(nc, size)
	if _, err := in.Discard(len(frame.Preface)); err != nil {
		return
	}
	var enc hpack.Encoder
	enc.Init()
	var fields message.Fields
	for _, f := range [][2]string{{"content-type", "text/plain"}, {"server", "bench"}, {"content-length", "200"},
		{"cache-control", "no-cache"}, {"date", "Mon, 02 Jan 2006 15:04:05 GMT"}} {
		fields.Add(f[0], []byte(f[1]))
	}
	body := make([]byte, 200)
	out := frame.AppendSettings(nil, frame.Setting{ID: frame.MaxConcurrentStreams, Value: 1000})
	out = frame.AppendWindowUpdate(out, 0, 1<<30)
	head := make([]byte, frame.HeaderLen)
	var block []byte
	for {
		if _, err := io.ReadFull(in, head); err != nil {
			return
		}
		h := frame.ParseHeader(head)
		_, _ = in.Discard(int(h.Length))
		switch {
		case h.Type == frame.Settings && !h.Flags.Has(frame.FlagAck):
			out = frame.AppendSettingsAck(out)
		case h.Type == frame.Ping && !h.Flags.Has(frame.FlagAck):
			out = frame.AppendPing(out, true, [8]byte{})
		case h.Type == frame.Headers:
			block = enc.AppendStatus(block[:0], 200)
			for i := range fields.List() {
				block = enc.Append(block, &fields.List()[i])
			}
			out = frame.AppendHeaders(out, h.Stream, block, false, frame.MinMaxFrame)
			out = appendData(out, h.Stream, body, true)
		}
		if in.Buffered() == 0 {
			if _, err := nc.Write(out); err != nil {
				return
			}
			out = out[:0]
		}
	}
}

func startBenchServer(b *testing.B) string {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), benchEnv+"=1")
	in, _ := cmd.StdinPipe()
	out, _ := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(line)
}

func cpuTime() time.Duration {
	var ru syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &ru)
	return time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
}

// drive runs b.N requests over width goroutines and reports the CPU time of this process for one.
func drive(b *testing.B, width int, work func(n *atomic.Int64)) {
	var n atomic.Int64
	n.Store(int64(b.N))
	b.ReportAllocs()
	b.ResetTimer()
	before := cpuTime()
	var wg sync.WaitGroup
	for range width {
		wg.Add(1)
		go func() {
			defer wg.Done()
			work(&n)
		}()
	}
	wg.Wait()
	b.ReportMetric(float64((cpuTime()-before).Microseconds())/float64(b.N), "cpu-µs/op")
}

var benchHeaders = []string{"User-Agent", "bench/1.0", "Accept", "*/*", "Accept-Language", "en", "X-Forwarded-For", "192.0.2.1",
	"X-Forwarded-Proto", "https", "X-Request-Id", "0123456789abcdef"}

func benchOurs(b *testing.B, width int) {
	nc, err := net.Dial("tcp", startBenchServer(b))
	if err != nil {
		b.Fatal(err)
	}
	c := New(nc, Options{ConnWindow: 64 << 20})
	defer c.Wait()
	defer c.Close()
	drive(b, width, func(n *atomic.Int64) {
		req := request("GET", "/some/path", benchHeaders...)
		resp := new(message.Response)
		mem, buf := make([]byte, 0, 4096), make([]byte, 4096)
		for n.Add(-1) >= 0 {
			s, err := c.Open(req, &req.Fields, OpenOptions{End: true, ContentLength: message.LengthUnknown})
			if err != nil {
				b.Error(err)
				return
			}
			if mem, _, err = s.Head(resp, mem); err != nil {
				b.Error(err)
				return
			}
			got, err := s.Read(buf)
			if err != nil || got != 200 || resp.Status != 200 {
				b.Errorf("%d bytes, %v, %d", got, err, resp.Status)
				return
			}
			s.Release()
		}
	})
}

func benchGo(b *testing.B, width int) {
	addr := startBenchServer(b)
	tr := &http.Transport{Protocols: new(http.Protocols), DisableCompression: true,
		DialTLSContext: func(context.Context, string, string) (net.Conn, error) { return nil, tls.AlertError(0) }}
	tr.Protocols.SetUnencryptedHTTP2(true)
	defer tr.CloseIdleConnections()
	drive(b, width, func(n *atomic.Int64) {
		buf := make([]byte, 4096)
		req, _ := http.NewRequest("GET", "http://"+addr+"/some/path", nil)
		for i := 0; i < len(benchHeaders); i += 2 {
			req.Header.Set(benchHeaders[i], benchHeaders[i+1])
		}
		for n.Add(-1) >= 0 {
			resp, err := tr.RoundTrip(req)
			if err != nil {
				b.Error(err)
				return
			}
			for err == nil {
				_, err = resp.Body.Read(buf)
			}
			_ = resp.Body.Close()
		}
	})
}

// The figure to compare is cpu-µs/op: the time of the client alone, in kernel and user space.
func BenchmarkRequests(b *testing.B) {
	for _, width := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("ours/%d", width), func(b *testing.B) { benchOurs(b, width) })
		b.Run(fmt.Sprintf("net-http/%d", width), func(b *testing.B) { benchGo(b, width) })
	}
}

// BenchmarkDownload reads bodies of 1 MiB from a server that others wrote, which runs in this process too.
func BenchmarkDownload(b *testing.B) {
	const size = 1 << 20
	body := make([]byte, size)
	handler := func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) }
	buf := make([]byte, 32<<10)
	drain := func(r io.Reader) {
		total := 0
		for {
			n, err := r.Read(buf)
			if total += n; err != nil {
				break
			}
		}
		if total != size {
			b.Errorf("%d bytes", total)
		}
	}
	b.Run("ours", func(b *testing.B) {
		c := serve(b, handler, false, Options{})
		b.SetBytes(size)
		drive(b, 1, func(n *atomic.Int64) {
			req, resp := request("GET", "/"), new(message.Response)
			for n.Add(-1) >= 0 {
				s, err := c.Open(req, &req.Fields, OpenOptions{End: true, ContentLength: message.LengthUnknown})
				if err != nil {
					b.Error(err)
					return
				}
				if _, _, err := s.Head(resp, nil); err != nil {
					b.Error(err)
					return
				}
				drain(s)
				s.Release()
			}
		})
	})
	b.Run("net-http", func(b *testing.B) {
		tr := &http.Transport{Protocols: new(http.Protocols)}
		tr.Protocols.SetUnencryptedHTTP2(true)
		defer tr.CloseIdleConnections()
		addr := listenH2(b, handler, false)
		b.SetBytes(size)
		drive(b, 1, func(n *atomic.Int64) {
			for n.Add(-1) >= 0 {
				req, _ := http.NewRequest("GET", "http://"+addr+"/", nil)
				resp, err := tr.RoundTrip(req)
				if err != nil {
					b.Error(err)
					return
				}
				drain(resp.Body)
				_ = resp.Body.Close()
			}
		})
	})
}
