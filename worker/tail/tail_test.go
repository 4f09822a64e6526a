package tail

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"pingap/ipc"
	"pingap/message"
	"pingap/worker/accesslog"
)

// control is what lines are sent to.
type control struct {
	mu      sync.Mutex
	lines   []string // guarded by mu
	lost    map[string]int
	unknown string
	hold    chan struct{}
}

func (c *control) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	if c.hold != nil {
		<-c.hold
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for line := range strings.Lines(string(body)) {
		key, text, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		var n int
		if _, err := fmt.Sscanf(text, "!%d", &n); err == nil {
			c.lost[key] += n
			continue
		}
		c.lines = append(c.lines, key+" "+text)
	}
	io.WriteString(w, c.unknown)
}

func (c *control) seen() ([]string, map[string]int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	lost := map[string]int{}
	for k, n := range c.lost {
		lost[k] = n
	}
	return append([]string(nil), c.lines...), lost
}

// tapped runs a Tap that sends to a control.
func tapped(t *testing.T, c *control) (*Tap, *int) {
	t.Helper()
	socket := fmt.Sprintf("@pingap-tail-test-%d-%s", time.Now().UnixNano(), t.Name())
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	c.lost = map[string]int{}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if token, _ := hex.DecodeString(r.Header.Get(ipc.WebField)); string(token) != "secret" || r.URL.Path != ipc.WebTail {
			t.Errorf("%s with token %q", r.URL.Path, token)
		}
		c.ServeHTTP(w, r)
	})}
	served := make(chan struct{})
	go func() { server.Serve(l); close(served) }() // ends with Close
	on := new(int)
	tap := New(42, func(yes bool) {
		if *on--; yes {
			*on += 2
		}
	})
	tap.SetPlace(socket, []byte("secret"))
	done, ended := make(chan struct{}), make(chan struct{})
	go func() { tap.Run(done); close(ended) }() // ends with done
	t.Cleanup(func() { close(done); <-ended; server.Close(); <-served })
	return tap, on
}

func item(key string, tail ipc.Tail) ipc.StateItem {
	body, _ := json.Marshal(tail)
	return ipc.StateItem{Kind: ipc.StateTail, Key: key, Body: body, Expires: time.Now().Add(time.Hour)}
}

func record(location, target string, status int, took time.Duration) *message.Record {
	r := &message.Record{Conn: &message.Conn{RemoteText: []byte("127.0.0.1")}, Location: location, Status: status, Start: message.Now() - int64(took)}
	r.Request.Method = []byte("GET")
	r.Request.SetTarget([]byte(target))
	return r
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("never: " + what)
		}
	}
}

func TestLinesAreSentToThoseWhoWantThem(t *testing.T) {
	c := &control{}
	tap, on := tapped(t, c)
	if err := tap.Change([]ipc.StateItem{
		item("all", ipc.Tail{Rate: 100}), item("a", ipc.Tail{Rate: 100, Location: "a"}), item("bad", ipc.Tail{Rate: 100, Status: [][2]int{{500, 599}, {404, 404}}}),
		item("slow", ipc.Tail{Rate: 100, Slow: int64(time.Minute)}), item("none", ipc.Tail{Rate: 100, Status: [][2]int{{0, 0}}}),
	}, false); err != nil || *on != 1 {
		t.Fatalf("%v, switched %d times", err, *on)
	}
	tap.SetHidden(accesslog.NewHidden(nil, []string{"token"}))
	for _, r := range []*message.Record{record("a", "/1?token=x&b=\"\n", 200, 0), record("b", "/2", 404, 0), record("b", "/3", 503, 2*time.Minute), record("", "/4", 0, 0)} {
		tap.Log(r)
	}
	eventually(t, "9 lines", func() bool { lines, _ := c.seen(); return len(lines) >= 9 })
	got := map[string]string{}
	lines, lost := c.seen()
	for _, text := range lines {
		key, line, _ := strings.Cut(text, " ")
		var fields struct {
			URI string
			PID int
		}
		if err := json.Unmarshal([]byte(line), &fields); err != nil || fields.PID != 42 {
			t.Errorf("%s: %v", line, err)
		}
		got[key] += fields.URI + ";"
	}
	want := map[string]string{"all": "/1?token=***&b=\"\n;/2;/3;/4;", "a": "/1?token=***&b=\"\n;", "bad": "/2;/3;", "slow": "/3;", "none": "/4;"}
	if fmt.Sprint(got) != fmt.Sprint(want) || len(lost) > 0 {
		t.Errorf("got %q, lost %v, want %q", got, lost, want)
	}
}

func TestLinesBeyondTheRateAreCounted(t *testing.T) {
	c := &control{}
	tap, _ := tapped(t, c)
	if err := tap.Change([]ipc.StateItem{item("k", ipc.Tail{Rate: 5})}, false); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 250 {
				tap.Log(record("a", "/", 200, 0))
			}
		})
	}
	wg.Wait()
	eventually(t, "all is told of", func() bool {
		lines, lost := c.seen()
		return len(lines)+lost["k"] == 1000
	})
	if lines, lost := c.seen(); len(lines) < 5 || len(lines) > 5*10 { // a busy machine may take seconds
		t.Errorf("%d lines, %d lost", len(lines), lost["k"])
	}
}

func TestWhatFindsNoRoomIsCountedAndNobodyWaits(t *testing.T) {
	c := &control{hold: make(chan struct{})}
	tap, _ := tapped(t, c)
	if err := tap.Change([]ipc.StateItem{item("k", ipc.Tail{Rate: 1 << 20})}, false); err != nil {
		t.Fatal(err)
	}
	const requests = 400
	target := "/" + strings.Repeat("x", 8<<10)
	for range requests { // more than the buffer that is sent and the one that fills
		tap.Log(record("a", target, 200, 0))
	}
	close(c.hold)
	eventually(t, "all is told of", func() bool {
		lines, lost := c.seen()
		return len(lines)+lost["k"] == requests && lost["k"] > 0
	})
}

func TestAWatchEndsWhenNobodyWantsItAnyMore(t *testing.T) {
	soon := item("k", ipc.Tail{Rate: 9})
	soon.Expires = time.Now().Add(200 * time.Millisecond)
	gone := item("k", ipc.Tail{})
	gone.Gone = true
	for name, end := range map[string]func(*Tap, *control){
		"told":       func(tap *Tap, _ *control) { tap.Change([]ipc.StateItem{gone}, false) },
		"replaced":   func(tap *Tap, _ *control) { tap.Change(nil, true) },
		"its time":   func(tap *Tap, _ *control) { tap.Change([]ipc.StateItem{soon}, false) },
		"not known":  func(tap *Tap, _ *control) { tap.Log(record("a", "/", 200, 0)) },
		"not known2": func(tap *Tap, _ *control) { tap.Log(record("a", "/", 200, 0)); tap.Log(record("a", "/", 200, 0)) },
	} {
		t.Run(name, func(t *testing.T) {
			c := &control{}
			if strings.HasPrefix(name, "not known") {
				c.unknown = "other\nk"
			}
			tap, on := tapped(t, c)
			if err := tap.Change([]ipc.StateItem{item("k", ipc.Tail{Rate: 9})}, false); err != nil {
				t.Fatal(err)
			}
			end(tap, c)
			eventually(t, "it is over", func() bool { return tap.watches.Load() == nil })
			tap.mu.Lock()
			defer tap.mu.Unlock()
			if *on != 0 {
				t.Errorf("switched on %d times more than off", *on)
			}
		})
	}
}

func TestWhatIsTooMuchOrNonsenseIsRefused(t *testing.T) {
	tap := New(1, func(bool) {})
	var items []ipc.StateItem
	for i := range ipc.MaxTails {
		items = append(items, item(fmt.Sprint("k", i), ipc.Tail{Rate: 1}))
	}
	if err := tap.Change(items, false); err != nil {
		t.Fatal(err)
	}
	if err := tap.Change(items[:1], false); err != nil {
		t.Errorf("one that is known is prolonged: %v", err)
	}
	broken := item("k1", ipc.Tail{Rate: 1})
	broken.Body = ipc.Secret("{")
	for name, bad := range map[string]ipc.StateItem{"one more": item("more", ipc.Tail{Rate: 1}), "no rate": item("k1", ipc.Tail{}), "broken": broken,
		"a long key": item(strings.Repeat("k", ipc.TailKey+1), ipc.Tail{Rate: 1})} {
		if err := tap.Change([]ipc.StateItem{bad}, false); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

func TestLinesForControlThatIsAwayAreLost(t *testing.T) {
	tap := New(1, func(bool) {})
	tap.sender.client = http.DefaultClient
	if err := tap.Change([]ipc.StateItem{item("k", ipc.Tail{Rate: 9})}, false); err != nil {
		t.Fatal(err)
	}
	tap.Log(record("a", "/", 200, 0))
	tap.Log(record("a", "/", 200, 0))
	tap.flush(t.Context(), time.Now())
	if n := (*tap.watches.Load())[0].lost.Load(); n != 2 {
		t.Errorf("%d are lost", n)
	}
	tap.flush(t.Context(), time.Now())
	if body, _ := tap.collect(time.Now()); !bytes.Equal(body, []byte("k !2\n")) {
		t.Errorf("%q", body)
	}
}

func BenchmarkLog(b *testing.B) {
	r := record("a", "/some/path?with=a&query=1", 200, time.Millisecond)
	for name, watch := range map[string]ipc.Tail{"beyond the rate": {Rate: 1}, "another location": {Rate: 1, Location: "b"}} {
		b.Run(name, func(b *testing.B) {
			tap := New(1, func(bool) {})
			if err := tap.Change([]ipc.StateItem{item("k", watch)}, false); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				tap.Log(r)
			}
		})
	}
}
