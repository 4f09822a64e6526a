package e2e

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	picture "image"
	"image/color"
	"image/png"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"golang.org/x/image/webp"
)

// contentUpstream has a page, a stream that pauses until told, and a picture.
func contentUpstream(t *testing.T, goOn <-chan struct{}) string {
	t.Helper()
	var file bytes.Buffer
	p := picture.NewNRGBA(picture.Rect(0, 0, 300, 200))
	for i := range p.Pix {
		p.Pix[i] = 200
	}
	if err := (&png.Encoder{CompressionLevel: png.NoCompression}).Encode(&file, p); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/page":
			w.Header().Set("Content-Type", "text/html")
			w.Header().Set("ETag", `"a"`)
			fmt.Fprint(w, strings.Repeat("<p>page</p>", 10_000))
		case "/events":
			w.Header().Set("Content-Type", "text/event-stream")
			for i := range 3 {
				fmt.Fprintf(w, "data: %d\n\n", i)
				w.(http.Flusher).Flush()
				select {
				case <-goOn:
				case <-r.Context().Done():
					return
				}
			}
		case "/picture":
			w.Header().Set("Content-Type", "image/png")
			w.Header().Set("ETag", `"p"`)
			w.Header().Set("Content-Length", fmt.Sprint(file.Len()))
			_, _ = w.Write(file.Bytes())
		}
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// get asks without the transport's own gzip.
func getContent(t *testing.T, url string, header ...string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	response, err := (&http.Transport{DisableCompression: true}).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	return response
}

func TestContentIsMadeSmaller(t *testing.T) {
	goOn := make(chan struct{}, 3)
	upstream, addr := contentUpstream(t, goOn), freePort(t)
	start(t, fmt.Sprintf(`
[plugins.pictures]
category = "image_optim"
output_types = "webp"

[upstreams.u]
addrs = [%q]

[locations.all]
upstream = "u"
plugins = ["pictures", "pingap:compression"]

[servers.web]
addr = %q
locations = ["all"]
`, upstream, addr))
	url := "http://" + addr

	for range 20 { // what is not given back is missed soon
		page := getContent(t, url+"/page", "Accept-Encoding", "deflate, gzip;q=0.5")
		r, err := gzip.NewReader(page.Body)
		if err != nil {
			t.Fatalf("%v: %v", page.Header, err)
		}
		text, err := io.ReadAll(r)
		if err != nil || len(text) != 110_000 || page.Header.Get("ETag") != `W/"a"` || page.Header.Get("Vary") != "Accept-Encoding" || page.ContentLength >= 0 {
			t.Fatalf("%d bytes, %v, %v", len(text), err, page.Header)
		}
	}

	events := getContent(t, url+"/events", "Accept-Encoding", "gzip")
	r, err := gzip.NewReader(events.Body)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(r)
	for i := range 3 { // each arrives while the upstream waits
		line, err := lines.ReadString('\n')
		if err != nil || line != fmt.Sprintf("data: %d\n", i) {
			t.Fatalf("%q, %v", line, err)
		}
		if _, err := lines.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		goOn <- struct{}{}
	}

	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		answer := getContent(t, url+"/picture", "Accept", "image/webp,*/*")
		if answer.Header.Get("Vary") != "Accept" || answer.Header.Get("Cache-Control") != "" {
			t.Fatalf("%v", answer.Header)
		}
		if answer.Header.Get("Content-Type") == "image/webp" {
			p, err := webp.Decode(answer.Body)
			if err != nil || p.Bounds().Dx() != 300 || color.NRGBAModel.Convert(p.At(9, 9)) != (color.NRGBA{200, 200, 200, 200}) {
				t.Errorf("%v", err)
			}
			return
		}
		if _, err := png.Decode(answer.Body); err != nil {
			t.Fatal(err)
		}
		if time.Now().After(deadline) {
			t.Fatal("the picture stays as it was")
		}
	}
}
