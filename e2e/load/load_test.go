package load

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience bounds waits for what must happen.
const patience = 20 * time.Second

func newUpstream(t *testing.T) *Upstream {
	t.Helper()
	u, err := NewUpstream()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(u.Close)
	return u
}

// until waits for a condition.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// goodFor waits until every kind of the mixes has had n good requests.
func goodFor(t *testing.T, l *Load, n uint64, mixes []Mix) {
	t.Helper()
	until(t, fmt.Sprintf("%d requests of each kind", n), func() bool {
		r := l.Report()
		for _, m := range mixes {
			if m.Kind != Loris && r.Kinds[m.Kind].OK() < n {
				return false
			}
		}
		return true
	})
}

func TestAllKindsSucceedWhereNothingIsWrong(t *testing.T) {
	t.Parallel()
	u := newUpstream(t)
	mixes := Usual(2, 100*time.Millisecond, 200*time.Millisecond)
	l := Start(u.Addr, mixes...)
	goodFor(t, l, 4, mixes)
	r := l.Stop()
	t.Log("\n" + r.String())
	if err := r.Err(); err != nil {
		t.Error(err)
	}
	if err := u.Check(r); err != nil {
		t.Error(err)
	}
	for k := range kinds {
		switch tally := &r.Kinds[k]; {
		case k == Loris:
			if r.Noise == 0 || tally.Started != 0 {
				t.Errorf("%d connections of noise, %d requests", r.Noise, tally.Started)
			}
		case tally.Started != tally.OK() || tally.Reopened != 0:
			t.Errorf("%s: %+v", k, tally.Ended)
		}
	}
	var inSlots uint64
	for _, s := range r.Series {
		inSlots += uint64(s.OK)
	}
	if total := r.Total(); inSlots != total.OK() || r.Gap <= 0 || r.Gap > r.Took {
		t.Errorf("%d in the series, %d in all; gap %v", inSlots, total.OK(), r.Gap)
	}
}

// badServer calls serve for every connection, with its number from 0.
func badServer(t *testing.T, serve func(c net.Conn, in *bufio.Reader, n int)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	wg.Go(func() { // ends with the listener
		for n := 0; ; n++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, c)
			mu.Unlock()
			wg.Go(func() { // ends with its connection
				defer c.Close()
				serve(c, bufio.NewReader(c), n)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for _, c := range open {
			c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return l.Addr().String()
}

// takeRequest reads a request and returns its key.
func takeRequest(in *bufio.Reader) (key, body string, err error) {
	r, err := http.ReadRequest(in)
	if err != nil {
		return "", "", err
	}
	text, err := io.ReadAll(r.Body)
	return r.Header.Get(keyField), string(text), err
}

func ok(body string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

// answering is a server that reads requests and writes what answer makes of them; "" ends the connection.
func answering(answer func(n int, key, body string) string) func(net.Conn, *bufio.Reader, int) {
	return func(c net.Conn, in *bufio.Reader, _ int) {
		for n := 0; ; n++ {
			key, body, err := takeRequest(in)
			if err != nil {
				return
			}
			text := answer(n, key, body)
			if _, err := io.WriteString(c, text); err != nil || text == "" || strings.HasSuffix(text, "!") {
				return
			}
		}
	}
}

func TestFailuresAreSeenAsWhatTheyAre(t *testing.T) {
	t.Parallel()
	cut := func(text string) string { return text[:len(text)-5] + "!" }
	for _, c := range []struct {
		name   string
		kind   Kind
		serve  func(net.Conn, *bufio.Reader, int)
		expect Outcome
	}{
		{"closes instead of answering", Busy, answering(func(int, string, string) string { return "" }), Reset},
		{"closes instead of the second answer", Busy, answering(func(n int, key, body string) string {
			if n == 0 {
				return ok(expected(key, body))
			}
			return ""
		}), Reset},
		{"resets when a request comes", Fresh, func(c net.Conn, in *bufio.Reader, _ int) {
			_, _ = in.Peek(1)
			_ = c.(*net.TCPConn).SetLinger(0)
		}, Reset},
		{"closes within the head", Fresh, answering(func(int, string, string) string { return "HTTP/1.1 200 OK\r\nContent-!" }), Cut},
		{"closes within the body", Slow, answering(func(_ int, key, body string) string { return cut(ok(expected(key, body))) }), Cut},
		{"closes within a chunked body", Busy, answering(func(_ int, key, body string) string {
			text := expected(key, body)
			return fmt.Sprintf("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n!", len(text), text)
		}), Cut},
		{"answers 502", Busy, answering(func(int, string, string) string {
			return "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"
		}), BadStatus},
		{"answers somebody else", Busy, answering(func(_ int, _, body string) string { return ok(expected("0.0", body)) }), WrongBody},
		{"loses a part of the request", Upload, answering(func(_ int, key, body string) string { return ok(expected(key, body[1:])) }), WrongBody},
		{"answers twice", Busy, answering(func(_ int, key, body string) string { return strings.Repeat(ok(expected(key, body)), 2) }), WrongBody},
		{"answers twice, slowly", Idle, func(c net.Conn, in *bufio.Reader, _ int) {
			key, body, _ := takeRequest(in)
			_, _ = io.WriteString(c, ok(expected(key, body)))
			_, _ = io.WriteString(c, ok("more"))
			_, _ = in.ReadByte()
		}, WrongBody},
		{"does not answer", Busy, func(_ net.Conn, in *bufio.Reader, _ int) { _, _ = io.Copy(io.Discard, in) }, Timeout},
		{"speaks something else", Busy, answering(func(int, string, string) string { return "220 mail ready\r\n!" }), Cut},
		{"closes within an upload", Upload, func(c net.Conn, in *bufio.Reader, _ int) {
			_, _ = in.Peek(1)
			_ = c.(*net.TCPConn).SetLinger(0)
		}, Reset},
		{"refuses an upload", Upload, func(c net.Conn, in *bufio.Reader, _ int) {
			_, _ = in.Peek(1)
			_, _ = io.WriteString(c, "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
			_, _ = io.Copy(io.Discard, in)
		}, BadStatus},
		{"ends a tunnel", WebSocket, tunnelling(func(net.Conn, frame) bool { return false }), Cut},
		{"says goodbye instead of an echo", WebSocket, tunnelling(func(c net.Conn, _ frame) bool {
			return writeFrame(c, frame{opClose, nil}, false) == nil
		}), Cut},
		{"echoes something else", WebSocket, tunnelling(func(c net.Conn, f frame) bool {
			return writeFrame(c, frame{opText, append(f.payload, '.')}, false) == nil
		}), WrongBody},
		{"refuses a tunnel", WebSocket, answering(func(_ int, _, _ string) string { return ok("no") }), BadStatus},
		{"ends within an event", Events, streaming("id: 0\ndata: KEY\n\nid: 1\nda", "0\r\n\r\n"), Cut},
		{"ends within a stream", Events, streaming("id: 0\ndata: KEY\n\n", ""), Cut},
		{"loses an event", Events, streaming("id: 0\ndata: KEY\n\nid: 2\ndata: KEY\n\n", "0\r\n\r\n"), WrongBody},
		{"streams to the wrong client", Events, streaming("id: 0\ndata: 7.7\n\n", "0\r\n\r\n"), WrongBody},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			addr := badServer(t, c.serve)
			l := Start(addr, Mix{Kind: c.kind, Clients: 1, Pause: 20 * time.Millisecond, Takes: 300 * time.Millisecond, Limit: 700 * time.Millisecond})
			until(t, "a failure", func() bool { return l.Failed() >= 2 })
			r := l.Stop()
			if total := r.Total(); r.Err() == nil || total.Started != total.ended() {
				t.Errorf("%v: %d begun, %d ended", r.Err(), total.Started, total.ended())
			}
			for _, f := range r.Failures[:2] {
				if f.Outcome != c.expect || f.Kind != c.kind || f.Client != 1 || f.Err == nil || !f.Began.Before(f.Ended) {
					t.Errorf("%s, expected %s", f, c.expect)
				}
			}
		})
	}
}

// tunnelling accepts a tunnel and lets step answer each message.
func tunnelling(step func(c net.Conn, f frame) bool) func(net.Conn, *bufio.Reader, int) {
	return func(c net.Conn, in *bufio.Reader, _ int) {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		fmt.Fprintf(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: %s\r\n\r\n",
			acceptOf(r.Header.Get("Sec-WebSocket-Key")))
		for {
			f, err := readFrame(in)
			if err != nil || !step(c, f) {
				return
			}
		}
	}
}

// streaming answers with one chunk of events and an end; KEY stands for the request's key.
func streaming(events, end string) func(net.Conn, *bufio.Reader, int) {
	return func(c net.Conn, in *bufio.Reader, _ int) {
		key, _, err := takeRequest(in)
		if err != nil {
			return
		}
		text := strings.ReplaceAll(events, "KEY", key)
		fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n%s", len(text), text, end)
	}
}

func TestARefusedConnectionIsAFailure(t *testing.T) {
	t.Parallel()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	l := Start(gone.Addr().String(), append(Usual(1, time.Millisecond, time.Millisecond), Secure(1, time.Millisecond, time.Millisecond)...)...)
	until(t, "failures", func() bool { return l.Failed() > 100 })
	r := l.Stop()
	for k := range kinds {
		if tally := &r.Kinds[k]; k != Loris && (tally.Ended[Refused] == 0 || tally.Ended[Refused] != tally.Started) {
			t.Errorf("%s: %v", k, tally.Ended)
		}
	}
}

// What the peer may do to a connection that owes nothing is no failure, and is counted.
func TestEndsBetweenRequestsAreNoFailures(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		kind  Kind
		serve func(net.Conn, *bufio.Reader, int)
	}{
		{"an idle connection", Idle, func(c net.Conn, in *bufio.Reader, _ int) {
			key, body, err := takeRequest(in)
			if err == nil {
				_, _ = io.WriteString(c, ok(expected(key, body)))
			}
		}},
		{"a tunnel after a goodbye", WebSocket, func(c net.Conn, in *bufio.Reader, _ int) {
			tunnelling(func(c net.Conn, f frame) bool {
				return writeFrame(c, f, false) == nil && writeFrame(c, frame{opClose, nil}, false) == nil
			})(c, in, 0)
		}},
		{"a stream between events", Events, streaming("id: 0\ndata: KEY\n\n", "0\r\n\r\n")},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := Start(badServer(t, c.serve), Mix{Kind: c.kind, Clients: 1, Pause: 50 * time.Millisecond, Takes: time.Second})
			until(t, "a connection opened again", func() bool { return l.Report().Kinds[c.kind].Reopened >= 2 })
			if r := l.Stop(); r.Err() != nil {
				t.Errorf("%v\n%s", r.Err(), r)
			}
		})
	}
}

// A proxy that sends a request twice, or answers without sending it, is found by the upstream.
func TestTheUpstreamCountsWhatArrives(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		asks   int // how often a request reaches the upstream
		expect string
	}{{"once", 1, ""}, {"twice", 2, "arrived twice"}, {"never", 0, "were answered"}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			u := newUpstream(t)
			addr := badServer(t, answering(func(n int, key, body string) string {
				for range c.asks {
					r, err := http.NewRequest("POST", "http://"+u.Addr+"/echo", strings.NewReader(body))
					if err != nil {
						return ""
					}
					r.Header.Set(keyField, key)
					resp, err := http.DefaultTransport.RoundTrip(r)
					if err != nil {
						return ""
					}
					resp.Body.Close()
				}
				return ok(expected(key, body))
			}))
			l := Start(addr, Mix{Kind: Busy, Clients: 2, Pause: time.Millisecond})
			until(t, "requests", func() bool { return l.OK() > 10 })
			r := l.Stop()
			if r.Err() != nil {
				t.Errorf("%v\n%s", r.Err(), r)
			}
			err := u.Check(r)
			if (err == nil) != (c.expect == "") || err != nil && !strings.Contains(err.Error(), c.expect) {
				t.Errorf("%v, expected %q", err, c.expect)
			}
		})
	}
}

func TestHistogramsAreExactToAFewPercent(t *testing.T) {
	t.Parallel()
	var h Histogram
	for us := 1; us <= 10_000; us++ {
		h.note(time.Duration(us) * time.Microsecond)
	}
	for _, p := range []float64{1, 50, 99, 99.9} {
		want := time.Duration(p*100) * time.Microsecond
		if got := h.Percentile(p); got < want || got > want*107/100 {
			t.Errorf("p%v is %v, expected %v", p, got, want)
		}
	}
	if h.Percentile(100) != 10*time.Millisecond || h.Max != 10*time.Millisecond {
		t.Errorf("max %v, p100 %v", h.Max, h.Percentile(100))
	}
	var empty Histogram
	if empty.Percentile(99) != 0 {
		t.Error("a percentile of nothing")
	}
	for n := range steps * 20 {
		if b := bucket(upper(n)); b != n {
			t.Fatalf("bucket %d ends at %v, which is in bucket %d", n, upper(n), b)
		}
	}
}
