package web

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"strings"
	"testing"
)

// budget is how long all files of the panel may be together, compressed.
const budget = 200 << 10

func newHandler(t *testing.T) *Handler {
	t.Helper()
	h, err := New()
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func ask(h http.Handler, method, path string, fields ...string) *http.Response {
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i+1 < len(fields); i += 2 {
		r.Header.Set(fields[i], fields[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func TestThePageIsAskedForEachTimeAndItsPartsAreKept(t *testing.T) {
	h := newHandler(t)
	page := ask(h, "GET", "/")
	body, _ := io.ReadAll(page.Body)
	if page.StatusCode != 200 || page.Header.Get("Cache-Control") != "private, no-cache" || !strings.HasPrefix(page.Header.Get("Content-Type"), "text/html") {
		t.Fatalf("GET / answers %d with %v", page.StatusCode, page.Header)
	}
	parts := regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllSubmatch(body, -1)
	if len(parts) < 2 {
		t.Fatalf("the page names %d parts: %s", len(parts), body)
	}
	for _, p := range parts {
		ref := string(p[1])
		if !strings.HasPrefix(ref, "./assets/") {
			t.Errorf("the page names %q: not relative, or not an asset", ref)
			continue
		}
		part := ask(h, "GET", strings.TrimPrefix(ref, "."))
		if part.StatusCode != 200 || !strings.Contains(part.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s answers %d, %v", ref, part.StatusCode, part.Header)
		}
	}
}

func TestThePolicyAllowsNothingInlineAndThePageHasNothingInline(t *testing.T) {
	h := newHandler(t)
	page := ask(h, "GET", "/index.html")
	csp := page.Header.Get("Content-Security-Policy")
	if !strings.Contains(csp, "default-src 'self'") || strings.Contains(csp, "unsafe") {
		t.Errorf("the policy is %q", csp)
	}
	body, _ := io.ReadAll(page.Body)
	if found := regexp.MustCompile(`(?i)<script[^>]*>[^<]|<style|\son\w+=|\sstyle=`).Find(body); found != nil {
		t.Errorf("the page has inline code that the policy forbids: %s", found)
	}
}

// Names of XML vocabularies are no requests; nothing else may look like another host.
func TestNothingNamesAnotherHost(t *testing.T) {
	allowed := regexp.MustCompile(`^https?://(www\.w3\.org/|127\.0\.0\.1|localhost|[a-z0-9.-]*\.?example(\.com|\.org)?\b)`)
	for name, f := range newHandler(t).files {
		for _, u := range regexp.MustCompile("https?://[A-Za-z0-9.-]+[^\\s\"'`)<>]*").FindAll(f.text, -1) {
			if !allowed.Match(u) {
				t.Errorf("%s names %s", name, u)
			}
		}
	}
}

func TestFilesAreCompressedForThoseWhoTakeIt(t *testing.T) {
	h := newHandler(t)
	var script string
	for name, f := range h.files {
		if path.Ext(name) == ".js" && len(f.text) > compressFrom {
			script = name
		}
	}
	for _, c := range []struct {
		accept string
		zipped bool
	}{{"", false}, {"gzip", true}, {"br, gzip;q=0.5", true}, {"gzip;q=0", false}, {"*", true}, {"*;q=0", false}, {"gzip;q=0, *", false}, {"GZIP", true}, {";;,", false}, {"gzip;q=x", false}} {
		answer := ask(h, "GET", "/"+script, "Accept-Encoding", c.accept)
		body, _ := io.ReadAll(answer.Body)
		if zipped := answer.Header.Get("Content-Encoding") == "gzip"; zipped != c.zipped {
			t.Errorf("Accept-Encoding %q: compressed is %v", c.accept, zipped)
			continue
		}
		if c.zipped {
			z, err := gzip.NewReader(bytes.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			body, _ = io.ReadAll(z)
		}
		if !bytes.Equal(body, h.files[script].text) {
			t.Errorf("Accept-Encoding %q: the body is not the file", c.accept)
		}
	}
}

func TestAClientThatHasItGetsNoBody(t *testing.T) {
	h := newHandler(t)
	tag := ask(h, "GET", "/").Header.Get("ETag")
	zipped := ask(h, "GET", "/", "Accept-Encoding", "gzip").Header.Get("ETag")
	for _, c := range []struct {
		have, accept string
		status       int
	}{{tag, "", 304}, {"W/" + tag, "", 304}, {`"x", ` + tag, "", 304}, {"*", "", 304}, {`"x"`, "", 200}, {"", "", 200}, {zipped, "gzip", 304}} {
		if got := ask(h, "GET", "/", "If-None-Match", c.have, "Accept-Encoding", c.accept); got.StatusCode != c.status {
			t.Errorf("If-None-Match %s: %d, not %d", c.have, got.StatusCode, c.status)
		}
	}
}

func TestWhatIsNotThereIsNotFound(t *testing.T) {
	h := newHandler(t)
	for _, path := range []string{"/x.js", "/dist/index.html", "/assets", "/assets/", "/../embed.go", "/index.html/"} {
		r := httptest.NewRequest("GET", "/", nil)
		r.URL.Path = path
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != 404 {
			t.Errorf("%s answers %d", path, w.Code)
		}
	}
	if got := ask(h, "POST", "/"); got.StatusCode != 405 || got.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("POST answers %d", got.StatusCode)
	}
	if got := ask(h, "HEAD", "/"); got.StatusCode != 200 || got.Header.Get("Content-Length") == "" {
		t.Errorf("HEAD answers %d", got.StatusCode)
	}
}

func TestAllFilesTogetherStayWithinTheBudget(t *testing.T) {
	sum := 0
	for name, f := range newHandler(t).files {
		n := len(f.text)
		if z := f.compressed(); z != nil {
			n = len(z)
		}
		sum += n
		if f.kind == "application/octet-stream" {
			t.Errorf("%s is of no known kind", name)
		}
	}
	t.Logf("%d bytes of %d", sum, budget)
	if sum > budget {
		t.Errorf("the panel has %d bytes compressed, at most %d", sum, budget)
	}
}
