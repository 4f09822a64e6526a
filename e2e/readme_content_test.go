package e2e

import (
	"bytes"
	"compress/gzip"
	"fmt"
	pictures "image"
	"image/color"
	"image/jpeg"
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

func prepareCache(r *readme, example string) string {
	dir := workDir(r.T)
	if err := os.Chmod(dir, 0o777); err != nil { // the workers' user makes the store
		r.Fatal(err)
	}
	return replaced(r, example, "/var/cache/pingap?", filepath.Join(dir, "store")+"?")
}

func exampleCache(r *readme) {
	q := question{path: "/page?a=1", fields: []string{tellField + ": Cache-Control: max-age=60"}}
	r.passes(q)
	if r.tunnels {
		r.passes(q) // what asks for a tunnel is never answered from a store
		return
	}
	hit := func() reply {
		r.Helper()
		var a reply
		err := within(patience, func() error { // files are shared; a response is there a moment after its last byte
			if a = r.reply(q); a.seen != nil || a.status != 200 {
				return fmt.Errorf("not from the store: status %d, %v", a.status, a.header)
			}
			return nil
		})
		if err != nil {
			r.Fatal(err)
		}
		return a
	}
	hit().field("X-Cache", "^hit$").field("Age", `^\d+$`).field("Cache-Control", "^max-age=60$")
	r.answers(question{method: "HEAD", path: q.path}, 200).field("X-Cache", "^hit$")
	r.answers(question{method: "PURGE", path: q.path, fields: []string{from("203.0.113.9")}}, 403)
	hit()
	r.answers(question{method: "PURGE", path: q.path}, 204)
	r.passes(q).field("X-Cache", "^miss$").field("Age", "")
	hit()
	r.answers(question{method: "PURGE", path: "/*"}, 200).text("^purged: 1, fail: 0")
	r.passes(question{path: "/page", fields: []string{tellField + ": Cache-Control: no-store"}}).field("X-Cache", "^miss$")
	r.passes(question{path: "/page", fields: []string{tellField + ": Cache-Control: no-store"}}).field("X-Cache", "^miss$")
}

// examplePicture is a JPEG that gets smaller with the quality of the example.
func examplePicture(r *readme) string {
	m := pictures.NewRGBA(pictures.Rect(0, 0, 200, 200))
	for x := range 200 {
		for y := range 200 {
			m.Set(x, y, color.RGBA{R: uint8(x), G: uint8(y), B: uint8(x * y / 40), A: 255})
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 100}); err != nil {
		r.Fatal(err)
	}
	return b.String()
}

// exampleImageOptim gets a picture that is learned the first time. What asks for a tunnel gets no picture.
func exampleImageOptim(r *readme) {
	large := examplePicture(r)
	r.upstream.fixed["/a.jpg"] = large
	q := question{path: "/a.jpg", fields: []string{tellField + ": Content-Type: image/jpeg", tellField + `: ETag: "v1"`, tellField + fmt.Sprintf(": Content-Length: %d", len(large))}}
	if r.tunnels {
		q.fields = nil
		r.passes(q)
		return
	}
	if a := r.passes(q); string(a.body) != large {
		r.Errorf("the first time: %d bytes of %d", len(a.body), len(large))
	}
	var small reply // of whichever worker has it first
	err := within(patience, func() error {
		if small = r.passes(q); len(small.body) >= len(large) {
			return fmt.Errorf("%d bytes of %d", len(small.body), len(large))
		} else if _, err := jpeg.Decode(bytes.NewReader(small.body)); err != nil {
			return err
		}
		return nil
	})
	if err != nil {
		r.Error(err)
	}
	small.field("Content-Type", "^image/jpeg$").field("ETag", `^W/"v1`)
	r.passes(question{fields: []string{tellBody + ": no picture"}}).text("^no picture$")
}
