//go:build !race

package server

import (
	"runtime"
	"testing"

	"pingap/message"
	"pingap/worker/http2/frame"
	"pingap/worker/http2/hpack"
)

// A connection that has served requests and waits for more keeps its tables and little else.
func TestAnIdleConnectionIsSmall(t *testing.T) {
	const conns = 500
	e := NewEngine(Options{})
	h := newInline()
	all := make([]*Conn, conns)
	var out nowhere
	first := func(dst []byte) []byte {
		var enc hpack.Encoder
		enc.Init()
		for id := uint32(1); id < 9; id += 2 {
			var block []byte
			for _, f := range []message.Field{{Name: []byte(":method"), Value: []byte("GET")}, {Name: []byte(":scheme"), Value: []byte("https")},
				{Name: []byte(":path"), Value: []byte("/some/path")}, {Name: []byte(":authority"), Value: []byte("h.example")},
				{Name: []byte("user-agent"), Value: []byte("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36")}} {
				block = enc.AppendPseudo(block, string(f.Name), f.Value)
			}
			dst = frame.AppendHeaders(dst, id, block, true, 16384)
		}
		return dst
	}(append(frame.AppendSettings([]byte(frame.Preface)), frame.AppendSettingsAck(nil)...))
	before := heap()
	for i := range all {
		all[i] = e.NewConn(h, &out)
		all[i].Start()
		if err := all[i].Feed(first); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range all {
		waitFor(t, c.Idle)
	}
	each := (heap() - before) / conns
	t.Logf("%d bytes each", each)
	if each > 6<<10 {
		t.Errorf("an idle connection keeps %d bytes", each)
	}
	runtime.KeepAlive(all)
}
