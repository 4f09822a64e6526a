package proxy

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"pingap/message"
	"pingap/plugins"
)

// TestAnInstanceInShadowModeIsAskedAndNotObeyed lets one do everything that a plugin can.
func TestAnInstanceInShadowModeIsAskedAndNotObeyed(t *testing.T) {
	for _, front := range transports() {
		t.Run(front, func(t *testing.T) {
			core, logs := observer.New(zap.InfoLevel)
			b := newBackend(t, answer(ok5))
			over := newEnds()
			var file atomic.Pointer[os.File]
			var shadow, seen atomic.Bool
			watched := &plugins.Instance{Name: "watched", Step: plugins.Request, Shadow: true,
				Decider: decides(func(e *plugins.Exchange) plugins.Decision {
					shadow.Store(e.Shadow)
					e.AtEnd(over)
					e.UpstreamOverride, e.State = "nowhere", "mine"
					e.Request.Fields.Set("X-Watched", []byte("yes"))
					e.Request.Fields.Del("X-Mine")
					e.Request.RewritePath([]byte("/elsewhere"))
					e.SetRequestID([]byte("shadow"))
					f := fileOf(t, "secret")
					file.Store(f)
					return plugins.Decision{Answer: &plugins.Answer{Status: 403, File: &plugins.FilePart{File: f, Length: 6}}, Refresh: true, Reason: "for a test"}
				}),
				UpstreamResponder: responds(func(e *plugins.Exchange) { e.Response.Fields.Set("X-Up", []byte("changed")) }),
				Responder: responds(func(e *plugins.Exchange) {
					seen.Store(string(e.Response.Fields.Get(message.ContentLength)) == "5")
					e.Response.Status = 500
					e.Response.Fields.Set("X-Watched", []byte("yes"))
				}),
				BodyFilterer: filters(func(*plugins.Exchange) plugins.Filter { t.Error("asked for a filter"); return nil }),
				Storer: &storer{store: func(*plugins.Exchange) (plugins.Filter, *plugins.Answer) {
					t.Error("asked to store")
					return nil, nil
				}},
			}
			r := newRig(t, rigOptions{addrs: []string{b.addr()}, logger: zap.New(core), server: speaks(t, front), plugins: plugins.NewChain([]*plugins.Instance{watched,
				{Step: plugins.ProxyUpstream, Decider: decides(func(e *plugins.Exchange) plugins.Decision {
					if e.Shadow || e.State != nil || len(e.RequestID) > 0 {
						t.Errorf("the next plugin sees %t %v %q", e.Shadow, e.State, e.RequestID)
					}
					return plugins.Continue
				})}})})
			client, base := r.user(front)
			resp, body := ask(t, client, "GET", base+"/path")
			if resp.StatusCode != 200 || string(body) != "hello" || resp.Header.Get("X-Up") != "yes" || resp.Header.Get("X-Watched") != "" {
				t.Errorf("got %d %q %v", resp.StatusCode, body, resp.Header)
			}
			over.wait(t, true)
			if got := b.received(); !strings.HasPrefix(got, "GET /path ") || strings.Contains(got, "X-Watched") {
				t.Errorf("the upstream got %q", got)
			}
			if !shadow.Load() || !seen.Load() || file.Load().Close() == nil {
				t.Errorf("shadow %t, saw the response %t, or its file was left open", shadow.Load(), seen.Load())
			}
			if asked, would := watched.Watched.Asked.Load(), watched.Watched.Answered.Load(); asked != 1 || would != 1 {
				t.Errorf("asked %d times, would have answered %d times", asked, would)
			}
			lines := logs.FilterMessageSnippet("shadow").All()
			if len(lines) != 1 {
				t.Fatalf("%d lines in the log", len(lines))
			}
			if m := lines[0].ContextMap(); fmt.Sprint(m["plugin"], m["location"], m["reason"], m["status"], m["count"]) != "watchedlocfor a test403 1" {
				t.Errorf("log: %v", m)
			}
		})
	}
}

func TestAPanicOfAnInstanceInShadowModeIsItsOwn(t *testing.T) {
	b := newBackend(t, answer(ok5))
	r := newRig(t, rigOptions{addrs: []string{b.addr()}, plugins: plugins.NewChain([]*plugins.Instance{{Name: "watched", Step: plugins.EarlyRequest, Shadow: true,
		Decider:           decides(func(*plugins.Exchange) plugins.Decision { panic("a bug") }),
		Responder:         responds(func(*plugins.Exchange) { panic("a bug") }),
		UpstreamResponder: responds(func(*plugins.Exchange) { panic("a bug") }),
	}})})
	if head := r.dial().send(get).head(); !strings.HasPrefix(head, "HTTP/1.1 200") {
		t.Errorf("head %q", head)
	}
	if n := r.p.Stats().Panics; n != 3 {
		t.Errorf("%d panics counted", n)
	}
}

// TestServerTimingHasPluginsAndCache has plugins that take a known time at least.
func TestServerTimingHasPluginsAndCache(t *testing.T) {
	b := newBackend(t, answer(ok5))
	slow := func(name string, here bool) *plugins.Chain {
		return plugins.NewChain([]*plugins.Instance{
			{Name: name, Step: plugins.Request, Decider: decides(func(e *plugins.Exchange) plugins.Decision {
				time.Sleep(3 * time.Millisecond)
				if strings.HasPrefix(string(e.Request.Path), "/cached") {
					e.CacheLookup, e.CacheLock = 2e6, 5e6
				}
				if here {
					return plugins.Respond(stale(), "test")
				}
				return plugins.Continue
			}), Responder: responds(func(*plugins.Exchange) { time.Sleep(3 * time.Millisecond) })},
			{Name: "quick", Step: plugins.Response, Responder: responds(func(*plugins.Exchange) {})},
		})
	}
	for _, tc := range []struct {
		name, path, begin string
		here              bool
	}{
		{"a:b", "/", "upstream.connect;dur=N, upstream.processing;dur=N, plugin.a_b;dur=6, plugin;dur=6, total;dur=6", false},
		{"x", "/cached", "upstream.connect;dur=N, upstream.processing;dur=N, cache.lookup;dur=2, cache.lock;dur=5, cache;dur=7, plugin.x;dur=6, plugin;dur=6, total;dur=6", false},
		{"x", "/cached", "cache.lookup;dur=2, cache.lock;dur=5, cache;dur=7, plugin.x;dur=6, plugin;dur=6, total;dur=6", true},
	} {
		r := newRig(t, rigOptions{addrs: []string{b.addr()}, plugins: slow(tc.name, tc.here), server: func(s *Server) { s.ServerTiming = true }})
		client, base := r.user("h1")
		resp, _ := ask(t, client, "GET", base+tc.path)
		got, want := strings.Split(resp.Header.Get("Server-Timing"), ", "), strings.Split(tc.begin, ", ")
		for n := 0; n < len(want); n++ {
			if n < len(got) && strings.HasPrefix(got[n], "upstream;") {
				got = append(got[:n], got[n+1:]...)
			}
			if n >= len(got) || !likeTiming(got[n], want[n]) {
				t.Fatalf("%s: got %v, want %v", tc.path, got, want)
			}
		}
		if len(got) != len(want) {
			t.Errorf("%s: got %v, want %v", tc.path, got, want)
		}
	}
}

// likeTiming compares entries: times of plugins are lower bounds, N is any.
func likeTiming(got, want string) bool {
	name, dur, _ := strings.Cut(got, ";dur=")
	wantName, least, _ := strings.Cut(want, ";dur=")
	n, err := strconv.Atoi(dur)
	if name != wantName || err != nil {
		return false
	}
	if strings.HasPrefix(name, "cache") {
		return dur == least
	}
	bound, _ := strconv.Atoi(least)
	return n >= bound
}
