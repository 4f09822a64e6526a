package tail

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"pingap/ipc"
)

// Bounds of sending.
const (
	pause    = 100 * time.Millisecond // between two
	sendTime = 2 * time.Second        // lines are dropped meanwhile, once the buffer is full
	idleTime = 10 * time.Second       // of the connection
	maxKeys  = ipc.MaxTails * (ipc.TailKey + 1)
)

// sender brings lines to control.
type sender struct {
	at     atomic.Pointer[place]
	client *http.Client
}

// place is where control is.
type place struct {
	socket string
	token  string
}

// SetPlace says where control answers from now on, and the token that it wants to see; an empty name is nowhere.
func (t *Tap) SetPlace(socket string, token []byte) {
	if socket == "" {
		t.sender.at.Store(nil)
		return
	}
	t.sender.at.Store(&place{socket, hex.EncodeToString(token)})
}

// Run sends until done is closed. It does nothing while nobody watches.
func (t *Tap) Run(done <-chan struct{}) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	transport := &http.Transport{MaxConnsPerHost: 1, IdleConnTimeout: idleTime, DisableCompression: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			at := t.sender.at.Load()
			if at == nil {
				return nil, net.ErrClosed
			}
			var d net.Dialer
			return d.DialContext(ctx, "unix", at.socket)
		}}
	defer transport.CloseIdleConnections()
	t.sender.client = &http.Client{Transport: transport, Timeout: sendTime}
	for {
		select {
		case <-done:
			return
		case <-t.wake:
		}
		t.runWatched(ctx, done)
		transport.CloseIdleConnections()
	}
}

// runWatched sends while somebody watches.
func (t *Tap) runWatched(ctx context.Context, done <-chan struct{}) {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		select {
		case <-done:
			t.flush(ctx, time.Now()) // what those who are cut at the end were told
			return
		case now := <-tick.C:
			t.flush(ctx, now)
		}
		if t.watches.Load() == nil {
			return
		}
	}
}

// flush sends what waits, and ends watches whose time is over.
func (t *Tap) flush(ctx context.Context, now time.Time) {
	body, watches := t.collect(now)
	if len(body) == 0 {
		return
	}
	unknown, err := t.sender.send(ctx, body)
	if err != nil { // control is away: a new one has new watches
		t.forgetSpare()
		for _, w := range watches {
			w.lost.Add(int64(countOf(body, w.key)))
		}
		return
	}
	if len(unknown) > 0 {
		var gone []ipc.StateItem
		for _, key := range unknown {
			gone = append(gone, ipc.StateItem{Key: key, Gone: true})
		}
		_ = t.Change(gone, false) // nothing that is gone can be refused
	}
}

// collect takes what waits, and the numbers of what was lost.
func (t *Tap) collect(now time.Time) ([]byte, []*watch) {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := t.watches.Load()
	if list == nil {
		return nil, nil
	}
	next := map[string]*watch{}
	for _, w := range *list {
		if now.Before(w.expires) {
			next[w.key] = w
		}
	}
	body := t.buf
	t.buf, t.spare = t.spare[:0], body
	for _, w := range *list {
		if n := w.lost.Swap(0); n > 0 {
			body = append(append(append(body, w.key...), ' ', ipc.TailLost), strconv.FormatInt(n, 10)...)
			body = append(body, '\n')
		}
	}
	if len(next) < len(*list) {
		t.becomeLocked(next)
	}
	return body, *list
}

// forgetSpare has the next lines use other memory: a client that gave up may still be reading what it was to send.
func (t *Tap) forgetSpare() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.spare = nil
}

// countOf is how many requests the lines for a key were.
func countOf(body []byte, key string) (n int) {
	for line := range bytes.Lines(body) {
		text, found := strings.CutPrefix(string(bytes.TrimSpace(line)), key+" ")
		if !found {
			continue
		}
		if number, lost := strings.CutPrefix(text, string(ipc.TailLost)); lost {
			if more, err := strconv.Atoi(number); err == nil {
				n += more
			}
			continue
		}
		n++
	}
	return n
}

// send returns the keys that nobody watches.
func (s *sender) send(ctx context.Context, body []byte) (unknown []string, err error) {
	at := s.at.Load()
	if at == nil {
		return nil, net.ErrClosed
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://control"+ipc.WebTail, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("lines: %w", err)
	}
	r.Header.Set(ipc.WebField, at.token)
	resp, err := s.client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("lines: %w", err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxKeys))
	if err != nil || resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("lines: status %d: %w", resp.StatusCode, err)
	}
	return strings.Fields(string(text)), nil
}
