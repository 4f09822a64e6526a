package acme

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap/zaptest"
)

// workers stand for the workers of the proxy: they have what was published, and answer challenges with it.
type workers struct {
	httpPort, tlsPort int

	mu      sync.Mutex
	items   map[string]Item
	seen    []Item        // all that was published, in order
	refuse  error         // what Publish returns
	changed chan struct{} // closed and replaced with each change
	asked   int           // challenges answered
	calls   int           // of Publish
}

func key(i Item) string { return i.Kind.String() + " " + i.Name }

func (w *workers) Publish(_ context.Context, items ...Item) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls++
	if w.refuse != nil {
		return w.refuse
	}
	for _, i := range items {
		w.items[key(i)] = i
		w.seen = append(w.seen, i)
	}
	w.signalLocked()
	return nil
}

func (w *workers) Withdraw(_ context.Context, items ...Item) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, i := range items {
		delete(w.items, key(i))
	}
	w.signalLocked()
	return nil
}

func (w *workers) signalLocked() {
	close(w.changed)
	w.changed = make(chan struct{})
}

func (w *workers) get(kind Kind, name string) (Item, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	i, ok := w.items[kind.String()+" "+name]
	return i, ok
}

// count is how many items of a kind were ever published.
func (w *workers) count(kind Kind) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, i := range w.seen {
		if i.Kind == kind {
			n++
		}
	}
	return n
}

// left are the items that workers still have but for certificates.
func (w *workers) left() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var left []string
	for k, i := range w.items {
		if i.Kind != Certificate {
			left = append(left, k)
		}
	}
	return left
}

const patience = 60 * time.Second // for what takes a second on a free machine

// await waits for a certificate under a name.
func (w *workers) await(t *testing.T, name string) Item {
	t.Helper()
	deadline := time.After(patience)
	for {
		w.mu.Lock()
		i, ok := w.items[Certificate.String()+" "+name]
		changed := w.changed
		w.mu.Unlock()
		if ok {
			return i
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("no certificate %s", name)
		}
	}
}

func newWorkers(t *testing.T) *workers {
	t.Helper()
	w := &workers{items: map[string]Item{}, changed: make(chan struct{})}
	plain := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		token, ok := strings.CutPrefix(r.URL.Path, "/.well-known/acme-challenge/")
		item, known := w.get(Token, token)
		if !ok || !known {
			http.NotFound(rw, r)
			return
		}
		w.mu.Lock()
		w.asked++
		w.mu.Unlock()
		fmt.Fprint(rw, item.KeyAuth)
	}))
	t.Cleanup(plain.Close)
	w.httpPort = plain.Listener.Addr().(*net.TCPAddr).Port
	w.tlsPort = w.serveTLS(t)
	return w
}

// serveTLS answers tls-alpn-01.
func (w *workers) serveTLS(t *testing.T) int {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		NextProtos: []string{"acme-tls/1", "h2"},
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			i, ok := w.get(ALPN, hello.ServerName)
			if !ok || len(hello.SupportedProtos) != 1 || hello.SupportedProtos[0] != "acme-tls/1" {
				return nil, errors.New("no such name")
			}
			pair, err := tls.X509KeyPair(i.Chain, i.Key)
			return &pair, err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { // until the listener is closed
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
			_ = conn.(*tls.Conn).Handshake() // the other side says what is wrong
			conn.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l.Addr().(*net.TCPAddr).Port
}

// next waits for another certificate than one.
func (w *workers) next(t *testing.T, than Item) Item {
	t.Helper()
	deadline := time.After(patience)
	for {
		w.mu.Lock()
		i := w.items[key(than)]
		changed := w.changed
		w.mu.Unlock()
		if string(i.Chain) != string(than.Chain) {
			return i
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatal("no other certificate")
		}
	}
}

// manage runs a manager until the test ends, or stop is called.
func manage(t *testing.T, opt Options) (m *Manager, stop func()) {
	t.Helper()
	if opt.Log == nil {
		opt.Log = zaptest.NewLogger(t)
	}
	m, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	return m, run(t, m)
}

func run(t *testing.T, m *Manager) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }() // until cancel; stop waits for it
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
			if err := m.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(stop)
	return stop
}
