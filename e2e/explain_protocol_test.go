package e2e

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// protocolConf has a server with TLS and one in the clear that speak HTTP/2, and one that does not.
func protocolConf(secure, clear, old, log, certificates, plain, calls string) string {
	return strings.NewReplacer("SECURE", secure, "CLEAR", clear, "OLD", old, "LOG", log, "PLAIN", plain, "CALLS", calls).Replace(`
[servers.secure]
addr = "SECURE"
global_certificates = true
enabled_h2 = true
access_log = "LOG?rolling=never {>x-n}|{:location}|{:upstream_addr}|{status}"
modules = ["grpc-web"]
locations = ["call", "closed", "web", "odd", "any"]
[servers.clear]
addr = "CLEAR"
enabled_h2 = true
access_log = "LOG?rolling=never {>x-n}|{:location}|{:upstream_addr}|{status}"
modules = ["grpc-web"]
locations = ["call", "closed", "web", "odd", "any"]
[servers.old]
addr = "OLD"
global_certificates = true
access_log = "LOG?rolling=never {>x-n}|{:location}|{:upstream_addr}|{status}"
locations = ["any"]
[upstreams.plain]
addrs = ["PLAIN"]
[upstreams.calls]
addrs = ["CALLS"]
alpn = "H2"
[locations.call]
path = "/pkg.Calls"
upstream = "calls"
client_max_body_size = "1kb"
[locations.closed]
path = "/pkg.Closed"
upstream = "calls"
plugins = ["partners"]
[locations.web]
path = "/pkg.Web"
upstream = "calls"
grpc_web = true
[locations.odd]
path = "/pkg.Odd"
upstream = "plain"
grpc_web = true
[locations.any]
path = "/"
upstream = "plain"
[plugins.partners]
category = "key_auth"
header = "X-Api-Key"
keys = ["KOXQaw"]
`) + certificates
}

// callOrigin answers calls over HTTP/2 in the clear, and says what it got as echoOrigin does.
func callOrigin(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Protocols: new(http.Protocols), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "Grpc-Status")
		w.Header().Set("Content-Type", r.Header.Get("Content-Type"))
		text, _ := json.Marshal(echoed{r.RequestURI, r.Header})
		_, _ = w.Write(text)
		w.Header().Set("Grpc-Status", "0")
	})}
	server.Protocols.SetUnencryptedHTTP2(true)
	done := make(chan struct{})
	go func() { _ = server.Serve(l); close(done) }() // ends with the test
	t.Cleanup(func() { server.Close(); <-done })
	return l.Addr().String()
}

// protocolCase is a request, in the protocol that --http2 or --grpc say, and what is told of it besides what life can show.
type protocolCase struct {
	flag, method, url string
	headers           []string
	protocol, call    string // of the request
	over, certificate string
	note              string
}

// ask explains a request with the flags of its protocol.
func (x *explainer) ask(c *protocolCase) explained {
	x.t.Helper()
	args := []string{c.method, c.url, "--json"}
	if c.flag != "" {
		args = append(args, c.flag)
	}
	for _, h := range c.headers {
		args = append(args, "-H", h)
	}
	r := x.i.verb("explain", args...)
	var e explained
	if err := json.Unmarshal([]byte(r.stdout), &e); err != nil || r.code != 0 {
		x.t.Fatalf("%q: exit code %d, %v: %s", args, r.code, err, r.all())
	}
	return e
}

// sendBy sends a request in HTTP/1.1, or with a flag in HTTP/2 if the server agrees, to an address whatever host its URL has.
func (x *explainer) sendBy(c *protocolCase, addr string) *http.Response {
	x.t.Helper()
	x.n++
	request, err := http.NewRequest(c.method, c.url, nil)
	if err != nil {
		x.t.Fatal(err)
	}
	for _, h := range c.headers {
		name, value, _ := strings.Cut(h, ": ")
		request.Header.Set(name, value)
	}
	if c.flag == "--grpc" {
		request.Header.Set("Content-Type", "application/grpc")
		request.Header.Set("Te", "trailers")
	}
	request.Header.Set("X-N", fmt.Sprint(x.n))
	protocols := new(http.Protocols)
	protocols.SetHTTP1(c.flag == "" || request.URL.Scheme == "https")
	protocols.SetHTTP2(c.flag != "")
	protocols.SetUnencryptedHTTP2(c.flag != "")
	transport := &http.Transport{Protocols: protocols, TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", addr)
		}}
	defer transport.CloseIdleConnections()
	response, err := transport.RoundTrip(request)
	if err != nil {
		x.t.Fatalf("%+v: %v", c, err)
	}
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		x.t.Fatalf("%+v: %v", c, err)
	}
	response.Body.Close()
	return response
}

// agreeBy explains a request, sends it, and compares, also what only the protocol decides.
func (x *explainer) agreeBy(c *protocolCase, addr string) {
	x.t.Helper()
	e := x.ask(c)
	response := x.sendBy(c, addr)
	name := fmt.Sprintf("%s %s %s %q", c.flag, c.method, c.url, c.headers)
	if e.Request.Protocol != c.protocol || e.Request.Call != c.call || !strings.Contains(strings.Join(e.Notes, "\n"), c.note) {
		x.t.Errorf("%s: explained %+v, %q", name, e.Request, e.Notes)
	}
	if spoken := map[int]string{1: "http/1.1", 2: "h2"}[response.ProtoMajor]; spoken != c.protocol {
		x.t.Errorf("%s: the client spoke %s", name, spoken)
	}
	if e.Upstream != nil && e.Upstream.Protocol != c.over {
		x.t.Errorf("%s: explained %s to the upstream, want %s", name, e.Upstream.Protocol, c.over)
	}
	status := response.Header.Get("Grpc-Status")
	if e.Answer != nil && (e.Answer.Status != response.StatusCode || e.Answer.GRPC != 0 && fmt.Sprint(e.Answer.GRPC) != status) || e.Answer == nil && status != "" {
		x.t.Errorf("%s: explained %+v, was %d with status %q", name, e.Answer, response.StatusCode, status)
	}
	if c.certificate != e.Certificate || c.certificate != "" && c.certificate+".test" != response.TLS.PeerCertificates[0].DNSNames[0] {
		x.t.Errorf("%s: explained certificate %q", name, e.Certificate)
	}
	n := x.n
	x.wait = append(x.wait, func(t *testing.T) {
		t.Helper()
		x.agreeLine(t, explainedCase{method: c.method, target: c.url}, e, response.StatusCode, x.line(n))
	})
}

// What is decided by the protocol of a request is explained as it is decided: HTTP/2, calls of gRPC and gRPC-web, upstreams that speak it, and
// the certificate that goes with a name.
func TestExplainAndLifeAgreeOverEachProtocol(t *testing.T) {
	t.Parallel()
	dir := workDir(t)
	secure, clear, old, plain := freePort(t), freePort(t), freePort(t), echoOrigin(t)
	x := &explainer{t: t, log: filepath.Join(dir, "access.log")}
	table := "[certificates.%s]\ntls_cert = '''%s'''\ntls_key = '''%s'''\n"
	var certificates string
	for _, name := range []string{"one", "two"} {
		id := newIdentity(t, nil, name+".test")
		certificates += fmt.Sprintf(table, name, id.cert, id.pem)
	}
	path := filepath.Join(dir, "pingap.toml")
	write(t, path, protocolConf(secure, clear, old, x.log, certificates, plain, callOrigin(t)))
	x.i = startIn(t, dir, path)
	one, two := "https://one.test:"+lastPort(secure), "https://two.test:"+lastPort(secure)
	both, none := "http://"+clear, "https://one.test:"+lastPort(old)
	web := "Content-Type: application/grpc-web+proto"
	for addr, cases := range map[string][]protocolCase{
		secure: {
			{"", "GET", one + "/", nil, "http/1.1", "", "http/1.1", "one", ""},
			{"--http2", "GET", one + "/x?y", nil, "h2", "", "http/1.1", "one", ""},
			{"--http2", "GET", two + "/pkg.Calls/A", nil, "h2", "", "h2", "two", ""},
			{"--grpc", "POST", two + "/pkg.Calls/A", nil, "h2", "gRPC", "h2", "two", ""},
			{"--grpc", "POST", one + "/pkg.Closed/A", nil, "h2", "gRPC", "", "one", ""},
			{"--grpc", "POST", one + "/pkg.Closed/A", []string{"X-Api-Key: KOXQaw"}, "h2", "gRPC", "h2", "one", ""},
			{"--http2", "POST", one + "/pkg.Closed/A", nil, "h2", "", "", "one", ""},
			{"--grpc", "POST", one + "/pkg.Calls/A", []string{"Grpc-Timeout: soon"}, "h2", "gRPC", "", "one", ""},
			{"", "POST", two + "/pkg.Web/A", []string{web}, "http/1.1", "gRPC-web", "h2", "two", ""},
			{"--http2", "POST", two + "/pkg.Web/A", []string{web}, "h2", "gRPC-web", "h2", "two", ""},
			{"", "POST", two + "/pkg.Odd/A", []string{web}, "http/1.1", "gRPC-web", "", "two", ""},
		},
		clear: {
			{"--http2", "GET", both + "/", nil, "h2", "", "http/1.1", "", ""},
			{"--grpc", "POST", both + "/pkg.Calls/A", nil, "h2", "gRPC", "h2", "", ""},
			{"--grpc", "POST", both + "/pkg.Closed/A", nil, "h2", "gRPC", "", "", ""},
		},
		old: {
			{"--http2", "GET", none + "/", nil, "http/1.1", "", "http/1.1", "one", "does not offer HTTP/2"},
		},
	} {
		for _, c := range cases {
			x.agreeBy(&c, addr)
		}
	}
	x.read(t)
	if e := x.ask(&protocolCase{method: "GET", url: "https://none.test:" + lastPort(secure) + "/"}); e.Certificate != "" ||
		!strings.Contains(strings.Join(e.Notes, "\n"), "no certificate for none.test") {
		t.Errorf("a name without a certificate: %q %q", e.Certificate, e.Notes)
	}
	if r := x.i.verb("explain", both+"/", "--http2", "-H", "Connection: close"); r.code != 1 || !strings.Contains(r.stderr, "field of the connection") {
		t.Errorf("%d %s", r.code, r.all())
	}
	r := x.i.verb("explain", one+"/pkg.Closed/A", "--grpc")
	contains(t, r.stdout, "POST one.test:"+lastPort(secure)+"/pkg.Closed/A over HTTP/2, a call of gRPC", "certificate one", "200 with grpc-status 16 (UNAUTHENTICATED), made here")
}
