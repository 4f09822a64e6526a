package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
)

//go:embed dist
var dist embed.FS

// compressFrom is the length in bytes from which files are sent compressed.
const compressFrom = 1024

// policy lets the page use what this host serves, and nothing else: no inline script, no frame around it.
const policy = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'"

// Handler serves the files of the panel. Their compressed forms are made when they are first asked for, and kept: some 100 KiB in all.
type Handler struct {
	files map[string]*file // by path, without slash in front
}

type file struct {
	text      []byte // of the binary itself
	kind      string // media type
	tag       string // entity tag
	immutable bool   // the name has a hash of the content

	once   sync.Once
	zipped []byte // nil where it is not worth it
}

// New takes the files that are built in.
func New() (*Handler, error) {
	h := &Handler{files: map[string]*file{}}
	err := fs.WalkDir(dist, "dist", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := dist.ReadFile(name)
		if err != nil {
			return err
		}
		rel := strings.TrimPrefix(name, "dist/")
		h.files[rel] = newFile(rel, text)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the panel that is built in: %w", err)
	}
	if h.files["index.html"] == nil {
		return nil, fmt.Errorf("the panel that is built in has no index.html")
	}
	return h, nil
}

func newFile(name string, text []byte) *file {
	sum := sha256.Sum256(text)
	return &file{text: text, kind: kindOf(name), tag: hex.EncodeToString(sum[:8]), immutable: strings.HasPrefix(name, "assets/")}
}

// kindOf does not ask the system: its list may say anything.
func kindOf(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	}
	return "application/octet-stream"
}

// ServeHTTP answers GET and HEAD of what is there; "/" is index.html.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
		return
	}
	name := strings.TrimPrefix(r.URL.Path, "/")
	if name == "" {
		name = "index.html"
	}
	f := h.files[name]
	if f == nil {
		w.Header().Set("Cache-Control", "no-store")
		http.Error(w, "Not Found", http.StatusNotFound)
		return
	}
	f.serve(w, r)
}

func (f *file) serve(w http.ResponseWriter, r *http.Request) {
	head := w.Header()
	head.Set("Content-Type", f.kind)
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("Vary", "Accept-Encoding")
	head.Set("Cache-Control", "private, no-cache")
	if f.immutable {
		head.Set("Cache-Control", "public, max-age=31536000, immutable")
	} else {
		head.Set("Content-Security-Policy", policy)
	}
	body, tag := f.text, `"`+f.tag+`"`
	if zipped := f.compressed(); zipped != nil && acceptsGzip(r) {
		head.Set("Content-Encoding", "gzip")
		body, tag = zipped, `"`+f.tag+`-gz"`
	}
	head.Set("ETag", tag)
	if matches(r, tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	head.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method == http.MethodGet {
		_, _ = w.Write(body) // who hung up needs no answer
	}
}

// compressed is the file as gzip, or nil where that gains nothing.
func (f *file) compressed() []byte {
	f.once.Do(func() {
		if len(f.text) < compressFrom {
			return
		}
		var b bytes.Buffer
		z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
		if err != nil {
			return // the level is one, and a buffer takes everything
		}
		_, _ = z.Write(f.text)
		if z.Close() == nil && b.Len() < len(f.text) {
			f.zipped = bytes.Clone(b.Bytes())
		}
	})
	return f.zipped
}

// acceptsGzip reads Accept-Encoding (RFC 9110, section 12.5.3): gzip or *, unless its weight is 0.
func acceptsGzip(r *http.Request) bool {
	accepted := false
	for _, line := range r.Header.Values("Accept-Encoding") {
		for item := range strings.SplitSeq(line, ",") {
			coding, params, err := mime.ParseMediaType("x/" + strings.TrimSpace(item))
			if err != nil {
				continue
			}
			weight := 1.0
			if q, ok := params["q"]; ok {
				if weight, err = strconv.ParseFloat(q, 64); err != nil {
					weight = 0
				}
			}
			switch coding {
			case "x/gzip":
				return weight > 0
			case "x/*":
				accepted = weight > 0
			}
		}
	}
	return accepted
}

// matches says whether the client has this already.
func matches(r *http.Request, tag string) bool {
	for item := range strings.SplitSeq(r.Header.Get("If-None-Match"), ",") {
		if item = strings.TrimSpace(item); item == "*" || strings.TrimPrefix(item, "W/") == tag {
			return true
		}
	}
	return false
}
