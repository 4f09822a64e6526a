package e2e

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// behind starts pingap in front of a backend that nobody here wrote.
func behind(t *testing.T, backend string) (*instance, string) {
	t.Helper()
	addr := freePort(t)
	conf := insert(proxyConf(addr, backend), "locations.all", "enable_reverse_proxy_headers = true\nplugins = [\"pingap:requestId\"]")
	return start(t, conf), addr
}

func TestHTTPBin(t *testing.T) {
	t.Parallel()
	bin := newHTTPBin(t)
	_, addr := behind(t, bin)
	for name, check := range map[string]func(t *testing.T, addr string){
		"Get": func(t *testing.T, addr string) {
			a := mustGet(t, addr, "/get?a=1&b=x%20y", 200, "X-Test: one", "X-Test: two")
			text := string(a.body)
			contains(t, text, `"x y"`, `"one",`, `"two"`, `"X-Forwarded-For"`, `"127.0.0.1"`)
			if a.header.Get("X-Request-Id") == "" {
				t.Error("no request id")
			}
		},
		"Post": func(t *testing.T, addr string) {
			a, err := fetch(addr, send("POST", "/post", `{"k":"v"}`, "Content-Type: application/json"))
			if err != nil || a.status != 200 {
				t.Fatalf("%+v, %v", a, err)
			}
			contains(t, string(a.body), `"k": "v"`)
		},
		"PostChunked": func(t *testing.T, addr string) {
			a, err := fetch(addr, chunked("POST", "/post", "hello ", "chunked ", "world"))
			if err != nil || a.status != 200 {
				t.Fatalf("%+v, %v", a, err)
			}
			contains(t, string(a.body), base64Of("hello chunked world"))
		},
		"Gzip": func(t *testing.T, addr string) {
			a := mustGet(t, addr, "/gzip", 200, "Accept-Encoding: gzip")
			z, err := gzip.NewReader(bytes.NewReader(a.body))
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(z)
			if err != nil || !bytes.Contains(text, []byte(`"gzipped": true`)) {
				t.Errorf("%q, %v", text, err)
			}
		},
		"Stream": func(t *testing.T, addr string) {
			a := mustGet(t, addr, "/stream/20", 200)
			if n := bytes.Count(a.body, []byte("\n")); n != 20 {
				t.Errorf("%d lines", n)
			}
		},
		"Drip":        func(t *testing.T, addr string) { drip(t, addr) },
		"StatusCodes": func(t *testing.T, addr string) { statusCodes(t, addr) },
		"Redirect":    func(t *testing.T, addr string) { redirects(t, addr) },
		"Bytes":       func(t *testing.T, addr string) { sameBytes(t, bin, addr, "/bytes/100000?seed=7") },
		"StreamedBytes": func(t *testing.T, addr string) {
			sameBytes(t, bin, addr, "/stream-bytes/100000?seed=7&chunk_size=1000")
		},
		"Range":          func(t *testing.T, addr string) { sameBytes(t, bin, addr, "/range/2000000") },
		"Head":           func(t *testing.T, addr string) { head(t, addr) },
		"CookiesAndAuth": func(t *testing.T, addr string) { cookies(t, addr) },
		"UploadOfMiB":    func(t *testing.T, addr string) { upload(t, addr) },
		"Trailers": func(t *testing.T, addr string) {
			a, err := fetch(addr, get("/trailers?X-Sum=abc", "TE: trailers"))
			if err != nil || a.status != 200 {
				t.Fatalf("%+v, %v", a, err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) { check(t, addr) })
	}
}

func base64Of(text string) string {
	encoded, _ := json.Marshal([]byte(text))
	return strings.Trim(string(encoded), `"`)
}

// drip is a body whose bytes come one by one.
func drip(t *testing.T, addr string) {
	a, err := fetch(addr, get("/drip?duration=1s&numbytes=5&delay=0"))
	if err != nil || len(a.body) != 5 {
		t.Errorf("%+v, %v", a, err)
	}
}

func statusCodes(t *testing.T, addr string) {
	c := dial(t, addr)
	for _, code := range []int{200, 201, 202, 204, 206, 304, 400, 401, 404, 418, 429, 500, 502, 503} {
		a, err := c.do(get(fmt.Sprintf("/status/%d", code)))
		if err != nil || a.status != code {
			t.Fatalf("status %d: %+v, %v", code, a, err)
		}
		if (code == 204 || code == 304) && len(a.body) > 0 {
			t.Errorf("status %d has a body", code)
		}
	}
}

func redirects(t *testing.T, addr string) {
	for _, target := range []string{"/redirect/2", "/relative-redirect/2", "/absolute-redirect/2", "/redirect-to?url=http%3A%2F%2Fa.test%2F"} {
		if loc := mustGet(t, addr, target, 302).header.Get("Location"); loc == "" {
			t.Errorf("%s: no Location", target)
		}
	}
	// The client's Host reached the backend: absolute redirects lead back to where the client is.
	if loc := mustGet(t, addr, "/absolute-redirect/2", 302).header.Get("Location"); !strings.HasPrefix(loc, "http://e2e.test/") {
		t.Errorf("Location %q", loc)
	}
}

// sameBytes compares what comes through pingap with what the backend gives itself.
func sameBytes(t *testing.T, backend, addr, target string) {
	straight, err := fetch(backend, get(target))
	if err != nil {
		t.Fatal(err)
	}
	through := mustGet(t, addr, target, straight.status)
	if sha256.Sum256(straight.body) != sha256.Sum256(through.body) || len(through.body) < 1000 {
		t.Errorf("%s: %d bytes differ from the backend's %d", target, len(through.body), len(straight.body))
	}
}

func head(t *testing.T, addr string) {
	c := dial(t, addr)
	for range 3 {
		a, err := c.do("HEAD /bytes/5000 HTTP/1.1\r\nHost: e2e.test\r\n\r\n")
		if err != nil || a.status != 200 || len(a.body) != 0 {
			t.Fatalf("%+v, %v", a, err)
		}
	}
}

func cookies(t *testing.T, addr string) {
	contains(t, string(mustGet(t, addr, "/cookies", 200, "Cookie: a=1; b=2").body), `"a": "1"`, `"b": "2"`)
	if h := mustGet(t, addr, "/cookies/set?x=1&y=2", 302).header.Values("Set-Cookie"); len(h) != 2 {
		t.Errorf("Set-Cookie: %q", h)
	}
	mustGet(t, addr, "/basic-auth/alice/secret", 401)
	mustGet(t, addr, "/basic-auth/alice/secret", 200, "Authorization: Basic YWxpY2U6c2VjcmV0")
}

func upload(t *testing.T, addr string) {
	body := strings.Repeat("0123456789abcdef", 8<<16) // 8 MiB
	a, err := fetch(addr, send("POST", "/post", body, "Content-Type: text/plain"))
	if err != nil || a.status != 200 {
		t.Fatalf("%v", err)
	}
	var echo struct{ Data string }
	if err := json.Unmarshal(a.body, &echo); err != nil || echo.Data != body {
		t.Errorf("%d bytes came back, %v", len(echo.Data), err)
	}
}

// curl runs it, or skips the test where it is not installed. It prints the status last.
func curl(t *testing.T, args ...string) (body, status string) {
	t.Helper()
	path, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("curl is not installed")
	}
	cmd := exec.Command(path, append([]string{"-sS", "--max-time", "20", "--noproxy", "*", "-w", "\n%{http_code} %{http_version}"}, args...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("curl %q: %v: %s", args, err, out)
	}
	cut := bytes.LastIndexByte(out, '\n')
	return string(out[:cut]), string(out[cut+1:])
}

func TestCurl(t *testing.T) {
	t.Parallel()
	_, addr := behind(t, newHTTPBin(t))
	url := "http://" + addr
	dir := workDir(t)
	file := filepath.Join(dir, "upload")
	write(t, file, strings.Repeat("curl ", 100_000))
	for _, c := range []struct {
		name   string
		args   []string
		status string
		text   string
	}{
		{"Get", []string{url + "/get?x=1"}, "200 1.1", `"x": [`},
		{"HTTP10", []string{"--http1.0", url + "/get"}, "200 1.1", `"method": "GET"`},
		{"HTTP10Stream", []string{"--http1.0", url + "/stream/3"}, "200 1.1", `"id":2`},
		{"Form", []string{"-F", "f=@" + file, url + "/post"}, "200 1.1", "curl curl"},
		{"ChunkedUpload", []string{"-T", file, "-H", "Transfer-Encoding: chunked", "-H", "Content-Type: text/plain", "-X", "POST", url + "/post"}, "200 1.1", "curl curl"},
		{"ExpectContinue", []string{"-H", "Expect: 100-continue", "--data-binary", "@" + file, url + "/post"}, "200 1.1", "curl curl"},
		{"Compressed", []string{"--compressed", url + "/gzip"}, "200 1.1", `"gzipped": true`},
		{"FollowsRedirects", []string{"-L", url + "/relative-redirect/3"}, "200 1.1", `"url"`},
		{"Head", []string{"-I", url + "/get"}, "200 1.1", "Content-Type"},
	} {
		t.Run(c.name, func(t *testing.T) {
			body, status := curl(t, c.args...)
			if status != c.status {
				t.Errorf("status %s, want %s: %s", status, c.status, tail(body, 500))
			}
			if !strings.Contains(body, c.text) {
				t.Errorf("no %q in %s", c.text, tail(body, 500))
			}
		})
	}
}

func TestNginxAsUpstream(t *testing.T) {
	t.Parallel()
	big := strings.Repeat("a line of a large file\n", 100_000)
	nginx := newNginx(t, map[string]string{"index.html": "<p>nginx</p>\n", "big.txt": big})
	_, addr := behind(t, nginx)
	contains(t, string(mustGet(t, addr, "/", 200).body), "<p>nginx</p>")
	if a := mustGet(t, addr, "/big.txt", 200); string(a.body) != big {
		t.Errorf("%d bytes, want %d", len(a.body), len(big))
	}
	if a := mustGet(t, addr, "/big.txt", 206, "Range: bytes=23-45"); string(a.body) != "a line of a large file\n" {
		t.Errorf("range: %q", a.body)
	}
	etag := mustGet(t, addr, "/big.txt", 200).header.Get("ETag")
	mustGet(t, addr, "/big.txt", 304, "If-None-Match: "+etag)
	a := mustGet(t, addr, "/big.txt", 200, "Accept-Encoding: gzip")
	if z, err := gzip.NewReader(bytes.NewReader(a.body)); err != nil {
		t.Errorf("gzip: %v", err)
	} else if text, err := io.ReadAll(z); err != nil || string(text) != big {
		t.Errorf("gzip: %d bytes, %v", len(text), err)
	}
	mustGet(t, addr, "/missing", 404)
	mustGet(t, addr, "/teapot", 418)
	l := runLoad(t, addr, mix{clients: 4, request: always(get("/hello"))}, mix{clients: 4, fresh: true, request: always(get("/big.txt"))})
	l.progress(t, 200)
	l.mustBeClean(t)
}
