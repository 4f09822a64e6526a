package protocols

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// curled is what came of one call: the body, and status and protocol version as "200 2".
type curled struct {
	outcome
	body, status string
}

func curl(t *testing.T, args ...string) curled {
	t.Helper()
	body := filepath.Join(t.TempDir(), "body")
	args = append([]string{"-sS", "--max-time", "20", "--noproxy", "*", "-o", body, "-w", "%{http_code} %{http_version}"}, args...)
	out := runTool(t, patience, nil, tool(t, "curl"), args...)
	text, _ := os.ReadFile(body) // not there when there was no answer
	return curled{out, string(text), out.text}
}

// TestCurl asks for the same things in all versions of HTTP and TLS.
func TestCurl(t *testing.T) {
	f := newFront(t, wish{Upstream: newBackend(t)})
	_, port, _ := strings.Cut(f.TLS, ":")
	file := filepath.Join(t.TempDir(), "upload")
	upload := make([]byte, 4<<20)
	rand.Read(upload)
	if err := os.WriteFile(file, upload, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		base   string
		flags  []string
		status string
	}{
		{"HTTP1", "http://" + f.Plain, []string{"--http1.1"}, "200 1.1"},
		{"PriorKnowledge", "http://" + f.Plain, []string{"--http2-prior-knowledge"}, "200 2"},
		{"Upgrade", "http://" + f.Plain, []string{"--http2"}, "200 2"},
		{"HTTP1OverTLS", "https://" + f.TLS, []string{"--cacert", f.CA, "--http1.1"}, "200 1.1"},
		{"HTTP2OverTLS", "https://" + f.TLS, []string{"--cacert", f.CA, "--http2"}, "200 2"},
		{"HTTP2OverTLS13", "https://" + f.TLS, []string{"--cacert", f.CA, "--tlsv1.3"}, "200 2"},
		{"HTTP2OverTLS12", "https://" + f.TLS, []string{"--cacert", f.CA, "--tls-max", "1.2"}, "200 2"},
		{"ByName", "https://localhost:" + port, []string{"--cacert", f.CA, "--ipv4"}, "200 2"},
		{"NoALPN", "https://" + f.TLS, []string{"--cacert", f.CA, "--no-alpn"}, "200 1.1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			switch c.name {
			case "Upgrade":
				refuses(t, nginx, haproxy)
			case "PriorKnowledge":
				refuses(t, nginx)
			}
			curlAll(t, c.base, c.status, c.flags, file, upload)
		})
	}
}

// curlAll makes every kind of request.
func curlAll(t *testing.T, base, status string, flags []string, file string, upload []byte) {
	call := func(args ...string) curled { return curl(t, append(flags, args...)...) }
	ok := func(name string, got curled, good bool) {
		t.Helper()
		if got.status != status || !good {
			t.Errorf("%s: %s, want %s; %d bytes: %s", name, got.status, status, len(got.body), tail(got.text+got.body, 500))
		}
	}
	got := call("-H", "X-Test: a", base+"/fields?a=b")
	ok("fields", got, strings.Contains(got.body, "GET /fields?a=b HTTP/1.1") && strings.Contains(got.body, "X-Test: a"))
	got = call(base + "/bytes/8388608")
	ok("download", got, got.body == strings.Repeat("x", 8<<20))
	got = call("-I", base+"/bytes/1000")
	ok("head", got, strings.Contains(strings.ToLower(got.body), "content-length: 1000"))
	got = call("-D", "-", base+"/trailers")
	if !strings.Contains(strings.ToLower(got.text), "x-sum: 42") || got.body != "with a trailer\n" {
		t.Errorf("trailers: %s%s", got.text, got.body)
	}
	got = call("--data-binary", "@"+file, base+"/echo")
	// An Upgrade that comes with a body may be ignored (RFC 9110, 7.8).
	if got.status == "200 1.1" {
		got.status = status
	}
	ok("upload", got, bytes.Equal([]byte(got.body), upload))
}

// TestCurlParallel has many requests at once on one connection.
func TestCurlParallel(t *testing.T) {
	f := newFront(t, wish{Upstream: newBackend(t)})
	const requests = 60
	out := runTool(t, patience, nil, tool(t, "curl"), "-sS", "--noproxy", "*", "--cacert", f.CA, "--parallel", "--parallel-max", "60",
		"--http2", "-o", filepath.Join(t.TempDir(), "#1"), "-w", "%{http_code} %{http_version} %{size_download} %{num_connects}\n",
		fmt.Sprintf("https://%s/bytes/10000?n=[1-%d]", f.TLS, requests))
	if n := strings.Count(out.text, "200 2 10000 "); n != requests || out.code != 0 {
		t.Errorf("%d of %d answers:\n%s", n, requests, tail(out.text, 3000))
	}
	if n := strings.Count(out.text, "200 2 10000 0\n"); n < requests/2 {
		t.Errorf("only %d of %d requests used the connection of another", n, requests)
	}
}

// What does not belong to the listener has a defined end.
func TestCurlIsRefused(t *testing.T) {
	f := newFront(t, wish{Upstream: newBackend(t)})
	t.Run("TLS11", func(t *testing.T) {
		got := curl(t, "--cacert", f.CA, "--tlsv1.0", "--tls-max", "1.1", "--ciphers", "DEFAULT@SECLEVEL=0", "https://"+f.TLS+"/")
		if got.code != 35 { // CURLE_SSL_CONNECT_ERROR
			t.Errorf("exit code %d: %s", got.code, got.text)
		}
	})
	t.Run("PlainHTTPToTLS", func(t *testing.T) {
		refuses(t, haproxy)
		got := curl(t, "http://"+f.TLS+"/")
		if !strings.HasPrefix(got.status, "400 1") || got.body == "" {
			t.Errorf("%s: %s", got.status, got.body)
		}
	})
	t.Run("AnotherCA", func(t *testing.T) {
		_, _, ca, err := makeCertificates(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		if got := curl(t, "--cacert", ca, "https://"+f.TLS+"/"); got.code != 60 { // CURLE_PEER_FAILED_VERIFICATION
			t.Errorf("exit code %d: %s", got.code, got.text)
		}
	})
}
