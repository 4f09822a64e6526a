package e2e

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// packed is a body in gzip.
func packed(r *readme, text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := io.WriteString(z, text)
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		r.Fatal(err)
	}
	return b.String()
}

func unpacked(r *readme, body []byte) string {
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		r.Errorf("%v in %q", err, tail(string(body), 100))
		return ""
	}
	text, err := io.ReadAll(z)
	if err != nil {
		r.Error(err)
	}
	return string(text)
}

func exampleCompression(r *readme) {
	text := strings.Repeat("again and again ", 200)
	post := func(fields ...string) question { return question{method: "POST", body: text, fields: fields} }
	a := r.passes(post("Accept-Encoding: gzip", tellField+`: ETag: "v1"`)).field("Content-Encoding", "^gzip$").field("ETag", `^W/"v1"$`).
		field("Vary", "Accept-Encoding").field("Content-Length", "")
	if got := unpacked(r, a.body); got != text || len(a.body) > len(text)/4 {
		r.Errorf("%d bytes became %d, and %d when unpacked", len(text), len(a.body), len(got))
	}
	for accept, encoding := range map[string]string{"gzip, deflate, br, zstd": "^zstd$", "gzip, br;q=0.9": "^gzip$", "br, zstd;q=0": "^br$", "deflate": "", "identity, gzip;q=0.1": ""} {
		r.passes(post("Accept-Encoding: "+accept)).field("Content-Encoding", encoding)
	}
	r.passes(post()).field("Content-Encoding", "").field("Vary", "Accept-Encoding").text("^again")
	r.passes(question{method: "POST", body: "short", fields: []string{"Accept-Encoding: gzip"}}).field("Content-Encoding", "").text("^short$")
	r.passes(question{method: "POST", body: packed(r, text), fields: []string{tellField + ": Content-Encoding: gzip"}}).field("Content-Encoding", "").text("^again and again")
	a = r.passes(question{fields: []string{"Accept-Encoding: gzip", tellBody + ": " + strings.TrimSpace(text)}})
	if a.status == 101 { // nothing is done to a tunnel
		a.field("Content-Encoding", "")
	} else if got := unpacked(r, a.body); got != strings.TrimSpace(text) {
		r.Errorf("%d bytes came back", len(got))
	}
}

func prepareDirectory(r *readme, example string) string {
	dir := workDir(r.T)
	for name, text := range map[string]string{"index.html": "<p>start", "style.css": "p { color: red }", "style.css.br": "in brotli", ".secret": "hidden"} {
		write(r.T, filepath.Join(dir, name), text)
	}
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o755); err != nil {
		r.Fatal(err)
	}
	write(r.T, filepath.Join(dir, "sub", "index.html"), "<p>below")
	return replaced(r, example, "/var/www", dir)
}

func exampleDirectory(r *readme) {
	style := r.answers(question{path: "/static/style.css?v=2"}, 200).text("^p { color: red }$").field("Content-Type", "^text/css; charset=utf-8$").
		field("Cache-Control", "^public, max-age=3600$").field("X-Content-Type-Options", "^nosniff$").field("Accept-Ranges", "^bytes$").field("Vary", "Accept-Encoding")
	r.answers(question{path: "/static/style.css", fields: []string{"If-None-Match: " + style.header.Get("ETag")}}, 304)
	r.answers(question{path: "/static/style.css", fields: []string{"Range: bytes=4-8"}}, 206).text("^color$").field("Content-Range", "^bytes 4-8/16$")
	r.answers(question{path: "/static/style.css", fields: []string{"Range: bytes=100-"}}, 416).field("Content-Range", `^bytes \*/16$`)
	r.answers(question{path: "/static/style.css", fields: []string{"Accept-Encoding: br"}}, 200).text("^in brotli$").field("Content-Encoding", "^br$")
	r.answers(question{path: "/static/"}, 200).text("start")
	r.answers(question{path: "/static/sub/"}, 200).text("below")
	r.answers(question{path: "/static/sub"}, 301)
	r.answers(question{path: "/static/.secret"}, 404)
	r.answers(question{path: "/static/none"}, 404)
	r.answers(question{method: "POST", path: "/static/style.css", body: "x"}, 405).field("Allow", "GET")
	if a := r.reply(question{path: "/static/..%2f..%2fetc/passwd"}); a.seen != nil || a.status < 400 || a.status > 404 {
		r.Errorf("a path that leads out: status %d", a.status)
	}
	if a := r.answers(question{method: "HEAD", path: "/static/style.css"}, 200).field("Content-Length", "^16$"); len(a.body) > 0 {
		r.Errorf("HEAD: body %q", a.body)
	}
}
