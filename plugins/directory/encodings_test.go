package directory

import (
	"fmt"
	"testing"

	"pingap/message"
	"pingap/plugins/plugintest"
)

func TestPrecompressedFilesByWeight(t *testing.T) {
	root := tree(t, map[string]string{
		"a.css": "plain", "a.css.gz": "gz", "a.css.br": "br", "a.css.zst": "zst", "b.css": "plain", "b.css.gz": "gz", "c.css": "plain", "c.css.br/x": "", "d.css.gz": "gz",
		"sub/index.html": "plain", "sub/index.html.br": "br",
	})
	x := instance(t, root, `precompressed = ["zstd", "br", "gzip"]`)
	cases := []struct{ path, accept, body, encoding string }{
		{"/a.css", "", "plain", ""}, {"/a.css", "gzip, deflate, br, zstd", "zst", "zstd"}, {"/a.css", "gzip, br", "br", "br"}, {"/a.css", "gzip", "gz", "gzip"},
		{"/a.css", "br;q=0.5, gzip;q=0.8", "gz", "gzip"}, {"/a.css", "zstd;q=0, br;q=0.000, gzip", "gz", "gzip"}, {"/a.css", "*", "zst", "zstd"}, {"/a.css", "zstd;q=0, *", "br", "br"},
		{"/a.css", "*;q=0", "plain", ""}, {"/a.css", "x-gzip", "gz", "gzip"}, {"/a.css", "GZIP", "gz", "gzip"}, {"/a.css", "gzip;q=0.5, identity", "plain", ""},
		{"/a.css", "gzip;q=0.5, identity;q=0.5", "gz", "gzip"}, {"/a.css", "identity;q=0, br", "br", "br"}, {"/a.css", "gzip;q=x, br;q=2", "plain", ""}, {"/a.css", "gzip ; q=0.3", "gz", "gzip"},
		{"/a.css", "deflate", "plain", ""}, {"/a.css", "gzip;q=0.0001", "plain", ""}, {"/a.css", "zstd;q=0.1, br;q=0.2, gzip;q=0.3", "gz", "gzip"},
		{"/b.css", "br, gzip;q=0.1", "gz", "gzip"}, {"/c.css", "br", "plain", ""}, {"/d.css", "gzip", "gz", "gzip"}, {"/sub/", "br", "br", "br"},
	}
	for _, c := range cases {
		a, body := ask(t, x, "GET "+c.path+"\nAccept-Encoding: "+c.accept)
		if got := plugintest.Field(a, "Content-Encoding"); body != c.body || got != c.encoding || plugintest.Field(a, "Vary") != "Accept-Encoding" {
			t.Errorf("%s %q: %q %q, want %q", c.path, c.accept, body, got, c.body)
		}
		want := "text/css"
		if c.path == "/sub/" {
			want = "text/html"
		}
		if got := plugintest.Field(a, "Content-Type"); got != want {
			t.Errorf("%s %q: %s", c.path, c.accept, got)
		}
	}
	if a, _ := ask(t, x, "GET /d.css"); a.Status != 404 {
		t.Errorf("only compressed, for a client that takes none: %d", a.Status)
	}
}

// Each form is a representation of its own: a part of one must never be put behind a part of another.
func TestEachEncodingHasItsTag(t *testing.T) {
	root := tree(t, map[string]string{"a": "0123", "a.gz": "abcd"})
	x := instance(t, root, `precompressed = ["gzip"]`)
	a, body := ask(t, x, "GET /a\nAccept-Encoding: gzip\nRange: bytes=1-2\nIf-Range: "+tagOf(4, "-gz"))
	if a.Status != 206 || body != "bc" || plugintest.Field(a, "Content-Encoding") != "gzip" || plugintest.Field(a, "Content-Range") != "bytes 1-2/4" {
		t.Errorf("%d %q", a.Status, body)
	}
	if a, body := ask(t, x, "GET /a\nRange: bytes=1-2\nIf-Range: "+tagOf(4, "-gz")); a.Status != 200 || body != "0123" {
		t.Errorf("the tag of another encoding: %d %q", a.Status, body)
	}
}

func FuzzWeights(f *testing.F) {
	for _, s := range []string{"gzip, br;q=0.5", "*;q=0.1, identity;q=0", ";q=", "br;q=1.0000", "gzip;q=0.5;x=1"} {
		f.Add([]byte(s))
	}
	codings, err := readCodings([]string{"zstd", "br", "gzip"})
	if err != nil {
		f.Fatal(err)
	}
	d := &directory{codings: codings}
	f.Fuzz(func(t *testing.T, value []byte) {
		var fields message.Fields
		fields.Append(message.AcceptEncoding, []byte("Accept-Encoding"), value)
		order, n := d.preferred(&fields)
		seen := map[int8]bool{}
		for _, i := range order[:n] {
			if seen[i] {
				t.Errorf("%q: %d twice", value, i)
			}
			seen[i] = true
		}
		if w := weight(value); w < 0 || w > 1000 {
			t.Errorf("weight %q: %d", value, w)
		}
		if again, m := d.preferred(&fields); fmt.Sprint(again, m) != fmt.Sprint(order, n) {
			t.Errorf("%q: once %v, then %v", value, order, again)
		}
	})
}
