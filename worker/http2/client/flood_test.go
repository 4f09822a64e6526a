package client

import (
	"net"
	"runtime"
	"testing"
	"time"

	"pingap/worker/http2/frame"
)

// A peer that only makes work is left, and meanwhile no memory grows.
func TestAFloodEndsTheConnection(t *testing.T) {
	for _, k := range []struct {
		name string
		send func(sv *server, id uint32) []byte
	}{
		{"PING", func(*server, uint32) []byte { return frame.AppendPing(nil, false, [8]byte{}) }},
		{"SETTINGS", func(*server, uint32) []byte { return frame.AppendSettings(nil) }},
		{"initial windows", func(*server, uint32) []byte { return setting(frame.InitialWindowSize, 100) }},
		{"empty DATA", func(_ *server, id uint32) []byte { return appendData(nil, id, nil, false) }},
		{"WINDOW_UPDATE", func(_ *server, id uint32) []byte { return frame.AppendWindowUpdate(nil, id, 1) }},
		{"unknown frames", func(_ *server, id uint32) []byte {
			return frame.AppendHeader(nil, frame.Header{Type: 0x55, Stream: id})
		}},
		{"PRIORITY", func(_ *server, id uint32) []byte {
			return append(frame.AppendHeader(nil, frame.Header{Type: frame.Priority, Stream: id, Length: 5}), 0, 0, 0, 0, 0)
		}},
		{"GOAWAY", func(*server, uint32) []byte { return frame.AppendGoAway(nil, maxWindow, frame.NoError, "") }},
		{"PRIORITY_UPDATE", func(_ *server, id uint32) []byte { return frame.AppendPriorityUpdate(nil, id, "u=1") }},
	} {
		t.Run(k.name, func(t *testing.T) {
			c, sv := script(t, Options{})
			s := get(t, c, "/")
			id, _ := sv.request()
			sv.write(sv.headers(id, false, ":status", "200"))
			go drainAll(sv.nc) // a peer that reads
			var batch []byte
			one := k.send(sv, id)
			for range 1000 {
				batch = append(batch, one...)
			}
			before := heap()
			for range 100 {
				if _, err := sv.nc.Write(batch); err != nil {
					break
				}
			}
			c.Wait()
			if e := failure(t, s); e.Cause != Broken || e.Code != frame.EnhanceYourCalm {
				t.Errorf("got %v", e)
			}
			if grown := heap() - before; grown > 1<<20 {
				t.Errorf("the heap grew by %d bytes", grown)
			}
		})
	}
}

func TestACONTINUATIONFloodEndsTheConnection(t *testing.T) {
	for name, size := range map[string]int{"empty": 0, "large": 1 << 14} {
		t.Run(name, func(t *testing.T) {
			c, sv := script(t, Options{})
			s := get(t, c, "/")
			id, _ := sv.request()
			_, _ = sv.nc.Write(frame.AppendHeader(nil, frame.Header{Type: frame.Headers, Stream: id}))
			part := append(frame.AppendHeader(nil, frame.Header{Type: frame.Continuation, Stream: id, Length: uint32(size)}), make([]byte, size)...)
			for range maxPieces + 1 {
				if _, err := sv.nc.Write(part); err != nil {
					break
				}
			}
			if e := failure(t, s); e.Cause != Broken || e.Code != frame.EnhanceYourCalm {
				t.Errorf("got %v", e)
			}
		})
	}
}

// Answers to a peer that does not read them are bounded.
func TestAPeerThatDoesNotReadGetsNoMemory(t *testing.T) {
	c, sv := script(t, Options{})
	s := get(t, c, "/")
	_ = sv.nc.(*net.TCPConn).SetReadBuffer(4096)
	ping := frame.AppendPing(nil, false, [8]byte{})
	var batch []byte
	for range 1000 {
		batch = append(batch, ping...)
	}
	for range 200 {
		if _, err := sv.nc.Write(batch); err != nil {
			break
		}
	}
	if e := failure(t, s); e.Cause != Broken || e.Code != frame.EnhanceYourCalm {
		t.Errorf("got %v", e)
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func drainAll(nc net.Conn) {
	buf := make([]byte, 1<<16)
	for {
		if _, err := nc.Read(buf); err != nil {
			return
		}
	}
}

// Bodies that many streams want to send wait outside of the connection's memory.
func TestQueuedOutputIsBounded(t *testing.T) {
	c, sv := script(t, Options{}, frame.Setting{ID: frame.InitialWindowSize, Value: maxWindow})
	sv.write(frame.AppendWindowUpdate(nil, 0, maxWindow-minWindow))
	sv.settle()
	body := make([]byte, 8<<20)
	var streams []*Stream
	for range 20 {
		streams = append(streams, open(t, c, request("POST", "/"), OpenOptions{ContentLength: int64(len(body)), Body: body}))
	}
	for end := time.Now().Add(100 * time.Millisecond); time.Now().Before(end); time.Sleep(time.Millisecond) {
		c.mu.Lock()
		queued := 0
		if c.out != nil {
			queued = len(c.out.b)
		}
		c.mu.Unlock()
		if queued > outData+maxData+20*1024 {
			t.Fatalf("%d bytes are queued", queued)
		}
	}
	for _, s := range streams {
		s.Release()
	}
}
