package load

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// keyField carries a request's key, "client.number".
const keyField = "Idempotency-Key"

// Upstream answers what the clients ask in the clear, over HTTP/1.1 or HTTP/2, and counts what arrives. Every answer repeats the request's key and the sha256 of its body:
//
//	/echo              at once
//	/slow/MS           the head after half of the time, half of the body with it, the rest at the end
//	/read/MS           reads the body in pieces of 4 KiB with MS in between
//	/tunnel            a WebSocket that sends back every message
//	/events/COUNT/MS   an event stream
//	/call              messages of gRPC, each sent back; over HTTP/2
//	/hold              after Release, or never when the proxy leaves
type Upstream struct {
	Addr   string
	server *http.Server
	served chan struct{} // closed when Serve has returned

	mu       sync.Mutex // guards all below
	clients  map[int]*sequence
	arrived  uint64
	twice    []string
	broken   uint64            // requests whose body did not arrive whole
	held     map[string]string // requests in /hold: key to the address they came from
	released chan struct{}
}

// NewUpstream listens on a free loopback port.
func NewUpstream() (*Upstream, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the upstream: %w", err)
	}
	u := &Upstream{Addr: l.Addr().String(), served: make(chan struct{}), clients: map[int]*sequence{}, held: map[string]string{},
		released: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("/echo", u.echo)
	mux.HandleFunc("/slow/{ms}", u.slow)
	mux.HandleFunc("/read/{ms}", u.read)
	mux.HandleFunc("/tunnel", u.tunnel)
	mux.HandleFunc("/events/{count}/{ms}", u.events)
	mux.HandleFunc("/hold", u.hold)
	mux.HandleFunc("/call", u.call)
	u.server = &http.Server{Handler: mux, Protocols: &http.Protocols{}}
	u.server.Protocols.SetHTTP1(true)
	u.server.Protocols.SetUnencryptedHTTP2(true)
	go func() { // ends with Close
		defer close(u.served)
		_ = u.server.Serve(l) // always an error: it was closed
	}()
	return u, nil
}

// Close ends all connections.
func (u *Upstream) Close() {
	u.Release()
	_ = u.server.Close() // there is nobody who could do better
	<-u.served
}

// Forget begins a new count, for another load.
func (u *Upstream) Forget() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.clients, u.arrived, u.twice, u.broken = map[int]*sequence{}, 0, nil, 0
}

// sequence is what has arrived of one client, whose requests are numbered from 0.
type sequence struct {
	next    uint64
	missing map[uint64]bool // below next
}

// arrive counts a request; a key that came before is one that somebody sent twice.
func (u *Upstream) arrive(key string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	first, second, _ := strings.Cut(key, ".")
	client, err1 := strconv.Atoi(first)
	n, err2 := strconv.ParseUint(second, 10, 64)
	if errors.Join(err1, err2) != nil {
		return // not of this package's clients
	}
	u.arrived++
	s := u.clients[client]
	if s == nil {
		s = &sequence{missing: map[uint64]bool{}}
		u.clients[client] = s
	}
	switch {
	case n >= s.next:
		for ; s.next < n; s.next++ {
			s.missing[s.next] = true
		}
		s.next++
	case s.missing[n]:
		delete(s.missing, n)
	default:
		u.twice = append(u.twice, key)
	}
}

// Check compares what arrived with what the clients of a stopped load know: nothing came twice, and all that was answered came.
func (u *Upstream) Check(r *Report) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch t := r.Total(); {
	case len(u.twice) > 0:
		return fmt.Errorf("%d requests arrived twice: %.200v", len(u.twice), u.twice)
	case u.arrived < r.Keyed:
		return fmt.Errorf("%d requests arrived, %d were answered", u.arrived, r.Keyed)
	case t.Failed() == 0 && (u.arrived != r.Keyed || u.broken > 0):
		return fmt.Errorf("%d requests arrived, %d of them not whole; %d were answered and none failed", u.arrived, u.broken, r.Keyed)
	}
	return nil
}

// sum reads the request's body and makes the answer.
func (u *Upstream) sum(r *http.Request, body io.Reader) string {
	u.arrive(r.Header.Get(keyField))
	hash := sha256.New()
	if _, err := io.Copy(hash, body); err != nil {
		u.mu.Lock()
		u.broken++
		u.mu.Unlock()
		panic(http.ErrAbortHandler)
	}
	return r.Header.Get(keyField) + " " + hex.EncodeToString(hash.Sum(nil)) + "\n"
}

func (u *Upstream) echo(w http.ResponseWriter, r *http.Request) {
	_, _ = io.WriteString(w, u.sum(r, r.Body)) // the client notices
}

func (u *Upstream) slow(w http.ResponseWriter, r *http.Request) {
	text := u.sum(r, r.Body)
	half := wait(r, "ms") / 2
	time.Sleep(half)
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	_, _ = io.WriteString(w, text[:len(text)/2])
	_ = http.NewResponseController(w).Flush()
	time.Sleep(half)
	_, _ = io.WriteString(w, text[len(text)/2:])
}

func (u *Upstream) read(w http.ResponseWriter, r *http.Request) {
	pause := wait(r, "ms")
	_, _ = io.WriteString(w, u.sum(r, readerFunc(func(p []byte) (int, error) {
		time.Sleep(pause)
		return r.Body.Read(p[:min(len(p), 4096)])
	})))
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// wait reads milliseconds from the path, at most a minute.
func wait(r *http.Request, name string) time.Duration {
	ms, _ := strconv.Atoi(r.PathValue(name)) // 0 for what is no number
	return time.Duration(min(ms, 60_000)) * time.Millisecond
}

func (u *Upstream) events(w http.ResponseWriter, r *http.Request) {
	key := r.Header.Get(keyField)
	u.arrive(key)
	count, _ := strconv.Atoi(r.PathValue("count")) // 0 for what is no number
	w.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(w)
	for n := range count {
		if _, err := io.WriteString(w, eventText(key, n)+"\n\n"); err != nil || out.Flush() != nil {
			return
		}
		select {
		case <-time.After(wait(r, "ms")):
		case <-r.Context().Done():
			return
		}
	}
}

// tunnel sends every message back until the peer says goodbye or leaves.
func (u *Upstream) tunnel(w http.ResponseWriter, r *http.Request) {
	u.arrive(r.Header.Get(keyField))
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	head := fmt.Sprintf("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: %s\r\n\r\n",
		acceptOf(r.Header.Get("Sec-WebSocket-Key")))
	if _, err := io.WriteString(conn, head); err != nil {
		return
	}
	for {
		f, err := readFrame(buffered.Reader)
		if err != nil || f.op == opPing {
			return
		}
		if err := writeFrame(conn, f, false); err != nil || f.op == opClose {
			return
		}
	}
}

func (u *Upstream) hold(w http.ResponseWriter, r *http.Request) {
	text := u.sum(r, r.Body)
	key := r.Header.Get(keyField)
	u.mu.Lock()
	u.held[key] = r.RemoteAddr
	released := u.released
	u.mu.Unlock()
	defer func() {
		u.mu.Lock()
		delete(u.held, key)
		u.mu.Unlock()
	}()
	select {
	case <-released:
		_, _ = io.WriteString(w, text)
	case <-r.Context().Done():
	}
}

// Held are the addresses from which requests came that wait in /hold.
func (u *Upstream) Held() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	var from []string
	for _, addr := range u.held {
		from = append(from, addr)
	}
	slices.Sort(from)
	return from
}

// Release answers what waits in /hold, and what comes after it.
func (u *Upstream) Release() {
	u.mu.Lock()
	defer u.mu.Unlock()
	select {
	case <-u.released:
	default:
		close(u.released)
	}
}
