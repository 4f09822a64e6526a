package e2e

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pingap/e2e/backends"
)

const (
	clientTrace  = "4bf92f3577b34da6a3ce929d0e0e4736"
	clientSpan   = "00f067aa0ba902b7"
	clientParent = "00-" + clientTrace + "-" + clientSpan
)

func newCollector(t *testing.T) *backends.Collector {
	t.Helper()
	c, err := backends.NewCollector("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// newEcho answers with the head of the request as it came, byte for byte; with 500 below /fail, and with 101 where it is asked to.
func newEcho(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() { // ends with the listener
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go echoHeads(c)
		}
	}()
	return l.Addr().String()
}

func echoHeads(c net.Conn) {
	defer c.Close()
	in := bufio.NewReader(c)
	for {
		var head bytes.Buffer
		for !bytes.HasSuffix(head.Bytes(), []byte("\r\n\r\n")) {
			line, err := in.ReadBytes('\n')
			if err != nil {
				return
			}
			head.Write(line)
		}
		status := "200 OK"
		if strings.Contains(head.String(), " /fail") {
			status = "500 Internal Server Error"
		}
		if strings.Contains(head.String(), "Upgrade: echo") {
			fmt.Fprintf(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\nX-Head: %x\r\n\r\n", head.Bytes())
			_, _ = io.Copy(c, in) // until the peer ends
			return
		}
		if _, err := fmt.Fprintf(c, "HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s", status, head.Len(), head.Bytes()); err != nil {
			return
		}
	}
}

// exporting adds an exporter to the server of a configuration; its delay is short.
func exporting(conf string, c *backends.Collector, query string) string {
	return insert(conf, "servers.web", fmt.Sprintf("otlp_exporter = 'http://%s?scheduled_delay=50ms&%s'", c.Addr, query))
}

// spansOf waits for n spans of a trace.
func (i *instance) spansOf(c *backends.Collector, trace string, n int) (list []backends.Span) {
	i.t.Helper()
	i.eventually("spans of trace "+trace, func() error {
		list = list[:0]
		for _, s := range c.Spans() {
			if s.Trace == trace {
				list = append(list, s)
			}
		}
		if len(list) < n {
			return fmt.Errorf("%d of %d", len(list), n)
		}
		return nil
	})
	if len(list) > n {
		i.t.Fatalf("%d spans of trace %s, want %d: %+v", len(list), trace, n, list)
	}
	return list
}

// pair are the spans of kind server and client, of two.
func pair(list []backends.Span) (server, client backends.Span) {
	if list[0].Server {
		return list[0], list[1]
	}
	return list[1], list[0]
}

func field(head, name string) (values []string) {
	for _, line := range strings.Split(head, "\r\n") {
		if n, v, ok := strings.Cut(line, ": "); ok && strings.EqualFold(n, name) {
			values = append(values, v)
		}
	}
	return values
}

// Both protocols and every compression carry the same: the client's trace, and what the upstream got as its parent.
func TestTracesGoOnToTheUpstreamAndToTheCollector(t *testing.T) {
	t.Parallel()
	echo, c := newEcho(t), newCollector(t)
	conf, addrs := "", map[string]string{}
	for _, protocol := range []string{"grpc", "http"} {
		for _, compression := range []string{"none", "gzip", "zstd"} {
			name := protocol + "-" + compression
			addrs[name] = freePort(t)
			conf += fmt.Sprintf("[servers.%s]\naddr = %q\nlocations = [\"all\"]\notlp_exporter = 'http://%s?scheduled_delay=50ms&protocol=%s&compression=%s&headers=x-key:s3cret&attributes=team:a'\n",
				name, addrs[name], c.Addr, protocol, compression)
		}
	}
	i := start(t, conf+"[locations.all]\nupstream = \"app\"\n[upstreams.app]\naddrs = [\""+echo+"\"]\n")
	for name, addr := range addrs {
		trace := fmt.Sprintf("%032x", len(name)<<16+int(name[0])<<8+int(name[5]))
		a := mustGet(t, addr, "/some/path?a=1", 200, "traceparent: 00-"+trace+"-"+clientSpan+"-01", "tracestate: a=1,b=2")
		server, client := pair(i.spansOf(c, trace, 2))
		if server.Parent != clientSpan || client.Parent != server.ID || server.State != "a=1,b=2" || server.Name != "GET all" || client.Name != "GET" || server.Scope != "http_proxy" {
			t.Errorf("%s: server %+v, client %+v", name, server, client)
		}
		if got := field(string(a.body), "traceparent"); len(got) != 1 || got[0] != "00-"+trace+"-"+client.ID+"-01" {
			t.Errorf("%s: the upstream got traceparent %q", name, got)
		}
		if got := field(string(a.body), "tracestate"); len(got) != 1 || got[0] != "a=1,b=2" {
			t.Errorf("%s: the upstream got tracestate %q", name, got)
		}
		if a.header.Get("X-Trace-Id") != trace || a.header.Get("X-Span-Id") != server.ID {
			t.Errorf("%s: response %v", name, a.header)
		}
		if server.Resource["service.name"] != "pingap:"+name || server.Resource["team"] != "a" || server.Attributes["url.query"] != "a=1" || client.Attributes["url.full"] != "http://"+echo+"/some/path?a=1" {
			t.Errorf("%s: resource %v, attributes %v and %v", name, server.Resource, server.Attributes, client.Attributes)
		}
		if server.Start.After(client.Start) || client.End.After(server.End) || time.Since(server.Start) > time.Minute {
			t.Errorf("%s: times %v..%v and %v..%v", name, server.Start, server.End, client.Start, client.End)
		}
	}
	encodings := map[string]bool{}
	for _, h := range c.Heads() {
		if h.Get("X-Key") != "s3cret" || !strings.HasPrefix(h.Get("User-Agent"), "pingap/") {
			t.Errorf("export with %v", h)
		}
		encodings[h.Get("Content-Type")+h.Get("Content-Encoding")+h.Get("Grpc-Encoding")] = true
	}
	if len(encodings) != 6 {
		t.Errorf("encodings %v", encodings)
	}
	if strings.Contains(i.printed(), "s3cret") {
		t.Error("a header for the collector is in the log")
	}
}

func TestFieldsOfTracesReachTheUpstreamByteForByte(t *testing.T) {
	t.Parallel()
	echo, c, addr := newEcho(t), newCollector(t), freePort(t)
	conf := exporting(proxyConf(addr, echo), c, "jaeger&baggage")
	start(t, strings.Replace(conf, `locations = ["all"]`, `locations = ["plain", "all"]`, 1)+"[locations.plain]\npath = \"/plain\"\nupstream = \"app\"\ntracing = false\n")
	for _, tc := range []struct {
		target       string
		fields, want []string
	}{
		{"/", []string{"TraceParent: " + clientParent + "-00", "tracestate: a=1", "uber-trace-id: 1:2:3:1", "baggage: a=1;p=q, b=2"},
			[]string{"TraceParent: " + clientParent[:36] + "SPAN-00", "tracestate: a=1", "uber-trace-id: " + clientTrace + ":SPAN:0:0", "baggage: a=1;p=q, b=2"}},
		{"/", []string{"Uber-Trace-Id: " + clientTrace + ":" + clientSpan + ":0:1", "tracestate: a=1", "baggage: no good"},
			[]string{"Uber-Trace-Id: " + clientTrace + ":SPAN:0:1", "traceparent: " + clientParent[:36] + "SPAN-01"}},
		{"/plain", []string{"traceparent: " + clientParent + "-01", "tracestate: A=b", "uber-trace-id: x", "baggage: no good"},
			[]string{"traceparent: " + clientParent + "-01", "tracestate: A=b", "uber-trace-id: x", "baggage: no good"}},
	} {
		a := mustGet(t, addr, tc.target, 200, tc.fields...)
		var got []string
		for _, line := range strings.Split(string(a.body), "\r\n") {
			name, value, _ := strings.Cut(line, ": ")
			switch strings.ToLower(name) {
			case "traceparent":
				if tc.target == "/" {
					line = name + ": " + value[:36] + "SPAN" + value[52:]
				}
				got = append(got, line)
			case "uber-trace-id":
				if tc.target == "/" {
					line = name + ": " + value[:33] + "SPAN" + value[49:]
				}
				got = append(got, line)
			case "tracestate", "baggage":
				got = append(got, line)
			}
		}
		if strings.Join(got, "\n") != strings.Join(tc.want, "\n") {
			t.Errorf("%s %q: the upstream got\n%q, want\n%q", tc.target, tc.fields, got, tc.want)
		}
		if sampled := strings.HasSuffix(tc.want[0], "1") && tc.target == "/"; (a.header.Get("X-Trace-Id") != "") != sampled {
			t.Errorf("%q: response %v", tc.fields, a.header)
		}
	}
}

func TestWhatIsSampledAndWhatFailsIsExported(t *testing.T) {
	t.Parallel()
	echo, c, addr := newEcho(t), newCollector(t), freePort(t)
	log := filepath.Join(workDir(t), "access.log")
	conf := exporting(proxyConf(addr, echo), c, "sample=0.2&errors&semconv=legacy")
	i := start(t, insert(conf, "servers.web", fmt.Sprintf("access_log = '%s?rolling=never {uri} {:trace_id} {:span_id}'", log)))
	const all = 2000
	sampled := 0
	client := dial(t, addr)
	for n := range all {
		a, err := client.do(get(fmt.Sprintf("/%d", n)))
		if err != nil {
			t.Fatal(err)
		}
		if a.header.Get("X-Trace-Id") != "" {
			sampled++
		}
	}
	mustGet(t, addr, "/fail", 500, "traceparent: "+clientParent+"-00")
	i.eventually("all that was sampled", func() error {
		if n := len(c.Spans()); n != 2*sampled+2 {
			return fmt.Errorf("%d spans of %d requests", n, sampled)
		}
		return nil
	})
	if sampled < all/5-150 || sampled > all/5+150 {
		t.Errorf("%d of %d sampled", sampled, all)
	}
	server, up := pair(i.spansOf(c, clientTrace, 2))
	if server.Name != "/fail" || server.Attributes["http.status_code"] != "500" || !server.Failed || up.Name != "upstream.app" || up.Attributes["upstream.addr"] != echo {
		t.Errorf("server %+v, upstream %+v", server, up)
	}
	i.eventually("the line of the log", func() error {
		if !strings.Contains(read(t, log), "/fail "+clientTrace+" "+server.ID+"\n") {
			return fmt.Errorf("it is not there")
		}
		return nil
	})
}

func TestSpansOfRetriesAnswersOfPluginsAndMirrors(t *testing.T) {
	t.Parallel()
	echo, mirrored, c, addr := newEcho(t), newBackend(t, "mirror"), newCollector(t), freePort(t)
	dead := freePort(t)
	conf := strings.Replace(proxyConf(addr, dead+","+echo), `locations = ["all"]`, `locations = ["mock", "off", "all"]`, 1)
	conf = insert(conf, "locations.all", `mirror = "copy"`)
	conf = insert(conf, "upstreams.app", `health_check = "tcp://x?failure=1000"`)
	i := start(t, exporting(conf, c, "")+fmt.Sprintf(`
[upstreams.copy]
addrs = [%q]
[locations.mock]
path = "/mock"
plugins = ["text"]
[plugins.text]
category = "mock"
data = "hello"
[locations.off]
path = "/off"
upstream = "app"
tracing = false
`, mirrored.addr))
	trace := func(n int) string { return fmt.Sprintf("%032x", n) }
	parent := func(n int) string { return "traceparent: 00-" + trace(n) + "-" + clientSpan + "-01" }
	mustGet(t, addr, "/off", 200, parent(1))
	if a := mustGet(t, addr, "/mock", 200, parent(2)); a.header.Get("X-Trace-Id") != "" {
		t.Errorf("an answer of a plugin has %v", a.header)
	}
	if list := i.spansOf(c, trace(2), 1); !list[0].Server || list[0].Attributes["pingap.location"] != "mock" {
		t.Errorf("%+v", list)
	}
	retried := 0
	for n := 10; n < 14; n++ { // one of two finds the dead backend first, until it is known to be dead
		a := mustGet(t, addr, "/", 200, parent(n))
		i.eventually("its spans", func() error {
			for _, s := range c.Spans() {
				if s.Trace == trace(n) && s.Server {
					return nil
				}
			}
			return fmt.Errorf("none")
		})
		var clients []backends.Span
		for _, s := range c.Spans() {
			if s.Trace == trace(n) && !s.Server {
				clients = append(clients, s)
			}
		}
		last := clients[len(clients)-1]
		if got := field(string(a.body), "traceparent"); len(got) != 1 || got[0] != "00-"+trace(n)+"-"+last.ID+"-01" {
			t.Errorf("the upstream got %q, the span is %s", got, last.ID)
		}
		if len(clients) == 2 {
			retried++
			if clients[0].Attributes["error.type"] != "ConnectRefused" || !clients[0].Failed || last.Attributes["http.request.resend_count"] != "1" || clients[0].Parent != last.Parent {
				t.Errorf("attempts %+v", clients)
			}
		}
	}
	if retried == 0 {
		t.Error("no request was retried")
	}
	i.eventually("the copies", func() error {
		if n := mirrored.requests.Load(); n < 4 {
			return fmt.Errorf("%d", n)
		}
		return nil
	})
	for _, s := range c.Spans() {
		if s.Trace == trace(1) || strings.Contains(s.Attributes["server.address"]+":"+s.Attributes["server.port"], mirrored.addr) {
			t.Errorf("span of what is not traced: %+v", s)
		}
	}
}

func TestSpansOverHTTP2AndOfUpgrades(t *testing.T) {
	t.Parallel()
	echo, c, addr := newEcho(t), newCollector(t), freePort(t)
	i := start(t, exporting(insert(proxyConf(addr, echo), "servers.web", "enabled_h2 = true"), c, "max_attributes=100"))
	h2 := &http.Transport{Protocols: new(http.Protocols)}
	h2.Protocols.SetUnencryptedHTTP2(true)
	defer h2.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r, _ := http.NewRequestWithContext(ctx, "GET", "http://"+addr+"/two", nil)
	r.Header.Set("Traceparent", clientParent+"-01")
	resp, err := h2.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	server, up := pair(i.spansOf(c, clientTrace, 2))
	if server.Attributes["network.protocol.version"] != "2" || resp.Header.Get("X-Span-Id") != server.ID || field(string(body), "traceparent")[0] != clientParent[:36]+up.ID+"-01" {
		t.Errorf("server %+v, response %v, body %q", server, resp.Header, body)
	}

	trace := strings.Repeat("ab", 16)
	tunnel := dial(t, addr)
	a, err := tunnel.do(get("/up", "Connection: Upgrade", "Upgrade: echo", "traceparent: 00-"+trace+"-"+clientSpan+"-01"))
	if err != nil || a.status != 101 || a.header.Get("X-Trace-Id") != trace {
		t.Fatalf("%+v, %v", a, err)
	}
	if _, err := io.WriteString(tunnel.conn, "hi"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(tunnel.in, make([]byte, 2)); err != nil {
		t.Fatal(err)
	}
	for _, s := range c.Spans() {
		if s.Trace == trace {
			t.Errorf("a span of a tunnel that is open: %+v", s)
		}
	}
	tunnel.close()
	server, _ = pair(i.spansOf(c, trace, 2))
	if server.Attributes["http.response.status_code"] != "101" || server.Attributes["http.response.body.size"] != "2" {
		t.Errorf("tunnel %+v", server)
	}
}
