package client

import (
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	"pingap/message"
	"pingap/worker/http2/frame"
)

const second = int64(time.Second)

func TestAPeerThatIsSilentWhileARequestWaitsIsAsked(t *testing.T) {
	c, sv := script(t, Options{})
	s := get(t, c, "/")
	sv.request()
	now := message.Now()
	c.Tick(now)
	c.Tick(now + 16*second)
	h, p := sv.want(frame.Ping)
	if h.Flags.Has(frame.FlagAck) {
		t.Fatal("an answer to nothing")
	}
	c.Tick(now + 17*second)
	if c.Room() != 0 || !c.Healthy() {
		t.Error("a connection whose peer may be dead takes requests")
	}
	sv.write(frame.AppendPing(nil, true, frame.ParsePing(p)))
	sv.settle()
	c.Tick(now + 18*second)
	if c.Room() == 0 {
		t.Error("a connection whose peer lives takes no requests")
	}
	c.Tick(now + 34*second) // asked once more
	sv.want(frame.Ping)
	c.Tick(now + 45*second)
	if e := failure(t, s); e.Cause != Silent || s.Unprocessed() {
		t.Errorf("got %v", e)
	}
	c.Wait()
}

func TestAnIdleConnectionIsAskedOnlyIfWanted(t *testing.T) {
	for _, wanted := range []bool{false, true} {
		var o Options
		if wanted {
			o.PingIdle = 30 * time.Second
		}
		c, sv := script(t, o)
		sv.serves(c)
		now := message.Now()
		c.Tick(now)
		for i := range int64(60) {
			c.Tick(now + i*second)
		}
		if c.Healthy() == wanted {
			t.Errorf("asked %v: healthy %v after a minute of silence", wanted, c.Healthy())
		}
	}
}

func TestSettingsThatDoNotComeEndTheConnection(t *testing.T) {
	a, b := socketPair(t)
	go drainAll(b)
	c := New(a, Options{})
	s := get(t, c, "/")
	now := message.Now()
	c.Tick(now)
	c.Tick(now + 9*second)
	if !c.Healthy() {
		t.Error("closed too early")
	}
	c.Tick(now + 11*second)
	if e := failure(t, s); e.Cause != Silent || e.Code != frame.SettingsTimeout {
		t.Errorf("got %v", e)
	}
	c.Wait()
}

func TestAPeerThatDoesNotReadIsLeft(t *testing.T) {
	for _, secure := range []bool{false, true} { // a transport without a descriptor of its own is like TLS
		a, b := socketPair(t)
		if secure {
			a = struct{ net.Conn }{a}
		}
		c := New(a, Options{WriteTimeout: time.Second})
		sv := &server{t: t, nc: b}
		sv.write(frame.AppendSettingsAck(frame.AppendSettings(nil, frame.Setting{ID: frame.InitialWindowSize, Value: maxWindow})))
		sv.write(frame.AppendWindowUpdate(nil, 0, maxWindow-minWindow))
		for !func() bool { c.mu.Lock(); defer c.mu.Unlock(); return c.sendWin > minWindow }() {
			time.Sleep(time.Millisecond)
		}
		s := open(t, c, request("POST", "/"), OpenOptions{ContentLength: message.LengthUnknown})
		for c.Err() == nil { // until the socket is full, and that is noticed; the deadline is kept all the same
			_ = s.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
			for {
				if _, err := s.Write(make([]byte, 1<<20)); err != nil {
					break
				}
			}
			c.Tick(message.Now())
			c.Tick(message.Now() + 3*second)
		}
		if e := failure(t, s); e.Cause != Silent {
			t.Errorf("got %v", e)
		}
		s.Release()
		c.Wait()
	}
}

// A FIN that comes with the last data raises no edge of its own.
func TestAnEndWithoutAnEdgeIsFound(t *testing.T) {
	for range 20 {
		c, sv := script(t, Options{})
		s := get(t, c, "/")
		id, _ := sv.request()
		sv.write(appendData(sv.headers(id, false, ":status", "200"), id, []byte("ok"), true))
		sv.nc.Close()
		complete(t, s)
		now := message.Now()
		for i := int64(0); c.Healthy(); i++ {
			c.Tick(now + i*second/2)
			time.Sleep(time.Millisecond)
			if i > 5000 {
				t.Fatal("the end was not found")
			}
		}
		c.Wait()
	}
}

// A connection that rests keeps no buffers. What is measured is both ends, in one process.
func TestAnIdleConnectionCostsLittle(t *testing.T) {
	const conns, most = 50, 28 << 10
	for _, secure := range []bool{false, true} {
		pools := new(Pools)
		before := resting()
		var all []*Conn
		for range conns {
			a, b := socketPair(t)
			if secure { // a transport without a descriptor of its own is like TLS
				a = struct{ net.Conn }{a}
			}
			go benchConn(b, 1<<10)
			c := New(a, Options{Pools: pools})
			all = append(all, c)
			for range 50 {
				complete(t, get(t, c, "/"))
			}
		}
		now := message.Now()
		for _, c := range all {
			c.Tick(now)
			c.Tick(now + 3*second)
		}
		each := int64(0)
		for end := time.Now().Add(patient); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
			if each = (resting() - before) / conns; each < most {
				break
			}
		}
		t.Logf("%d bytes for an idle connection", each)
		if each >= most && !raceEnabled {
			t.Errorf("an idle connection costs %d bytes", each)
		}
		for _, c := range all {
			complete(t, get(t, c, "/")) // and it goes on
			c.Close()
			c.Wait()
		}
	}
}

// resting is the memory in use, in heap and stacks.
func resting() int64 {
	runtime.GC()
	runtime.GC() // what pools hold goes with the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

func TestATunnelByExtendedCONNECT(t *testing.T) {
	c, sv := script(t, Options{}, frame.Setting{ID: frame.EnableConnectProtocol, Value: 1})
	req := request("GET", "/chat", "Sec-WebSocket-Version", "13", "Upgrade", "websocket", "Connection", "Upgrade")
	s := open(t, c, req, OpenOptions{Protocol: "websocket", Scheme: "https", ContentLength: message.LengthUnknown})
	id, text := sv.request()
	want := ":method: CONNECT\n:protocol: websocket\n:scheme: https\n:authority: example.com\n:path: /chat\nsec-websocket-version: 13\n"
	if text != want {
		t.Errorf("got\n%s", text)
	}
	sv.write(sv.headers(id, false, ":status", "200"))
	finalHead(t, s)
	var tunnel net.Conn = s
	if _, err := tunnel.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, p := sv.want(frame.Data); string(p) != "hello" {
		t.Errorf("got %q", p)
	}
	sv.write(appendData(nil, id, []byte("world"), false))
	buf := make([]byte, 100)
	if n, err := tunnel.Read(buf); string(buf[:n]) != "world" || err != nil {
		t.Errorf("got %q, %v", buf[:n], err)
	}
	if err := s.CloseWrite(); err != nil {
		t.Error(err)
	}
	if h, _ := sv.want(frame.Data); !h.Flags.Has(frame.FlagEndStream) {
		t.Error("the end is not passed on")
	}
	sv.write(appendData(nil, id, nil, true))
	if _, err := tunnel.Read(buf); err != io.EOF {
		t.Errorf("got %v", err)
	}
	if tunnel.RemoteAddr() == nil || tunnel.LocalAddr() == nil {
		t.Error("no addresses")
	}
	s.Release()
	sv.serves(c)
}

func TestATunnelIsNotOpenedToAPeerThatKnowsNone(t *testing.T) {
	a, b := socketPair(t)
	c := watch(t, New(a, Options{}))
	result := make(chan error, 1)
	go func() {
		_, err := c.Open(request("GET", "/"), new(message.Fields), OpenOptions{Protocol: "websocket"})
		result <- err
	}()
	sv := &server{t: t, nc: b}
	sv.write(frame.AppendSettingsAck(frame.AppendSettings(nil)))
	if err := <-result; err != ErrProtocol {
		t.Errorf("got %v", err)
	}
	if c.Streams() != 0 {
		t.Error("a stream is open")
	}
}
