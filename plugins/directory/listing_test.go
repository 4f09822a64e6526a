package directory

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pingap/plugins/plugintest"
)

func TestAListing(t *testing.T) {
	root := tree(t, map[string]string{"sub/z dir/": "", "sub/b.txt": "12345", "sub/a<&\"'>.html": "", "sub/100% é?#": "", "sub/.hidden": "", "sub/index.html": "page", "top": ""})
	must(t, os.Chtimes(filepath.Join(root, "sub/z dir"), changed, changed))
	x := instance(t, root, "autoindex = true\nmax_age = \"1h\"\nheaders = [\"X-A: b\", \"Content-Encoding: gzip\"]")
	a, body := ask(t, x, "GET /sub/")
	const date = "2024-02-29 12:30:45"
	want := "<tr><td><a href=\"../\">../</a></td><td></td><td></td></tr>\n" +
		"<tr><td><a href=\"./z%20dir/\">z dir/</a></td><td></td><td>" + date + "</td></tr>\n" +
		"<tr><td><a href=\"./100%25%20%C3%A9%3F%23\">100% é?#</a></td><td>0</td><td>" + date + "</td></tr>\n" +
		"<tr><td><a href=\"./a%3C%26%22%27%3E.html\">a&lt;&amp;&#34;&#39;&gt;.html</a></td><td>0</td><td>" + date + "</td></tr>\n" +
		"<tr><td><a href=\"./b.txt\">b.txt</a></td><td>5</td><td>" + date + "</td></tr>\n" +
		"<tr><td><a href=\"./index.html\">index.html</a></td><td>4</td><td>" + date + "</td></tr>\n"
	_, rows, _ := strings.Cut(body, "<tbody>\n")
	rows, _, _ = strings.Cut(rows, "</tbody>")
	if a.Status != 200 || rows != want || !strings.Contains(body, "<h1>Index of /sub/</h1>") {
		t.Errorf("%d\n%swant\n%s", a.Status, rows, want)
	}
	fields := "Content-Type: text/html; charset=utf-8\nX-Content-Type-Options: nosniff\nContent-Security-Policy: default-src 'none'; style-src 'unsafe-inline'\nX-A: b\nCache-Control: private, no-cache\n"
	if got := plugintest.FieldText(a.Fields); got != fields {
		t.Errorf("fields\n%s", got)
	}
	if _, body := ask(t, x, "GET /"); strings.Contains(body, "../") {
		t.Error("the top has a parent")
	}
	for _, path := range []string{"/none/", "/top/", "/sub/.hidden/"} {
		if a, _ := ask(t, x, "GET "+path); a.Status != 404 {
			t.Errorf("%s: %d", path, a.Status)
		}
	}
	// What is listed is there.
	for _, path := range []string{"/sub/100%25%20%C3%A9%3F%23", "/sub/a%3C%26%22%27%3E.html", "/sub/z%20dir/", "/top"} {
		if a, _ := ask(t, x, "GET "+path); a.Status != 200 {
			t.Errorf("%s: %d", path, a.Status)
		}
	}
}

func TestListingsAreBounded(t *testing.T) {
	root := t.TempDir()
	for i := range maxListed + 1 {
		must(t, os.WriteFile(filepath.Join(root, fmt.Sprint(i)), nil, 0o644))
	}
	x := instance(t, root, "autoindex = true")
	_, body := ask(t, x, "GET /")
	if n := strings.Count(body, "<tr><td>"); n != maxListed || !strings.Contains(body, "not all are shown") {
		t.Errorf("%d entries", n)
	}
	must(t, os.Remove(filepath.Join(root, "7")))
	if _, body := ask(t, x, "GET /"); strings.Count(body, "<tr><td>") != maxListed || strings.Contains(body, "not all are shown") {
		t.Error("what is all is said to be less")
	}
}
