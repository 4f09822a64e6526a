package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// filesConf serves root below /static, and a listing of it below /list.
func filesConf(addr, root string) string {
	return fmt.Sprintf(`
[plugins.files]
category = "directory"
path = %q
max_age = "1h"
precompressed = ["gzip"]

[plugins.list]
category = "directory"
path = %q
autoindex = true

[locations.files]
path = "/static"
rewrite = "^/static/ /"
plugins = ["files"]

[locations.list]
path = "/list"
rewrite = "^/list/ /"
plugins = ["list"]

[servers.web]
addr = %q
locations = ["files", "list"]
`, root, root, addr)
}

// siteFiles makes the files of a site, readable for the workers' user.
func siteFiles(t *testing.T) string {
	t.Helper()
	root := filepath.Join(workDir(t), "site")
	for name, text := range map[string]string{
		"site/index.html": "<p>top</p>", "site/a.css": "body{}", "site/a.css.gz": "packed", "site/docs/index.html": "<p>docs</p>", "site/.env": "secret", "secret": "secret",
		"site/big.bin": strings.Repeat("0123456789abcdef", 1<<16),
	} {
		path := filepath.Join(filepath.Dir(root), name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, path, text)
		if err := os.Chmod(path, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("../secret", filepath.Join(root, "link")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(root, "pipe"), 0o644); err != nil {
		t.Fatal(err)
	}
	return root
}

func TestADirectoryIsServed(t *testing.T) {
	root, addr := siteFiles(t), freePort(t)
	start(t, filesConf(addr, root))
	big, err := os.ReadFile(filepath.Join(root, "big.bin"))
	if err != nil {
		t.Fatal(err)
	}
	c := dial(t, addr)
	cases := []struct {
		request string
		status  int
		body    string
		fields  string // "Name: value" that must be there
	}{
		{get("/static/"), 200, "<p>top</p>", "Content-Type: text/html\nCache-Control: private, no-cache"},
		{get("/static/docs/"), 200, "<p>docs</p>", ""},
		{get("/static/docs?x=y"), 301, "", "Location: ./docs/?x=y"},
		{get("/static/a.css"), 200, "body{}", "Content-Type: text/css\nCache-Control: public, max-age=3600\nVary: Accept-Encoding\nContent-Length: 6"},
		{get("/static/a.css", "Accept-Encoding: gzip"), 200, "packed", "Content-Type: text/css\nContent-Encoding: gzip"},
		{send("HEAD", "/static/a.css", ""), 200, "", "Content-Length: 6\nAccept-Ranges: bytes"},
		{get("/static/big.bin"), 200, string(big), "Content-Type: application/octet-stream"},
		{get("/static/big.bin", "Range: bytes=5-1000004"), 206, string(big[5:1000005]), "Content-Range: bytes 5-1000004/1048576\nContent-Length: 1000000"},
		{get("/static/big.bin", "Range: bytes=-3"), 206, "def", "Content-Range: bytes 1048573-1048575/1048576"},
		{get("/static/big.bin", "Range: bytes=2000000-"), 416, "", "Content-Range: bytes */1048576"},
		{get("/static/a.css", "If-None-Match: *"), 304, "", "Cache-Control: public, max-age=3600"},
		{get("/static/a.css", "If-Match: \"x\""), 412, "", ""},
		{get("/static/none"), 404, "Not Found", ""},
		{get("/static/.env"), 404, "Not Found", ""},
		{get("/static/pipe"), 404, "Not Found", ""},
		{get("/static/%2fetc/passwd"), 404, "Not Found", ""},
		{get("/static/..%2f..%2fsecret"), 404, "Not Found", ""},
		{get("/static/link"), 403, "You do not have permission to access this resource, file: /link", ""},
		{send("DELETE", "/static/a.css", ""), 405, "Method Not Allowed", "Allow: GET, HEAD"},
	}
	for _, k := range cases {
		line, _, _ := strings.Cut(k.request, "\r\n")
		a, err := c.do(k.request)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if a.status != k.status || string(a.body) != k.body {
			t.Errorf("%s: %d, %d bytes %.60q, want %d", line, a.status, len(a.body), a.body, k.status)
		}
		for field := range strings.Lines(k.fields) {
			name, value, _ := strings.Cut(strings.TrimSpace(field), ": ")
			if got := a.header.Get(name); got != value {
				t.Errorf("%s: %s is %q, want %q", line, name, got, value)
			}
		}
	}
	a, err := c.do(get("/list/"))
	if err != nil || a.status != 200 || !bytes.Contains(a.body, []byte(`<a href="./docs/">docs/</a>`)) || bytes.Contains(a.body, []byte("pipe")) || bytes.Contains(a.body, []byte(".env")) {
		t.Errorf("listing: %v %d\n%s", err, a.status, a.body)
	}
}

// A client that comes again with what it was given gets nothing anew, and after a change everything.
func TestAFileThatChangesIsSentAnew(t *testing.T) {
	root, addr := siteFiles(t), freePort(t)
	start(t, filesConf(addr, root))
	first := mustGet(t, addr, "/static/a.css", 200)
	tag, date := "If-None-Match: "+first.header.Get("ETag"), "If-Modified-Since: "+first.header.Get("Last-Modified")
	mustGet(t, addr, "/static/a.css", 304, tag)
	mustGet(t, addr, "/static/a.css", 304, date)
	path := filepath.Join(root, "a.css")
	write(t, path, "html{}") // of the same length
	now := time.Now().Add(2 * time.Second)
	if err := os.Chtimes(path, now, now); err != nil {
		t.Fatal(err)
	}
	if a := mustGet(t, addr, "/static/a.css", 200, tag); string(a.body) != "html{}" {
		t.Errorf("body %q", a.body)
	}
	if a := mustGet(t, addr, "/static/a.css", 200, "Range: bytes=0-1", "If-Range: "+first.header.Get("ETag")); string(a.body) != "html{}" {
		t.Errorf("a part of another version: %q", a.body)
	}
}
