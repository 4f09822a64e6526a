package proxy

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"pingap/config"
	"pingap/worker/drain"
)

// readBody reads the body of a request whose head is given, and returns it decoded.
func (p *scripted) readBody(head string) string {
	var n int
	if i := strings.Index(head, "Content-Length: "); i >= 0 {
		fmt.Sscanf(head[i:], "Content-Length: %d", &n)
		b := make([]byte, n)
		if _, err := io.ReadFull(p.r, b); err != nil {
			return "short: " + err.Error()
		}
		return string(b)
	}
	if !strings.Contains(head, "Transfer-Encoding: chunked") {
		return ""
	}
	var body strings.Builder
	for {
		line, err := p.r.ReadString('\n')
		if err != nil {
			return "short: " + err.Error()
		}
		var size int
		fmt.Sscanf(line, "%x", &size)
		if size == 0 {
			for line != "\r\n" {
				if line, err = p.r.ReadString('\n'); err != nil {
					return "short: " + err.Error()
				}
			}
			return body.String()
		}
		if _, err := io.CopyN(&body, p.r, int64(size)); err != nil {
			return "short: " + err.Error()
		}
		_, _ = p.r.Discard(2)
	}
}

// echo answers with the length of the body it has read.
func echo(p *scripted) {
	for {
		head, ok := p.request()
		if !ok {
			return
		}
		body := p.readBody(head)
		text := fmt.Sprintf("%d:%.8s", len(body), body)
		p.reply(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(text), text))
	}
}

func (c *rawClient) expect(status, body string) {
	c.t.Helper()
	head := c.head()
	if !strings.HasPrefix(head, "HTTP/1.1 "+status) {
		c.t.Fatalf("head %q, want status %s", head, status)
	}
	if got := c.body(len(body)); got != body {
		c.t.Fatalf("body %q, want %q", got, body)
	}
}

func TestRequestBodies(t *testing.T) {
	b := newBackend(t, echo)
	r := newRig(t, rigOptions{addrs: []string{b.addr()}})
	big := strings.Repeat("abcdefgh", 100_000)
	c := r.dial()
	post := func(headers, body string) string {
		return "POST /up HTTP/1.1\r\nHost: h\r\n" + headers + "\r\n" + body
	}
	for i, tc := range []struct{ request, want string }{
		{post("Content-Length: 5\r\n", "hello"), "5:hello"},
		{post("Content-Length: 0\r\n", ""), "0:"},
		{post("", ""), "0:"},
		{post("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n3;a=b\r\nabc\r\n0\r\n\r\n"), "8:helloabc"},
		{post(fmt.Sprintf("Content-Length: %d\r\n", len(big)), big), "800000:abcdefgh"},
		{post("Transfer-Encoding: chunked\r\n", fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(big), big)), "800000:abcdefgh"},
		{post("Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n", "5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n"), "5:hello"},
	} {
		c.send(tc.request)
		c.expect("200", tc.want)
		if line := r.log.wait(t, i); line.status != 200 || !strings.HasPrefix(tc.want, fmt.Sprint(line.received)+":") {
			t.Errorf("case %d: log %+v", i, line)
		}
	}
	if !strings.Contains(b.received(), "0\r\nX-Sum: 1\r\n\r\n") {
		t.Error("the trailer did not reach the upstream")
	}
}

func TestPipelinedRequestsAreAnsweredInOrder(t *testing.T) {
	b := newBackend(t, echo)
	r := newRig(t, rigOptions{addrs: []string{b.addr()}})
	big := strings.Repeat("x", 40_000)
	var all bytes.Buffer
	for i := 1; i <= 20; i++ {
		fmt.Fprintf(&all, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s", i, big[:i])
	}
	fmt.Fprintf(&all, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s", len(big), big)
	fmt.Fprintf(&all, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(big), big)
	fmt.Fprintf(&all, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
	c := r.dial()
	go func() { _, _ = c.Conn.Write(all.Bytes()) }() // ends with the connection
	for i := 1; i <= 20; i++ {
		c.expect("200", fmt.Sprintf("%d:%.8s", i, big[:i]))
	}
	c.expect("200", "40000:xxxxxxxx")
	c.expect("200", "40000:xxxxxxxx")
	c.expect("200", "0:")
	if rest := c.rest(); rest != "" {
		t.Errorf("more came: %q", rest)
	}
}

func TestRequestArrivingByteByByte(t *testing.T) {
	b := newBackend(t, echo)
	r := newRig(t, rigOptions{addrs: []string{b.addr()}})
	c := r.dial()
	for _, request := range []string{
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello",
		"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n",
	} {
		for i := range request {
			c.send(request[i : i+1])
		}
		c.expect("200", "5:hello")
	}
}

func TestExpectContinue(t *testing.T) {
	b := newBackend(t, func(p *scripted) {
		for {
			head, ok := p.request()
			if !ok {
				return
			}
			if !strings.Contains(head, "Expect: 100-continue\r\n") {
				p.reply("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
				continue
			}
			p.reply("HTTP/1.1 100 Continue\r\n\r\n")
			body := p.readBody(head)
			p.reply(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
		}
	})
	r := newRig(t, rigOptions{addrs: []string{b.addr()}})
	c := r.dial()
	for i := 0; i < 2; i++ {
		c.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
		c.expect("100", "")
		c.send("hello")
		c.expect("200", "hello")
	}
}

func TestEarlyResponseWhileTheBodyIsStillComing(t *testing.T) {
	b := newBackend(t, func(p *scripted) {
		p.request()
		p.reply("HTTP/1.1 401 Unauthorized\r\nContent-Length: 4\r\n\r\nnope")
		_, _ = io.Copy(io.Discard, p.r)
	})
	r := newRig(t, rigOptions{addrs: []string{b.addr()}})
	c := r.dial().send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\nsome")
	head := c.head()
	if !strings.HasPrefix(head, "HTTP/1.1 401") || !strings.Contains(head, "Connection: close\r\n") {
		t.Errorf("head %q", head)
	}
	if got := c.body(4); got != "nope" {
		t.Errorf("body %q", got)
	}
	c.rest()
	if line := r.log.wait(t, 0); line.status != 401 {
		t.Errorf("log %+v", line)
	}
}

func TestBodyLimit(t *testing.T) {
	b := newBackend(t, echo)
	r := newRig(t, rigOptions{addrs: []string{b.addr()}, location: config.Location{ClientMaxBodySize: 1000}})
	for name, request := range map[string]string{
		"announced":     "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n\r\n",
		"chunked":       "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" + strings.Repeat("x", 1001) + "\r\n0\r\n\r\n",
		"chunked, slow": "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" + strings.Repeat("x", 1001),
	} {
		t.Run(name, func(t *testing.T) {
			c := r.dial().send(request)
			if head := c.head(); !strings.HasPrefix(head, "HTTP/1.1 413") {
				t.Errorf("head %q", head)
			}
		})
	}
	c := r.dial().send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n" + strings.Repeat("x", 1000))
	c.expect("200", "1000:xxxxxxxx")
}

func TestClientThatLeavesIsNoticed(t *testing.T) {
	upstreamClosed := make(chan struct{})
	arrived := make(chan struct{})
	b := newBackend(t, func(p *scripted) {
		p.request()
		close(arrived)
		p.request() // returns when the proxy closes
		close(upstreamClosed)
	})
	r := newRig(t, rigOptions{addrs: []string{b.addr()}})
	c := r.dial().send(get)
	<-arrived
	begin := time.Now()
	c.Close()
	select {
	case <-upstreamClosed:
	case <-time.After(patience):
		t.Fatal("the upstream's connection stays open")
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
	if line := r.log.wait(t, 0); line.status != 499 {
		t.Errorf("log %+v", line)
	}
}

func TestClientThatLeavesDuringItsBody(t *testing.T) {
	b := newBackend(t, echo)
	r := newRig(t, rigOptions{addrs: []string{b.addr()}})
	c := r.dial().send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\nsome")
	c.Close()
	if line := r.log.wait(t, 0); line.status != 499 {
		t.Errorf("log %+v", line)
	}
	c = r.dial().send(get)
	c.expect("200", "0:")
}

func TestHeadThatDoesNotComeIsTimedOut(t *testing.T) {
	r := newRig(t, rigOptions{server: func(s *Server) { s.HeaderTimeout = 200 * time.Millisecond }})
	c := r.dial().send("GET / HTTP/1.1\r\nHost: h\r\n")
	if head := c.head(); !strings.HasPrefix(head, "HTTP/1.1 408") || !strings.Contains(head, "Connection: close") {
		t.Errorf("head %q", head)
	}
	// A connection on which nothing comes is closed without a word.
	if got := r.dial().rest(); got != "" {
		t.Errorf("got %q", got)
	}
}

func TestBodyThatDoesNotComeIsTimedOut(t *testing.T) {
	b := newBackend(t, echo)
	r := newRig(t, rigOptions{addrs: []string{b.addr()}, server: func(s *Server) { s.ReadTimeout = 200 * time.Millisecond }})
	c := r.dial().send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\nsome")
	if head := c.head(); !strings.HasPrefix(head, "HTTP/1.1 408") {
		t.Errorf("head %q", head)
	}
}

func TestKeepAliveLimits(t *testing.T) {
	b := newBackend(t, answer(ok5))
	r := newRig(t, rigOptions{addrs: []string{b.addr()}, server: func(s *Server) {
		s.KeepAliveRequests, s.KeepAliveTimeout = 2, 300*time.Millisecond
	}})
	c := r.dial().send(get)
	if head := c.head(); strings.Contains(head, "Connection") {
		t.Errorf("head %q", head)
	}
	c.body(5)
	c.send(get)
	if head := c.head(); !strings.Contains(head, "Connection: close\r\n") {
		t.Errorf("head %q", head)
	}
	if got := c.rest(); got != "hello" {
		t.Errorf("got %q", got)
	}
	c = r.dial().send(get)
	c.head()
	c.body(5)
	if got := c.rest(); got != "" { // idle for longer than keepalive_timeout
		t.Errorf("got %q", got)
	}
}

func TestIdleConnectionsAreParkedAndTakenUpAgain(t *testing.T) {
	b := newBackend(t, answer(ok5))
	r := newRig(t, rigOptions{addrs: []string{b.addr()}, park: 150 * time.Millisecond,
		server: func(s *Server) { s.KeepAliveTimeout = 3 * time.Second }})
	c, leaver := r.dial(), r.dial()
	leaver.send(get)
	leaver.expect("200", "hello")
	for i := 0; i < 3; i++ {
		c.send(get)
		c.expect("200", "hello")
		r.until("parked", func(s Stats) bool { return s.Parked >= 1 && s.Parked == s.Connections })
	}
	leaver.Close()
	r.until("closed", func(s Stats) bool { return s.Connections == 1 })
	if got := c.rest(); got != "" { // the keep-alive time ends while it is parked
		t.Errorf("got %q", got)
	}
	r.until("all closed", func(s Stats) bool { return s.Connections == 0 && s.Parked == 0 })
}

// until waits for the proxy's counters to satisfy f.
func (r *rig) until(what string, f func(Stats) bool) {
	r.t.Helper()
	for deadline := time.Now().Add(patience); !f(r.p.Stats()); {
		if time.Now().After(deadline) {
			r.t.Fatalf("not %s: %+v", what, r.p.Stats())
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestTunnelWithHalfClose(t *testing.T) {
	b := newBackend(t, func(p *scripted) {
		head, _ := p.request()
		if !strings.Contains(head, "Connection: Upgrade\r\nUpgrade: echo\r\n") {
			p.reply("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
			return
		}
		p.reply("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nfirst")
		all, _ := io.ReadAll(p.r) // to the client's FIN
		p.reply("got " + string(all))
	})
	r := newRig(t, rigOptions{addrs: []string{b.addr()}})
	c := r.dial().send("GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nearly ")
	if head := c.head(); head != "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n" {
		t.Fatalf("head %q", head)
	}
	if got := c.body(5); got != "first" {
		t.Fatalf("got %q", got)
	}
	c.send("late")
	must(t, c.Conn.(*net.TCPConn).CloseWrite())
	if got := c.rest(); got != "got early late" {
		t.Errorf("got %q", got)
	}
	if line := r.log.wait(t, 0); line.status != 101 || line.received != 10 || line.sent != 19 {
		t.Errorf("log %+v", line)
	}
}

func TestSilentTunnelIsCut(t *testing.T) {
	b := newBackend(t, func(p *scripted) {
		p.request()
		p.reply("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		_, _ = io.Copy(io.Discard, p.r)
	})
	r := newRig(t, rigOptions{addrs: []string{b.addr()}, server: func(s *Server) {
		for _, l := range s.Locations {
			l.TunnelIdle = 300 * time.Millisecond
		}
	}})
	c := r.dial().send("GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	c.head()
	c.rest()
	r.until("ended", func(s Stats) bool { return s.Tunnels == 0 && s.Connections == 0 })
}

func TestUpgradeToH2CIsNotForwarded(t *testing.T) {
	b := newBackend(t, answer(ok5))
	r := newRig(t, rigOptions{addrs: []string{b.addr()}})
	c := r.dial().send("GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n")
	c.expect("200", "hello")
	if got := b.received(); got != "GET / HTTP/1.1\r\nHost: h\r\n\r\n" {
		t.Errorf("upstream received %q", got)
	}
}

func TestUnixSocketsOnBothSides(t *testing.T) {
	ln, err := net.Listen("unix", t.TempDir()+"/back")
	must(t, err)
	defer ln.Close()
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return // the listener is closed
			}
			buf := make([]byte, 4096)
			for {
				if _, err := c.Read(buf); err != nil {
					c.Close()
					break
				}
				_, _ = io.WriteString(c, ok5)
			}
		}
	}()
	r := newRig(t, rigOptions{addrs: []string{"unix:" + ln.Addr().String()}, unix: true})
	c := r.dial()
	for i := 0; i < 2; i++ {
		c.send(get)
		c.expect("200", "hello")
	}
}

func TestConnectFailureIsRetriedOnAnotherBackend(t *testing.T) {
	dead, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	dead.Close()
	b := newBackend(t, answer(ok5))
	addrs := []string{dead.Addr().String(), b.addr()}
	r := newRig(t, rigOptions{addrs: addrs, location: config.Location{MaxRetries: 1}})
	for i := 0; i < 4; i++ {
		c := r.dial().send(get)
		c.expect("200", "hello")
	}
	r = newRig(t, rigOptions{addrs: addrs[:1], location: config.Location{MaxRetries: 3}})
	c := r.dial().send(get)
	if head := c.head(); !strings.HasPrefix(head, "HTTP/1.1 502") || !strings.Contains(head, "ConnectRefused") {
		t.Errorf("head %q", head)
	}
}

func TestDrainLetsConnectionsEnd(t *testing.T) {
	release := make(chan struct{})
	b := newBackend(t, func(p *scripted) {
		for {
			head, ok := p.request()
			if !ok {
				return
			}
			if strings.HasPrefix(head, "GET /slow") {
				<-release
			}
			p.reply(ok5)
		}
	})
	r := newRig(t, rigOptions{addrs: []string{b.addr()}})
	idle, used, slow := r.dial(), r.dial(), r.dial()
	for _, c := range []*rawClient{idle, used} {
		c.send(get)
		c.expect("200", "hello")
	}
	slow.send("GET /slow HTTP/1.1\r\nHost: h\r\n\r\n")
	r.until("waiting", func(s Stats) bool { return s.InFlight == 1 })
	drained := make(chan struct{})
	r.p.Drain(drain.Times{IdleGrace: 500 * time.Millisecond, Timeout: patience})
	go func() { r.p.Drained(nil); close(drained) }()
	used.send(get) // an idle connection is still usable, and told to close
	if head := used.head(); !strings.Contains(head, "Connection: close\r\n") {
		t.Errorf("head %q", head)
	}
	if got := idle.rest(); got != "" {
		t.Errorf("got %q", got)
	}
	close(release)
	slow.expect("200", "hello")
	select {
	case <-drained:
	case <-time.After(patience):
		t.Fatal("drain does not end")
	}
}

func TestCloseCutsWhateverIsInProgress(t *testing.T) {
	b := newBackend(t, func(p *scripted) {
		for {
			head, ok := p.request()
			if !ok {
				return
			}
			switch {
			case strings.HasPrefix(head, "GET /ws"):
				p.reply("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
				_, _ = io.Copy(io.Discard, p.r)
			case strings.Contains(head, " /wait "):
				p.request()
			default:
				p.reply(ok5)
			}
		}
	})
	r := newRig(t, rigOptions{addrs: []string{b.addr()}, park: 100 * time.Millisecond})
	idle, waiting, tunnel, upload, head := r.dial(), r.dial(), r.dial(), r.dial(), r.dial()
	idle.send(get)
	idle.expect("200", "hello")
	waiting.send("GET /wait HTTP/1.1\r\nHost: h\r\n\r\n")
	tunnel.send("GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	tunnel.head()
	upload.send("POST /wait HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\nsome")
	head.send("GET / HT")
	r.until("at work", func(s Stats) bool { return s.Parked == 1 && s.Tunnels == 1 && s.InFlight == 3 })
	r.p.Close()
	if s := r.p.Stats(); s.Connections != 0 || s.InFlight != 0 || s.Parked != 0 {
		t.Errorf("left over: %+v", s)
	}
}
