package tail

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"pingap/control/admin/api"
	"pingap/ipc"
)

// Bounds of watching.
const (
	lifetime  = 30 * time.Second // of a watch that is not told again
	renewal   = 10 * time.Second
	retry     = time.Second     // after one that nobody was told of
	tellTime  = 5 * time.Second // of saying that one is over
	beat      = 5 * time.Second // between two signs of life where there are no lines
	lostPause = time.Second     // between two numbers of lost lines
	waiting   = 1024            // lines that one who watches may be behind
	maxLine   = 64 << 10        // bytes; a request may have a long target
)

// Hub knows who watches. Its methods may be called by any goroutine.
type Hub struct {
	Log *zap.Logger
	// Open sees to it that workers can send. Tell brings items to all of them. Both are required.
	Open func()
	Tell func(context.Context, []ipc.StateItem) error

	mu      sync.Mutex // guards watches
	watches map[string]*watch
}

// watch is of one who watches.
type watch struct {
	ipc.Tail
	key   string
	lines chan []byte
	lost  atomic.Int64

	mu     sync.Mutex // guards the rate
	second int64
	count  int
}

// Routes are the paths of the API.
func (h *Hub) Routes() []api.Route {
	return []api.Route{{Method: http.MethodGet, Path: "/tail", Need: api.Reader, Stream: true, Serve: h.serveWatch}}
}

// serveWatch sends lines until who watches hangs up.
func (h *Hub) serveWatch(w http.ResponseWriter, r *http.Request) error {
	wanted, err := parse(r.URL.Query())
	if err != nil {
		return api.Errorf(http.StatusBadRequest, "%s", err.Error())
	}
	t, err := h.begin(wanted)
	if err != nil {
		return err
	}
	defer h.end(r.Context(), t)
	e, err := api.StartEvents(w)
	if err != nil {
		return nil // it has hung up
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	h.Open()
	var renewing sync.WaitGroup
	defer renewing.Wait()
	defer cancel()
	renewing.Go(func() { h.renew(ctx, t) }) // ends with ctx
	send(ctx, e, t)
	return nil
}

// begin makes a watch.
func (h *Hub) begin(wanted ipc.Tail) (*watch, error) {
	id := make([]byte, 8)
	rand.Read(id) // never fails
	t := &watch{Tail: wanted, key: hex.EncodeToString(id), lines: make(chan []byte, waiting)}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.watches) >= ipc.MaxTails {
		return nil, &api.Error{Status: http.StatusServiceUnavailable, Message: "as many are watching as may", Retry: 5}
	}
	if h.watches == nil {
		h.watches = map[string]*watch{}
	}
	h.watches[t.key] = t
	return t, nil
}

// end has workers forget a watch. What they do not hear they forget by themselves.
func (h *Hub) end(ctx context.Context, t *watch) {
	h.mu.Lock()
	delete(h.watches, t.key)
	h.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tellTime)
	defer cancel()
	if err := h.Tell(ctx, []ipc.StateItem{{Kind: ipc.StateTail, Key: t.key, Gone: true}}); err != nil {
		h.Log.Debug("workers have not heard that a watch is over", zap.Error(err))
	}
}

// renew tells workers of a watch, again and again.
func (h *Hub) renew(ctx context.Context, t *watch) {
	body, err := json.Marshal(t.Tail)
	if err != nil {
		return // a Tail can always be written
	}
	for ctx.Err() == nil {
		pause := renewal
		item := ipc.StateItem{Kind: ipc.StateTail, Key: t.key, Body: body, Expires: time.Now().Add(lifetime)}
		if err := h.Tell(ctx, []ipc.StateItem{item}); err != nil {
			pause = retry
			h.Log.Debug("workers have not heard of a watch", zap.Error(err))
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
}

// send passes lines on.
func send(ctx context.Context, e *api.Events, t *watch) {
	tick := time.NewTicker(lostPause)
	defer tick.Stop()
	quiet := time.Now()
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case line := <-t.lines:
			quiet, err = time.Now(), e.Send("line", line)
		case now := <-tick.C:
			if n := t.lost.Swap(0); n > 0 {
				quiet, err = now, e.Send("lost", fmt.Appendf(nil, `{"lines":%d}`, n))
			} else if now.Sub(quiet) > beat {
				quiet, err = now, e.Beat()
			}
		}
		if err != nil {
			return // it has hung up, or does not read
		}
	}
}

// ServeHTTP takes lines from a worker.
func (h *Hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		http.Error(w, "lines are sent by POST", http.StatusMethodNotAllowed)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, ipc.MaxTailBody+ipc.MaxTails*2*ipc.TailKey))
	if err != nil {
		http.Error(w, "lines cannot be read", http.StatusBadRequest)
		return
	}
	_, _ = io.WriteString(w, strings.Join(h.take(body, time.Now()), "\n")) // a worker that is gone needs no answer
}

// take brings lines to those who watch, and returns the keys of nobody.
func (h *Hub) take(body []byte, now time.Time) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	unknown := map[string]bool{}
	for line := range bytes.Lines(body) {
		name, text, found := bytes.Cut(bytes.TrimSuffix(line, []byte("\n")), []byte(" "))
		if !found || len(name) > ipc.TailKey {
			continue
		}
		if t := h.watches[string(name)]; t != nil {
			t.take(text, now)
		} else if len(unknown) < ipc.MaxTails {
			unknown[string(name)] = true
		}
	}
	var keys []string
	for key := range unknown {
		keys = append(keys, key)
	}
	return keys
}

// take has a line wait, or counts it as lost. A carriage return would end a line of the answer.
func (t *watch) take(text []byte, now time.Time) {
	if number, lost := bytes.CutPrefix(text, []byte{ipc.TailLost}); lost {
		if n, err := strconv.ParseUint(string(number), 10, 32); err == nil {
			t.lost.Add(int64(n))
		}
		return
	}
	if len(text) > maxLine || bytes.IndexByte(text, '\r') >= 0 || !json.Valid(text) || !t.admit(now) {
		t.lost.Add(1)
		return
	}
	select {
	case t.lines <- bytes.Clone(text):
	default:
		t.lost.Add(1)
	}
}

// admit takes one of the lines that there may be in this second, from all workers.
func (t *watch) admit(now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if second := now.Unix(); second != t.second {
		t.second, t.count = second, 0
	}
	t.count++
	return t.count <= t.Rate
}
