package proxy

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pingap/message"
	"pingap/plugins"
)

// Plugins made of functions, for tests.

type decides func(*plugins.Exchange) plugins.Decision

func (f decides) Decide(e *plugins.Exchange) plugins.Decision { return f(e) }

type responds func(*plugins.Exchange)

func (f responds) Response(e *plugins.Exchange)         { f(e) }
func (f responds) UpstreamResponse(e *plugins.Exchange) { f(e) }

type filters func(*plugins.Exchange) plugins.Filter

func (f filters) BodyFilter(e *plugins.Exchange) plugins.Filter { return f(e) }

// storer stores nothing unless told.
type storer struct {
	store  func(*plugins.Exchange) (plugins.Filter, *plugins.Answer)
	rescue func(*plugins.Exchange, int) *plugins.Answer
}

func (s *storer) Store(e *plugins.Exchange) (plugins.Filter, *plugins.Answer) {
	if s.store == nil {
		return nil, nil
	}
	return s.store(e)
}

func (s *storer) Rescue(e *plugins.Exchange, status int) *plugins.Answer {
	if s.rescue == nil {
		return nil
	}
	return s.rescue(e, status)
}

// ends counts how often something was told of its end, and remembers the last word.
type ends struct {
	told     atomic.Int32
	complete atomic.Bool
	seen     chan struct{}
}

func newEnds() *ends { return &ends{seen: make(chan struct{}, 16)} }

func (e *ends) End(complete bool) {
	e.complete.Store(complete)
	e.told.Add(1)
	e.seen <- struct{}{}
}

// wait waits for the end, and fails unless it is the only one and says complete or not.
func (e *ends) wait(t testing.TB, complete bool) {
	t.Helper()
	select {
	case <-e.seen:
	case <-time.After(patience):
		t.Fatal("the end did not come")
	}
	if e.told.Load() != 1 || e.complete.Load() != complete {
		t.Errorf("told %d times, complete %t, want once and %t", e.told.Load(), e.complete.Load(), complete)
	}
}

// shouting makes a body upper case; held back are all but its bytes up to the last line end, until it is flushed.
type shouting struct {
	*ends
	held []byte
}

func (f *shouting) Filter(dst, piece []byte, last bool) ([]byte, error) {
	f.held = append(f.held, bytes.ToUpper(piece)...)
	if last {
		return f.Flush(dst)
	}
	return dst, nil
}

func (f *shouting) Flush(dst []byte) ([]byte, error) {
	dst = append(dst, f.held...)
	f.held = f.held[:0]
	return dst, nil
}

// reading keeps what it sees and passes it.
type reading struct {
	*ends
	wanted atomic.Bool
	mu     sync.Mutex
	got    []byte
	last   bool
}

func newReading(wanted bool) *reading {
	r := &reading{ends: newEnds()}
	r.wanted.Store(wanted)
	return r
}

func (r *reading) Filter(dst, piece []byte, last bool) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got, r.last = append(r.got, piece...), last
	return append(dst, piece...), nil
}

func (r *reading) Wanted() bool { return r.wanted.Load() }

func (r *reading) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return string(r.got)
}

// making is a Stream of pieces.
type making struct {
	length int64
	pieces [][]byte
	err    error // behind the last, instead of io.EOF
	closed *atomic.Int32
	wait   chan struct{} // before the second piece; nil for none
	n      int
}

func (m *making) Length() int64 { return m.length }

func (m *making) Next() ([]byte, error) {
	if m.n == len(m.pieces) {
		if m.err != nil {
			return nil, m.err
		}
		return nil, io.EOF
	}
	if m.n == 1 && m.wait != nil {
		<-m.wait
	}
	m.n++
	return m.pieces[m.n-1], nil
}

func (m *making) Close() error { m.closed.Add(1); return nil }

// cut is data in pieces of different sizes.
func cut(data []byte) (pieces [][]byte) {
	for n := 1; len(data) > 0; n = n*3 + 1 {
		k := min(n, len(data))
		pieces, data = append(pieces, data[:k]), data[k:]
	}
	return pieces
}

// answering is a chain that answers every request with what make gives, and shouts where shout is set.
func answering(shout bool, answer func(*plugins.Exchange) *plugins.Answer) *plugins.Chain {
	list := []*plugins.Instance{{Name: "answers", Step: plugins.Request, Decider: decides(func(e *plugins.Exchange) plugins.Decision {
		return plugins.Respond(answer(e), "test")
	})}}
	if shout {
		list = append(list, &plugins.Instance{Name: "shouts", Step: plugins.Response, Responder: responds(func(e *plugins.Exchange) {
			e.Response.Fields.Set("X-Shout", []byte("yes"))
		}), BodyFilterer: filters(func(*plugins.Exchange) plugins.Filter { return &shouting{ends: newEnds()} })})
	}
	return plugins.NewChain(list)
}

// source is one form of a body.
type source struct {
	name string
	data []byte
	make func(closed *atomic.Int32) *plugins.Answer
}

// sources are all forms that an answer's body can have.
func sources(t testing.TB) (list []source) {
	add := func(name string, data []byte, f func(closed *atomic.Int32) *plugins.Answer) {
		list = append(list, source{name, data, f})
	}
	for _, n := range []int{0, 1, 3000, sendfileMin + 1, 300_000, 3 << 20} {
		data := bytes.Repeat([]byte("abcdefghijklmnopqrstuvwxyz\n"), n/27+1)[:n]
		name := t.TempDir() + "/file"
		must(t, os.WriteFile(name, append([]byte("before"), append(data, "behind"...)...), 0o600))
		size := strconv.Itoa(n)
		add("memory "+size, data, func(*atomic.Int32) *plugins.Answer { return &plugins.Answer{Status: 200, Body: data} })
		add("file "+size, data, func(*atomic.Int32) *plugins.Answer {
			f, err := os.Open(name)
			must(t, err)
			return &plugins.Answer{Status: 200, File: &plugins.FilePart{File: f, Offset: 6, Length: int64(n)}}
		})
		for kind, length := range map[string]int64{"stream ": int64(n), "endless stream ": message.LengthUnknown} {
			add(kind+size, data, func(closed *atomic.Int32) *plugins.Answer {
				return &plugins.Answer{Status: 200, Stream: &making{length: length, pieces: cut(data), closed: closed}}
			})
		}
	}
	return list
}

func TestAnswersOfEveryFormReachClientsOverEveryTransport(t *testing.T) {
	for _, transport := range transports() {
		for _, shout := range []bool{false, true} {
			t.Run(transport+" filtered "+strconv.FormatBool(shout), func(t *testing.T) {
				var current atomic.Pointer[source]
				var closed atomic.Int32
				var last atomic.Pointer[os.File]
				r := newRig(t, rigOptions{server: speaks(t, transport), plugins: answering(shout, func(*plugins.Exchange) *plugins.Answer {
					a := current.Load().make(&closed)
					a.Content = shout
					if a.File != nil {
						last.Store(a.File.File)
					}
					return a
				})})
				client, base := r.user(transport)
				asked := 0
				for _, src := range sources(t) {
					current.Store(&src)
					for _, method := range []string{"GET", "HEAD"} {
						closed.Store(0)
						resp, body := ask(t, client, method, base+"/")
						r.log.wait(t, asked)
						asked++
						want := src.data
						if shout {
							want = bytes.ToUpper(want)
						}
						if method == "HEAD" {
							want = nil
						}
						if !bytes.Equal(body, want) || resp.StatusCode != 200 {
							t.Fatalf("%s %s: %d, %d bytes, want %d", method, src.name, resp.StatusCode, len(body), len(want))
						}
						known := src.name[0] != 'e' && (!shout || len(src.data) == 0 && method == "GET")
						if known && resp.ContentLength != int64(len(src.data)) {
							t.Errorf("%s %s: length %d", method, src.name, resp.ContentLength)
						}
						if shout && resp.Header.Get("X-Shout") != "yes" {
							t.Errorf("%s %s: the responders did not run", method, src.name)
						}
						if f := last.Load(); f != nil && !errors.Is(f.Close(), os.ErrClosed) {
							t.Errorf("%s %s: the file was left open", method, src.name)
						}
						last.Store(nil)
						if n := closed.Load(); n > 1 || n == 0 && bytes.Contains([]byte(src.name), []byte("stream")) {
							t.Errorf("%s %s: closed %d times", method, src.name, n)
						}
					}
				}
			})
		}
	}
}

func ask(t testing.TB, client *http.Client, method, url string) (*http.Response, []byte) {
	t.Helper()
	req, err := http.NewRequest(method, url, nil)
	must(t, err)
	resp, err := client.Do(req)
	must(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	return resp, body
}
