package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// A call of gRPC, over HTTP/2 on both sides and over shared connections, has its spans; so has one whose backend resets it.
func TestSpansOfCallsOverSharedConnections(t *testing.T) {
	t.Parallel()
	backend := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/reset") {
			panic(http.ErrAbortHandler)
		}
		_, _ = io.Copy(io.Discard, r.Body) // what a client that is gone sends does not matter
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Trailer", "Grpc-Status")
		w.Header().Set("X-Got", strings.Join(r.Header.Values("Traceparent"), "|")+" "+strings.Join(r.Header.Values("Tracestate"), "|"))
		_, _ = w.Write(make([]byte, 5))
		w.Header().Set("Grpc-Status", "0")
	}))
	backend.Config.Protocols = new(http.Protocols)
	backend.Config.Protocols.SetUnencryptedHTTP2(true)
	backend.Start()
	t.Cleanup(backend.Close)
	c, addr := newCollector(t), freePort(t)
	conf := insert(proxyConf(addr, backend.Listener.Addr().String()), "upstreams.app", `alpn = "H2"`)
	i := start(t, exporting(insert(conf, "servers.web", "enabled_h2 = true"), c, "max_attributes=100"))
	h2 := &http.Transport{Protocols: new(http.Protocols)}
	h2.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(h2.CloseIdleConnections)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for n, path := range []string{"/call/one", "/call/two", "/reset"} {
		trace := fmt.Sprintf("%032x", n+1)
		r, err := http.NewRequestWithContext(ctx, "POST", "http://"+addr+path, strings.NewReader("\x00\x00\x00\x00\x00"))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/grpc")
		r.Header.Set("Te", "trailers")
		r.Header.Set("Traceparent", "00-"+trace+"-"+clientSpan+"-01")
		r.Header.Set("Tracestate", "a=1")
		resp, err := h2.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body) // a call that was reset ends as it likes
		resp.Body.Close()
		server, client := pair(i.spansOf(c, trace, 2))
		if server.Parent != clientSpan || client.Parent != server.ID || server.Attributes["url.path"] != path {
			t.Errorf("%s: server %+v, client %+v", path, server, client)
		}
		if path == "/reset" {
			if client.Attributes["error.type"] == "" || !client.Failed || server.Attributes["error.type"] == "" {
				t.Errorf("reset: server %+v, client %+v", server, client)
			}
			continue
		}
		if got := resp.Header.Get("X-Got"); got != "00-"+trace+"-"+client.ID+"-01 a=1" {
			t.Errorf("%s: the backend got %q", path, got)
		}
		if client.Failed || client.Attributes["http.response.status_code"] != "200" {
			t.Errorf("%s: client %+v", path, client)
		}
	}
}
