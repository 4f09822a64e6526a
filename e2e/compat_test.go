package e2e

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// The tests of this file hold rows of docs/compatibility.md that no test below holds through the whole binary.

func TestNoLocationIs404WithTheErrorPage(t *testing.T) {
	t.Parallel()
	addr := freePort(t)
	start(t, insert(mockConf(addr, "x"), "locations.all", `host = "only.test"`))
	a := mustGet(t, addr, "/nowhere", 404)
	contains(t, string(a.body), "404", "<html")
	if got := a.header.Get("Content-Type"); got != "text/html; charset=utf-8" {
		t.Errorf("Content-Type %q", got)
	}
	if a.header.Get("X-Pingap-EType") == "" || a.header.Get("Cache-Control") != "private, no-store" {
		t.Errorf("%v", a.header)
	}
}

// silent accepts connections and never says a word.
func silent(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { // ends when the listener is closed
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			defer c.Close()
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
	})
	return l.Addr().String()
}

func TestUpstreamTimeoutIs504AndRefusalIs502(t *testing.T) {
	t.Parallel()
	addr := freePort(t)
	i := start(t, insert(fmt.Sprintf(`
[basic]
error_template = '{"m":"{{content}}","type":"{{error_type}}"}'
[servers.web]
addr = %q
locations = ["slow", "gone"]
[locations.slow]
path = "/slow"
upstream = "slow"
[locations.gone]
path = "/gone"
upstream = "gone"
[upstreams.slow]
addrs = [%q]
read_timeout = "200ms"
[upstreams.gone]
addrs = [%q]
health_check = "tcp://x?failure=1000"
`, addr, silent(t), freePort(t)), "servers.web", `access_log = "stdout {status} {uri} {:upstream_addr}"`))
	for target, status := range map[string]int{"/slow": 504, "/gone": 502} {
		a := mustGet(t, addr, target, status)
		kind := a.header.Get("X-Pingap-EType")
		if kind == "" || !strings.Contains(string(a.body), `"type":"`+kind+`"`) {
			t.Errorf("%s: type %q, body %s", target, kind, a.body)
		}
		i.eventually("the line", func() error {
			if line := fmt.Sprintf("%d %s ", status, target); !strings.Contains(i.printed(), line) {
				return fmt.Errorf("no %q", line)
			}
			return nil
		})
	}
}

// The page shows what went wrong, and nothing that a client could put into it.
func TestErrorPagesEscapeWhatClientsSend(t *testing.T) {
	t.Parallel()
	addr := freePort(t)
	start(t, strings.Replace(mockConf(addr, "x"), `path = "/"`, `path = "/only"`, 1))
	a := mustGet(t, addr, "/<script>alert(1)</script>", 400)
	if strings.Contains(string(a.body), "<script>") {
		t.Errorf("body %s", a.body)
	}
	a = mustGet(t, addr, "/%3Cscript%3E\"&quot=1", 400)
	if strings.Contains(string(a.body), "<script") {
		t.Errorf("body %s", a.body)
	}
}

func TestUnresolvableNamesAndUnknownTagsOnlyWarn(t *testing.T) {
	t.Parallel()
	addr := freePort(t)
	b := newBackend(t, "app")
	conf := proxyConf(addr, b.addr, `
[locations.lost]
path = "/lost"
upstream = "lost"
[upstreams.lost]
addrs = ["no-such-host.invalid:80"]
`)
	conf = strings.Replace(conf, `locations = ["all"]`, `locations = ["all", "lost"]`, 1)
	i := start(t, insert(conf, "servers.web", `access_log = "stdout {nonsense}[{status}]"`))
	mustGet(t, addr, "/", 200)
	if a := mustGet(t, addr, "/lost", 503); len(a.body) == 0 {
		t.Error("no error page")
	}
	i.eventually("the line without the tag", func() error {
		if !strings.Contains(i.printed(), "\n[200]\n") {
			return fmt.Errorf("printed %q", tail(i.printed(), 400))
		}
		return nil
	})
	r := command(t, i.dir, "-c", i.conf, "-t")
	if r.code != 0 {
		t.Errorf("-t: %s", r.all())
	}
	contains(t, r.stderr, "warning: ", "nonsense")
}

func TestWhoIsBelievedAboutClientAddresses(t *testing.T) {
	t.Parallel()
	b := newBackend(t, "app")
	for _, c := range []struct{ name, trusted, forwarded, client string }{
		{"nobody without trusted_proxies", ``, "9.9.9.9", "127.0.0.1"},
		{"a proxy that is not in the list", `["10.0.0.0/8"]`, "9.9.9.9", "127.0.0.1"},
		{"the rightmost entry that is not trusted", `["127.0.0.0/8", "10.0.0.0/8"]`, "6.6.6.6, 9.9.9.9, 10.1.2.3", "9.9.9.9"},
	} {
		addr := freePort(t)
		conf := loggedConf(addr, b.addr, "stdout {client_ip} {remote}")
		if c.trusted != "" {
			conf += "\n[basic]\ntrusted_proxies = " + c.trusted + "\n"
		}
		i := start(t, conf)
		mustGet(t, addr, "/", 200, "X-Forwarded-For: "+c.forwarded)
		i.eventually(c.name, func() error {
			if line := c.client + " 127.0.0.1\n"; !strings.Contains(i.printed(), line) {
				return fmt.Errorf("no %q in %q", line, tail(i.printed(), 300))
			}
			return nil
		})
	}
}

// guarded is a configuration in which /admin needs a password and everything else does not.
func guarded(addr, backend string) string {
	conf := proxyConf(addr, backend, `
[locations.admin]
path = "/admin"
upstream = "app"
plugins = ["staff"]
[plugins.staff]
category = "basic_auth"
authorizations = ["YWxpY2U6d29uZGVybGFuZA=="]
`)
	return strings.Replace(conf, `locations = ["all"]`, `locations = ["all", "admin"]`, 1)
}

func TestNoSpellingOfAPathEvadesALocation(t *testing.T) {
	t.Parallel()
	b := newBackend(t, "app")
	addr := freePort(t)
	i := start(t, guarded(addr, b.addr))
	spellings := []string{"/admin", "//admin", "/%61dmin", "/./admin", "/x/../admin", "/x/%2e%2e/admin", "/admin/", "///x/..//%61%64min/y"}
	for _, s := range spellings {
		if a := mustGet(t, addr, s, 401); a.header.Get("X-Got") != "" {
			t.Errorf("%s reached the backend", s)
		}
	}
	a := mustGet(t, addr, "//a/../b//c", 200)
	if got := a.header.Get("X-Got"); got != "GET //a/../b//c 0" {
		t.Errorf("the path was not forwarded as it came: %q", got)
	}
	i.change(insert(guarded(addr, b.addr), "servers.web", `path_matching = "raw"`))
	mustGet(t, addr, "/admin", 401)
	mustGet(t, addr, "//admin", 200) // as the original does it
}

func TestHeaderVariablesMayBeWrittenWithUnderscores(t *testing.T) {
	t.Parallel()
	b := newBackend(t, "app")
	addr := freePort(t)
	start(t, insert(proxyConf(addr, b.addr), "locations.all",
		`proxy_set_headers = ["X-Probe: $http_x_some-thing"]`+"\n"+`proxy_add_headers = ["X-Test: $http_user_agent"]`))
	a := mustGet(t, addr, "/", 200, "User-Agent: probe/1", "X-Some-Thing: found")
	if a.header.Get("Got-X-Test") != "probe/1" || a.header.Get("Got-X-Probe") != "found" {
		t.Errorf("%v", a.header)
	}
}

func TestHostsOfEveryForm(t *testing.T) {
	t.Parallel()
	addr := freePort(t)
	start(t, insert(mockConf(addr, "six"), "locations.all", `host = "[::1],a.test"`))
	for request, status := range map[string]int{
		"GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n":                                           200,
		"GET / HTTP/1.1\r\nHost: A.Test\r\n\r\n":                                               200,
		"GET http://a.test/ HTTP/1.1\r\nHost: other.test\r\n\r\n":                              200, // RFC 9112, 3.2.2
		"GET http://other.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n":                              404,
		"GET / HTTP/1.1\r\nHost: a.test\r\nHost: a.test\r\n\r\n":                               400,
		"GET / HTTP/1.1\r\n\r\n":                                                               400,
		"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n":                                                 400,
		"GET / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1, 1\r\n\r\nx":                      400,
		"POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: x\r\n\r\n":                      400,
		"POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n": 501,
		"GET / HTTP/1.1\r\nHost : a.test\r\n\r\n":                                              400,
		"GET / HTTP/3.0\r\nHost: a.test\r\n\r\n":                                               505,
		"GET  / HTTP/1.1\r\nHost: a.test\r\n\r\n":                                              400,
		"GET / HTTP/1.1\nHost: a.test\n\n":                                                     400,
		"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: +1\r\n\r\nx":                       400,
		"GET / HTTP/1.1\r\nHost: a.test\r\nX: a\r\n b\r\n\r\n":                                 400,
		"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: -1\r\n\r\nxyz1":                    400,
	} {
		a, err := fetch(addr, request)
		if err != nil || a.status != status {
			t.Errorf("%q: %+v, %v, want status %d", request, a, err, status)
		}
	}
}

func TestKeysWithoutEffectLoadWithAWarning(t *testing.T) {
	t.Parallel()
	dir := workDir(t)
	write(t, dir+"/pingap.toml", `[basic]
upgrade_sock = "/tmp/pingap_upgrade.sock"
work_stealing = false
listener_tasks_per_fd = 2
cache_directory = "/tmp/cache"
[servers.web]
addr = "127.0.0.1:0"
threads = 4
[certificates.a]
tls_chain = "old"
`)
	r := command(t, dir, "-c", "pingap.toml", "-t", "--strict")
	if r.code != 0 {
		t.Errorf("-t: %s", r.all())
	}
	for _, key := range []string{"upgrade_sock", "work_stealing", "work_stealing", "listener_tasks_per_fd", "servers.web.threads"} {
		contains(t, r.stderr, key+": accepted, but without effect")
	}
}

// The log level goes up and comes back without a restart.
func TestTheLogLevelIsHotInBothDirections(t *testing.T) {
	t.Parallel()
	addr := freePort(t)
	b := newBackend(t, "app")
	conf := func(level string) string {
		return loggedConf(addr, b.addr, "{uri}") + "\n[basic]\nlog_level = \"" + level + "\"\n"
	}
	i := start(t, conf("info"))
	logged := func(target string) error {
		mustGet(t, addr, target, 200)
		return within(2*time.Second, func() error {
			if !strings.Contains(i.printed(), target) {
				return io.EOF
			}
			return nil
		})
	}
	if err := logged("/first"); err != nil {
		t.Error("lines without a target are not in the application log")
	}
	i.change(conf("error"))
	if err := logged("/second"); err == nil {
		t.Error("an INFO line at level error")
	}
	i.change(conf("info"))
	if err := logged("/third"); err != nil {
		t.Error("the level did not come back")
	}
}

// What changes the order of the locations is in effect with the reload that changes it.
func TestWeightAndHostOfALocationAreHot(t *testing.T) {
	t.Parallel()
	addr := freePort(t)
	conf := fmt.Sprintf(`
[servers.web]
addr = %q
locations = ["a", "b"]
[locations.a]
path = "/"
plugins = ["a"]
[locations.b]
path = "/"
plugins = ["b"]
[plugins.a]
category = "mock"
data = "a"
[plugins.b]
category = "mock"
data = "b"
`, addr)
	i := start(t, conf)
	for _, c := range []struct{ keys, host, body string }{
		{"", "x.test", "a"}, {"weight = 5", "x.test", "b"}, {`host = "h.test"`, "h.test", "b"}, {`host = "h.test"`, "x.test", "a"},
	} {
		write(t, i.conf, insert(conf, "locations.b", c.keys))
		i.reload()
		if a := mustGet(t, addr, "/", 200, "Host: "+c.host); string(a.body) != c.body {
			t.Errorf("with %q host %s reaches %s", c.keys, c.host, a.body)
		}
	}
}

// Until TLS to backends is built, what was meant to be encrypted is not sent at all.
func TestUpstreamsWithTLSGetNothingInPlainText(t *testing.T) {
	t.Parallel()
	b := newBackend(t, "app")
	addr := freePort(t)
	i := start(t, insert(proxyConf(addr, b.addr), "upstreams.app", `sni = "secret.test"`))
	mustGet(t, addr, "/", 502)
	if n := b.requests.Load(); n != 0 {
		t.Errorf("%d requests in plain text", n)
	}
	i.eventually("the reason in the log", func() error {
		if !strings.Contains(read(t, i.output), "first record does not look like a TLS handshake") {
			return errors.New("no line yet")
		}
		return nil
	})
}
