package proxy

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"pingap/config"
	"pingap/worker/http2/server"
)

// transports are the ways a client reaches the proxy; what it sees must not differ.
func transports() []string { return []string{"h1", "h1 tls", "h2 tls", "h2c"} }

// selfSigned makes a certificate for "example.test".
func selfSigned(t testing.TB) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "example.test"},
		DNSNames: []string{"example.test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// speaks makes the server of a rig one for a transport.
func speaks(t testing.TB, transport string) func(*Server) {
	return func(s *Server) {
		if strings.HasSuffix(transport, "tls") {
			s.HandshakeTimeout = patience
			s.TLS = &tls.Config{Certificates: []tls.Certificate{selfSigned(t)}, NextProtos: []string{"http/1.1"}, MinVersion: tls.VersionTLS12}
		}
		if strings.HasPrefix(transport, "h2") {
			s.HTTP2 = server.NewEngine(server.Options{})
			s.H2C = transport == "h2c"
			if s.TLS != nil {
				s.TLS.NextProtos = []string{"h2", "http/1.1"}
			}
		}
	}
}

// user returns a client for a transport, and the address to use.
func (r *rig) user(transport string) (*http.Client, string) {
	var protocols http.Protocols
	switch transport {
	case "h2 tls":
		protocols.SetHTTP2(true)
	case "h2c":
		protocols.SetUnencryptedHTTP2(true)
	default:
		protocols.SetHTTP1(true)
	}
	tr := &http.Transport{Protocols: &protocols, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableCompression: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, r.front.Addr().Network(), r.front.Addr().String())
		}}
	r.t.Cleanup(tr.CloseIdleConnections)
	scheme := "http"
	if strings.HasSuffix(transport, "tls") {
		scheme = "https"
	}
	return &http.Client{Transport: tr, Timeout: patience}, scheme + "://example.test"
}

// pattern is a body whose bytes tell their places.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i ^ i>>8 ^ i>>16)
	}
	return b
}

// pairs calls f with every way to the proxy and on from there.
func pairs(t *testing.T, f func(t *testing.T, r *rig, c *http.Client, base string)) {
	for _, behind := range transports() {
		up := originOver(t, behind)
		for _, front := range transports() {
			t.Run(front+" to "+behind, func(t *testing.T) {
				r := newRig(t, rigOptions{addrs: []string{up.Listener.Addr().String()}, server: speaks(t, front), upstream: reaches(behind)})
				c, base := r.user(front)
				f(t, r, c, base)
			})
		}
	}
}

// reaches makes an upstream one that is reached over a transport.
func reaches(transport string) func(*config.Upstream) {
	return func(u *config.Upstream) {
		if strings.HasSuffix(transport, "tls") {
			u.SNI = "example.com"
		}
		if strings.HasPrefix(transport, "h2") {
			u.ALPN, u.MaxH2Streams = "H2", 10
		}
	}
}

// originOver is origin over a transport.
func originOver(t testing.TB, transport string) *httptest.Server {
	return originWith(t, transport, originHandler())
}

// originWith is a server over a transport.
func originWith(t testing.TB, transport string, handler http.Handler) *httptest.Server {
	s := httptest.NewUnstartedServer(handler)
	t.Cleanup(s.Close)
	var protocols http.Protocols
	protocols.SetHTTP1(strings.HasPrefix(transport, "h1"))
	protocols.SetHTTP2(transport == "h2 tls")
	protocols.SetUnencryptedHTTP2(transport == "h2c")
	s.Config.Protocols = &protocols
	if strings.HasSuffix(transport, "tls") {
		s.EnableHTTP2 = transport == "h2 tls"
		s.StartTLS()
	} else {
		s.Start()
	}
	return s
}

// origin is an ordinary HTTP/1 server behind the proxy.
func origin(t testing.TB) *httptest.Server { return originOver(t, "h1") }

func originHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/size/{n}", func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.PathValue("n"))
		w.Header().Set("Content-Length", strconv.Itoa(n))
		_, _ = w.Write(pattern(n))
	})
	mux.HandleFunc("/chunks/{n}", func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.PathValue("n"))
		w.Header().Set("Trailer", "X-Sum")
		for i := 0; i < n; i++ {
			fmt.Fprintf(w, "chunk %d;", i)
			w.(http.Flusher).Flush()
		}
		w.Header().Set("X-Sum", strconv.Itoa(n))
	})
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Length", strconv.FormatInt(r.ContentLength, 10))
		w.Header().Set("X-Method", r.Method)
		if http.NewResponseController(w).EnableFullDuplex() != nil {
			return
		}
		w.(http.Flusher).Flush()
		_, _ = io.Copy(w, r.Body)
		w.Header().Set(http.TrailerPrefix+"X-Trailer", r.Trailer.Get("X-Up"))
	})
	mux.HandleFunc("/early", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close") // else the server waits for the body
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, "no")
	})
	mux.HandleFunc("/hints", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</a.css>")
		w.WriteHeader(http.StatusEarlyHints)
		_, _ = io.WriteString(w, "done")
	})
	mux.HandleFunc("/break", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100000")
		_, _ = w.Write(pattern(5000))
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	})
	return mux
}

func (r *rig) fetch(c *http.Client, method, url string, body io.Reader) (*http.Response, []byte) {
	r.t.Helper()
	req, err := http.NewRequest(method, url, body)
	must(r.t, err)
	resp, err := c.Do(req)
	if err != nil {
		r.t.Fatalf("%s %s: %v", method, url, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatalf("%s %s: body: %v after %d bytes", method, url, err, len(b))
	}
	return resp, b
}

func TestEveryTransportCarriesTheSame(t *testing.T) {
	pairs(t, func(t *testing.T, r *rig, c *http.Client, base string) {
		for _, n := range []int{0, 1, 200, 16 << 10, 70_000, 3 << 20} {
			resp, b := r.fetch(c, "GET", fmt.Sprintf("%s/size/%d", base, n), nil)
			if resp.StatusCode != 200 || !bytes.Equal(b, pattern(n)) || resp.ContentLength != int64(n) {
				t.Fatalf("%d bytes: %d with %d bytes, length %d", n, resp.StatusCode, len(b), resp.ContentLength)
			}
			resp, b = r.fetch(c, "HEAD", fmt.Sprintf("%s/size/%d", base, n), nil)
			if resp.StatusCode != 200 || len(b) != 0 || resp.ContentLength != int64(n) {
				t.Fatalf("HEAD of %d: %d, length %d", n, resp.StatusCode, resp.ContentLength)
			}
			resp, b = r.fetch(c, "POST", base+"/echo", bytes.NewReader(pattern(n)))
			if !bytes.Equal(b, pattern(n)) || resp.Header.Get("X-Length") != strconv.Itoa(n) {
				t.Fatalf("POST of %d: %d bytes, upstream saw length %s", n, len(b), resp.Header.Get("X-Length"))
			}
			_, b = r.fetch(c, "PUT", base+"/echo", io.MultiReader(bytes.NewReader(pattern(n)))) // length unknown
			if !bytes.Equal(b, pattern(n)) {
				t.Fatalf("PUT of %d: %d bytes", n, len(b))
			}
		}
		resp, b := r.fetch(c, "GET", base+"/chunks/50", nil)
		if !strings.HasSuffix(string(b), "chunk 49;") || resp.Trailer.Get("X-Sum") != "50" {
			t.Errorf("chunks: %d bytes, trailers %v", len(b), resp.Trailer)
		}
		if resp, _ := r.fetch(c, "GET", base+"/hints", nil); resp.StatusCode != 200 {
			t.Errorf("hints: %d", resp.StatusCode)
		}
		if resp, b := r.fetch(c, "GET", base+"/none", nil); resp.StatusCode != 404 || len(b) == 0 {
			t.Errorf("404: %d %q", resp.StatusCode, b)
		}
	})
}

func TestTrailersOfARequestReachTheUpstream(t *testing.T) {
	pairs(t, func(t *testing.T, r *rig, c *http.Client, base string) {
		req, err := http.NewRequest("POST", base+"/echo", io.MultiReader(strings.NewReader("hello")))
		must(t, err)
		req.Trailer = http.Header{"X-Up": {"yes"}}
		resp, err := c.Do(req)
		must(t, err)
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		must(t, err)
		if string(b) != "hello" || resp.Trailer.Get("X-Trailer") != "yes" {
			t.Errorf("%q, trailers %v", b, resp.Trailer)
		}
	})
}

func TestManyRequestsAtOnceOnEveryTransport(t *testing.T) {
	pairs(t, func(t *testing.T, r *rig, c *http.Client, base string) {
		var wg sync.WaitGroup
		for g := range 20 {
			wg.Go(func() {
				for i := range 20 {
					n := (g*7919 + i*104729) % 50_000
					resp, err := c.Post(base+"/echo", "", bytes.NewReader(pattern(n)))
					if err != nil {
						t.Error(err)
						return
					}
					b, err := io.ReadAll(resp.Body)
					resp.Body.Close()
					if err != nil || !bytes.Equal(b, pattern(n)) {
						t.Errorf("%d bytes: %d, %v", n, len(b), err)
					}
				}
			})
		}
		wg.Wait()
	})
}

func TestAnAnswerBeforeTheBodyReachesTheClient(t *testing.T) {
	up := origin(t)
	for _, transport := range []string{"h2 tls", "h2c"} {
		t.Run(transport, func(t *testing.T) {
			r := newRig(t, rigOptions{addrs: []string{strings.TrimPrefix(up.URL, "http://")}, server: speaks(t, transport)})
			c, base := r.user(transport)
			body, feed := io.Pipe()
			defer feed.Close()
			req, err := http.NewRequest("POST", base+"/early", body)
			must(t, err)
			resp, err := c.Do(req)
			must(t, err)
			defer resp.Body.Close()
			b, err := io.ReadAll(resp.Body)
			must(t, err)
			if resp.StatusCode != 403 || string(b) != "no" {
				t.Errorf("%d %q", resp.StatusCode, b)
			}
		})
	}
}

func TestACutAnswerIsSeenAsCutOnEveryTransport(t *testing.T) {
	pairs(t, func(t *testing.T, r *rig, c *http.Client, base string) {
		resp, err := c.Get(base + "/break")
		must(t, err)
		defer resp.Body.Close()
		if b, err := io.ReadAll(resp.Body); err == nil {
			t.Errorf("%d bytes without an error", len(b))
		}
	})
}

func TestAClientThatLeavesAStreamIsNoticed(t *testing.T) {
	left := make(chan struct{})
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		close(left)
	}))
	defer up.Close()
	r := newRig(t, rigOptions{addrs: []string{strings.TrimPrefix(up.URL, "http://")}, server: speaks(t, "h2 tls")})
	c, base := r.user("h2 tls")
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", base+"/", nil)
	must(t, err)
	if _, err := c.Do(req); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	select {
	case <-left:
	case <-time.After(patience):
		t.Fatal("the upstream did not see it")
	}
	if line := r.log.wait(t, 0); line.status != 499 {
		t.Errorf("logged %+v", line)
	}
}

func TestPlainHTTPToATLSPortGetsAHint(t *testing.T) {
	r := newRig(t, rigOptions{server: speaks(t, "h1 tls")})
	c := r.dial().send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	if head := c.head(); !strings.HasPrefix(head, "HTTP/1.1 400 ") {
		t.Error(head)
	}
	if b := c.rest(); !strings.Contains(b, "HTTPS") {
		t.Errorf("%q", b)
	}
}

// A backend that offers less than the upstream's alpn allows is served in HTTP/1, the second request as the first.
// Failed handshakes are seen by the operator, in one line for many; a look whether somebody listens is none.
func TestFailedHandshakesAreLoggedNowAndThen(t *testing.T) {
	core, lines := observer.New(zap.InfoLevel)
	r := newRig(t, rigOptions{server: speaks(t, "h1 tls"), logger: zap.New(core)})
	r.dial().Close()
	for range 5 {
		r.dial().send("GET / HTTP/1.1\r\nHost: h\r\n\r\n").rest()
	}
	all := lines.FilterMessage("TLS handshakes with clients failed").All()
	if len(all) != 1 {
		t.Fatalf("%d lines: %v", len(all), lines.All())
	}
	if said := fmt.Sprint(all[0].ContextMap()); !strings.Contains(said, "server:web") || !strings.Contains(said, "failures:1") || strings.Contains(said, "EOF") {
		t.Errorf("said %s", said)
	}
}

func TestABackendWithoutHTTP2IsServedInHTTP1(t *testing.T) {
	up := originOver(t, "h1 tls")
	r := newRig(t, rigOptions{addrs: []string{up.Listener.Addr().String()}, upstream: func(u *config.Upstream) {
		u.SNI, u.ALPN, u.MaxH2Streams = "example.com", "H2H1", 10
	}})
	c, base := r.user("h1")
	for i := range 3 {
		if resp, b := r.fetch(c, "GET", base+"/size/100", nil); resp.StatusCode != 200 || len(b) != 100 {
			t.Fatalf("request %d: %d with %d bytes", i, resp.StatusCode, len(b))
		}
	}
}

// A shared connection that the backend has closed meanwhile costs no request that may be sent again.
func TestARequestOnAClosedSharedConnectionIsSentAgain(t *testing.T) {
	up := originOver(t, "h2c")
	r := newRig(t, rigOptions{addrs: []string{up.Listener.Addr().String()}, upstream: reaches("h2c")})
	c, base := r.user("h1")
	for i := range 5 {
		if resp, b := r.fetch(c, "GET", base+"/size/100", nil); resp.StatusCode != 200 || len(b) != 100 {
			t.Fatalf("request %d: %d with %d bytes", i, resp.StatusCode, len(b))
		}
		up.CloseClientConnections()
	}
}

// HTTP/2 has no reason phrase, a status line looks as usual nevertheless.
func TestAStatusLineFromHTTP2HasItsReason(t *testing.T) {
	up := originOver(t, "h2c")
	r := newRig(t, rigOptions{addrs: []string{up.Listener.Addr().String()}, upstream: reaches("h2c")})
	c := r.dial()
	if head := c.send("GET /size/1 HTTP/1.1\r\nHost: h\r\n\r\n").head(); !strings.HasPrefix(head, "HTTP/1.1 200 OK\r\n") {
		t.Errorf("head %q", head)
	}
	c.body(1)
	if head := c.send("GET /nowhere HTTP/1.1\r\nHost: h\r\n\r\n").head(); !strings.HasPrefix(head, "HTTP/1.1 404 Not Found\r\n") {
		t.Errorf("head %q", head)
	}
}
