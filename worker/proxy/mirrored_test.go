package proxy

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pingap/config"
	"pingap/worker/mirror"
	"pingap/worker/upstream"
)

// mirrors makes the location of a rig one that mirrors to addr.
func mirrors(t testing.TB, maxBody int64, addr string, change func(*config.Upstream)) func(*Location) {
	t.Helper()
	cfg := &config.Upstream{Name: "mirror", Addrs: []string{addr}, Algo: "round_robin", ConnectionTimeout: config.Duration(2 * time.Second),
		ReadTimeout: config.Duration(patience), WriteTimeout: config.Duration(patience), IdleTimeout: config.Duration(time.Minute)}
	if change != nil {
		change(cfg)
	}
	u, err := upstream.New(cfg, upstream.Options{})
	must(t, err)
	t.Cleanup(u.Close)
	return func(l *Location) { l.Mirror = &mirror.Target{Upstream: u, Percent: 100, MaxBody: maxBody} }
}

func (r *rig) untilMirrored(what string, f func(mirror.Stats) bool) {
	r.t.Helper()
	for end := time.Now().Add(patience); !f(r.p.Mirrored()); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			r.t.Fatalf("%s: %+v", what, r.p.Mirrored())
		}
	}
}

func TestRequestsAreMirroredOverEveryTransport(t *testing.T) {
	for _, behind := range transports() {
		for _, front := range transports() {
			t.Run(front+" to "+behind, func(t *testing.T) {
				got := make(chan string, 10)
				copies := serving(t, behind, func(_ http.ResponseWriter, r *http.Request) {
					b, _ := io.ReadAll(r.Body)
					got <- fmt.Sprintf("%s %s %s %s %d %v", r.Method, r.Host, r.URL, r.Header.Get("X-Set"), len(b), string(b) == string(pattern(len(b))))
				})
				up := origin(t)
				r := newRig(t, rigOptions{addrs: []string{up.Listener.Addr().String()}, server: speaks(t, front),
					location: config.Location{ProxySetHeaders: []string{"X-Set:yes"}}, bind: mirrors(t, 100_000, copies, reaches(behind))})
				c, base := r.user(front)
				expect := func(want string) {
					t.Helper()
					select {
					case line := <-got:
						if line != want {
							t.Errorf("mirrored %q, want %q", line, want)
						}
					case <-time.After(patience):
						t.Fatalf("%s was not mirrored", want)
					}
				}
				if _, b := r.fetch(c, "GET", base+"/size/10?a=b", nil); len(b) != 10 {
					t.Errorf("answered %q", b)
				}
				expect("GET example.test /size/10?a=b yes 0 true")
				for _, n := range []int{3, 100_000} {
					if _, b := r.fetch(c, "POST", base+"/echo", strings.NewReader(string(pattern(n)))); len(b) != n {
						t.Errorf("answered %d bytes", len(b))
					}
					expect(fmt.Sprintf("POST example.test /echo yes %d true", n))
				}
				// in chunks, or without a length on a stream
				if _, b := r.fetch(c, "POST", base+"/echo", io.MultiReader(strings.NewReader(string(pattern(60_000))))); len(b) != 60_000 {
					t.Errorf("answered %d bytes", len(b))
				}
				expect("POST example.test /echo yes 60000 true")
				if _, b := r.fetch(c, "POST", base+"/echo", strings.NewReader(string(pattern(100_001)))); len(b) != 100_001 {
					t.Errorf("answered %d bytes", len(b))
				}
				if _, b := r.fetch(c, "POST", base+"/echo", io.MultiReader(strings.NewReader(string(pattern(100_001))))); len(b) != 100_001 {
					t.Errorf("answered %d bytes", len(b))
				}
				r.untilMirrored("at rest", func(st mirror.Stats) bool { return st.InFlight == 0 && st.Held == 0 })
				if st := r.p.Mirrored(); st.Sent != 4 || st.Failed != 0 || len(got) != 0 {
					t.Errorf("%+v, %d more came", st, len(got))
				}
			})
		}
	}
}

// Whatever becomes of the copies: answers are the same, and come as soon.
func TestMirrorsChangeNoAnswer(t *testing.T) {
	dead, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	dead.Close()
	hanging, _ := silent(t)
	slow := serving(t, "h1", func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(20 * time.Millisecond)
		_, _ = w.Write(pattern(100_000))
	})
	broken, _ := fated(t, fateBody)
	var base time.Duration
	for _, tc := range []struct{ name, addr string }{
		{"none", ""}, {"dead", dead.Addr().String()}, {"hanging", hanging.addr()}, {"slow", slow}, {"broken", broken.addr()}, {"deaf", deaf(t)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			up := origin(t)
			var bind func(*Location)
			if tc.addr != "" {
				bind = mirrors(t, 1<<20, tc.addr, nil)
			}
			r := newRig(t, rigOptions{addrs: []string{up.Listener.Addr().String()}, bind: bind, quiet: true})
			c, url := r.user("h1")
			begin := time.Now()
			for i := range 400 {
				n := 10 + i*100
				if resp, b := r.fetch(c, "POST", url+"/echo", strings.NewReader(string(pattern(n)))); resp.StatusCode != 200 || string(b) != string(pattern(n)) {
					t.Fatalf("%d with %d bytes", resp.StatusCode, len(b))
				}
			}
			took := time.Since(begin)
			if base == 0 {
				base = took
			}
			t.Logf("%v; %+v", took, r.p.Mirrored())
			if took > 5*base+2*time.Second { // one that waited for a mirror would take 8 s or more
				t.Errorf("400 requests took %v, without a mirror %v", took, base)
			}
			began := time.Now()
			r.front.Close()
			r.closeProxy()
			if took := time.Since(began); took > 4*time.Second {
				t.Errorf("closing took %v", took)
			}
			if st := r.p.Mirrored(); st.InFlight != 0 || st.Held != 0 {
				t.Errorf("after Close %+v", st)
			}
		})
	}
}

func TestWhatIsNoRequestForAMirrorIsNotMirrored(t *testing.T) {
	var came atomic.Int64
	copies := serving(t, "h1", func(http.ResponseWriter, *http.Request) { came.Add(1) })
	b := newBackend(t, unruly)
	r := newRig(t, rigOptions{addrs: []string{b.addr()}, bind: mirrors(t, 1000, copies, nil)})
	for _, raw := range []string{
		"GET /tunnel HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n\r\n" + strings.Repeat("x", 1001),
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n",                // and the client leaves
		"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloX", // broken
	} {
		c := r.dial().send(raw)
		if strings.Contains(raw, "100000") {
			c.Close()
			continue
		}
		c.head()
		c.Close()
	}
	r.until("at rest", func(s Stats) bool { return s.InFlight == 0 && s.Requests == 4 })
	r.untilMirrored("at rest", func(st mirror.Stats) bool { return st.InFlight == 0 && st.Held == 0 })
	if n := came.Load(); n != 0 {
		t.Errorf("%d requests were mirrored: %+v", n, r.p.Mirrored())
	}
}
