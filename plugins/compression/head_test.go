package compression

import (
	"testing"

	"pingap/plugins"
	"pingap/plugins/plugintest"
)

const all = "gzip_level = 6\nbr_level = 6\nzstd_level = 6\n"

// begin returns what an instance makes of a response.
func begin(t testing.TB, x *plugins.Instance, request, response string) (plugins.Filter, *plugins.Exchange) {
	t.Helper()
	e := plugintest.New(t, request)
	plugintest.SetResponse(t, e, response)
	if x.Responder != nil {
		x.Responder.Response(e)
	}
	if x.UpstreamResponder != nil {
		x.UpstreamResponder.UpstreamResponse(e)
	}
	f := x.BodyFilterer.BodyFilter(e)
	if end, ok := f.(plugins.Ender); ok {
		t.Cleanup(func() { end.End(true) })
	}
	return f, e
}

func TestHeads(t *testing.T) {
	const (
		get  = "GET / HTTP/1.1\nAccept-Encoding: gzip"
		html = "200 OK\nContent-Type: text/html; charset=utf-8\n"
		gzip = html + "Content-Encoding: gzip\n"
	)
	cases := []struct{ name, table, request, response, want string }{
		{"compressed", all, get, html + "Content-Length: 500\nETag: \"a\"\nAccept-Ranges: bytes\nContent-MD5: x\nDigest: x\nContent-Digest: x\nRepr-Digest: x\nServer: s",
			"Content-Type: text/html; charset=utf-8\nETag: W/\"a\"\nServer: s\nVary: Accept-Encoding\nContent-Encoding: gzip\n"},
		{"weak already", all, get, html + "ETag: W/\"a\"", "Content-Type: text/html; charset=utf-8\nETag: W/\"a\"\nVary: Accept-Encoding\nContent-Encoding: gzip\n"},
		{"best", all, "GET /\nAccept-Encoding: gzip, deflate, br, zstd", "200 OK\nContent-Type: a/b\nContent-Type: text/css", "Content-Type: a/b\nContent-Type: text/css\n"},
		{"named identity", all, get, html + "Content-Encoding: identity", "Content-Type: text/html; charset=utf-8\nVary: Accept-Encoding\nContent-Encoding: gzip\n"},
		{"varies already", all, get, "200 OK\nContent-Type: text/css\nVary: Cookie, accept-encoding", "Content-Type: text/css\nVary: Cookie, accept-encoding\nContent-Encoding: gzip\n"},
		{"varies with all", all, get, "200 OK\nContent-Type: text/css\nVary: *", "Content-Type: text/css\nVary: *\nContent-Encoding: gzip\n"},
		{"varies otherwise", all, get, "200 OK\nContent-Type: text/css\nVary: Accept-Encoding-X", "Content-Type: text/css\nVary: Accept-Encoding-X\nVary: Accept-Encoding\nContent-Encoding: gzip\n"},
		{"client that takes none", all, "GET /", "200 OK\nContent-Type: text/css\nContent-Length: 500\nETag: \"a\"", "Content-Type: text/css\nContent-Length: 500\nETag: \"a\"\nVary: Accept-Encoding\n"},
		{"another type", all, get, "200 OK\nContent-Type: image/png", "Content-Type: image/png\n"},
		{"no type", all, get, "200 OK\nServer: s", "Server: s\n"},
		{"encoded", all, get, gzip + "ETag: \"a\"", "Content-Type: text/html; charset=utf-8\nContent-Encoding: gzip\nETag: \"a\"\n"},
		{"encoded in an unknown way", all, get, "200 OK\nContent-Type: text/css\nContent-Encoding: dcb", "Content-Type: text/css\nContent-Encoding: dcb\n"},
		{"encoded twice", all, get, "200 OK\nContent-Type: text/css\nContent-Encoding: gzip, br", "Content-Type: text/css\nContent-Encoding: gzip, br\n"},
		{"part", all, get, "206 Partial Content\nContent-Type: text/css\nContent-Range: bytes 0-99/100\nETag: \"a\"", "Content-Type: text/css\nContent-Range: bytes 0-99/100\nETag: \"a\"\n"},
		{"part of 200", all, get, "200 OK\nContent-Type: text/css\nContent-Range: bytes 0-99/100", "Content-Type: text/css\nContent-Range: bytes 0-99/100\n"},
		{"no content", all, get, "204 No Content\nContent-Type: text/css", "Content-Type: text/css\n"},
		{"reset content", all, get, "205 Reset Content\nContent-Type: text/css", "Content-Type: text/css\n"},
		{"upgrade", all, get, "101 Switching Protocols\nContent-Type: text/css", "Content-Type: text/css\n"},
		{"error page", all, get, "404 Not Found\nContent-Type: text/css", "Content-Type: text/css\nVary: Accept-Encoding\nContent-Encoding: gzip\n"},
		{"call of gRPC", all, get, "200 OK\nContent-Type: application/grpc+json", "Content-Type: application/grpc+json\n"},
		{"empty", all, get, "200 OK\nContent-Type: text/css\nContent-Length: 0", "Content-Type: text/css\nContent-Length: 0\n"},
		{"short", all, get, "200 OK\nContent-Type: text/css\nContent-Length: 19", "Content-Type: text/css\nContent-Length: 19\n"},
		{"short, plain refused", all, get + ", identity;q=0", "200 OK\nContent-Type: text/css\nContent-Length: 19", "Content-Type: text/css\nVary: Accept-Encoding\nContent-Encoding: gzip\n"},
		{"not short", all, get, "200 OK\nContent-Type: text/css\nContent-Length: 20", "Content-Type: text/css\nVary: Accept-Encoding\nContent-Encoding: gzip\n"},
		{"short for this one", all + `min_length = "1kb"`, get, "200 OK\nContent-Type: text/css\nContent-Length: 999", "Content-Type: text/css\nContent-Length: 999\n"},
		{"no-transform", all, get, "200 OK\nContent-Type: text/css\nCache-Control: max-age=3, No-Transform", "Content-Type: text/css\nCache-Control: max-age=3, No-Transform\n"},
		{"no-transform of the request", all, get + "\nCache-Control: no-transform", "200 OK\nContent-Type: text/css", "Content-Type: text/css\n"},
		{"head", all, "HEAD /\nAccept-Encoding: br", "200 OK\nContent-Type: text/css\nContent-Length: 500\nETag: \"a\"", "Content-Type: text/css\nETag: W/\"a\"\nVary: Accept-Encoding\nContent-Encoding: br\n"},
		{"head of a short one", all, "HEAD /\nAccept-Encoding: br", "200 OK\nContent-Type: text/css\nContent-Length: 5", "Content-Type: text/css\nContent-Length: 5\n"},
		{"head without length", all, "HEAD /\nAccept-Encoding: br", "200 OK\nContent-Type: text/css", "Content-Type: text/css\nVary: Accept-Encoding\nContent-Encoding: br\n"},
		{"not modified", all, get, "304 Not Modified\nETag: \"a\"", "ETag: W/\"a\"\nVary: Accept-Encoding\n"},
		{"not modified, plain", all, "GET /", "304 Not Modified\nETag: \"a\"", "ETag: \"a\"\nVary: Accept-Encoding\n"},
		{"not modified, another type", all, get, "304 Not Modified\nETag: \"a\"\nContent-Type: image/png", "ETag: \"a\"\nContent-Type: image/png\n"},
		{"not modified, encoded", all, get, "304 Not Modified\nETag: \"a\"\nContent-Encoding: br", "ETag: \"a\"\nContent-Encoding: br\n"},
		{"not modified, no-transform", all, get, "304 Not Modified\nETag: \"a\"\nCache-Control: no-transform", "ETag: \"a\"\nCache-Control: no-transform\n"},
		{"decoded", "decompression = true", "GET /", gzip + "Content-Length: 9\nETag: \"a\"", "Content-Type: text/html; charset=utf-8\nETag: W/\"a\"\nVary: Accept-Encoding\n"},
		{"decoded, any type", "decompression = true", "GET /\nAccept-Encoding: gzip", "200 OK\nContent-Encoding: br", "Vary: Accept-Encoding\n"},
		{"decoded for HEAD", "decompression = true", "HEAD /", "200 OK\nContent-Encoding: ZSTD\nContent-Length: 9", "Vary: Accept-Encoding\n"},
		{"can be taken", "decompression = true", get, "200 OK\nContent-Encoding: x-gzip\nContent-Length: 9", "Content-Encoding: x-gzip\nContent-Length: 9\nVary: Accept-Encoding\n"},
		{"nothing can be taken", "decompression = true", "GET /\nAccept-Encoding: *;q=0", "200 OK\nContent-Encoding: gzip", "Content-Encoding: gzip\nVary: Accept-Encoding\n"},
		{"decodes only", "decompression = true", get, "200 OK\nContent-Type: text/css", "Content-Type: text/css\n"},
		{"own types", all + `content_types = ["image/*", "application/*+zip"]`, get, "200 OK\nContent-Type: image/png", "Content-Type: image/png\nVary: Accept-Encoding\nContent-Encoding: gzip\n"},
		{"not among own types", all + `content_types = ["image/*"]`, get, "200 OK\nContent-Type: text/css", "Content-Type: text/css\n"},
	}
	for _, mode := range []string{"", "mode = \"upstream\"\n"} {
		for _, c := range cases {
			t.Run(mode+c.name, func(t *testing.T) {
				_, e := begin(t, plugintest.Build(t, Factory(), mode+c.table), c.request, c.response)
				if got := plugintest.FieldText(e.Response.Fields.List()); got != c.want {
					t.Errorf("got\n%swant\n%s", got, c.want)
				}
			})
		}
	}
}

func TestMediaTypes(t *testing.T) {
	usual, err := readMediaTypes("", usualTypes())
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{
		"text/html": true, "Text/HTML;charset=utf-8": true, " text/plain ;x=y": true, "application/json": true, "application/problem+json": true, "APPLICATION/LD+JSON": true,
		"application/javascript": true, "application/wasm": true, "image/svg+xml": true, "text/event-stream": true, "application/rss+xml": true, "font/ttf": true,
		"": false, "text/": false, "text": false, "application/+json": false, "image/png": false, "image/jpeg": false, "application/zip": false, "application/gzip": false, "font/woff2": false,
		"video/mp4": false, "application/octet-stream": false, "application/grpc-web-text": false, "application/grpc": false, "application/jsonx": false, "; text/html": false,
	} {
		if got := usual.has([]byte(name)); got != want {
			t.Errorf("%q: %t", name, got)
		}
	}
}

func TestTheModeSaysWhereBodiesAreTaken(t *testing.T) {
	for table, upstream := range map[string]bool{
		all: false, all + `step = "response"`: false, all + `mode = "upstream"`: true, all + `step = "upstream_response"`: true,
		all + "mode = \"upstream\"\nstep = \"upstream_response\"": true,
	} {
		x := plugintest.Build(t, Factory(), table)
		c := plugins.NewChain([]*plugins.Instance{x})
		if got := len(c.UpstreamBody) == 1 && len(c.UpstreamResponse) == 1 && len(c.Body)+len(c.Response) == 0; got != upstream {
			t.Errorf("%q: %+v", table, c)
		}
		if got := len(c.Body) == 1 && len(c.Response) == 1; got == upstream {
			t.Errorf("%q: %+v", table, c)
		}
	}
}

func TestRefusesWrongParameters(t *testing.T) {
	const form = "expected a media type such as text/html, text/* or application/*+json"
	plugintest.Refused(t, Factory(), []plugintest.RefusedCase{
		{Table: ``, Message: "nothing to do: expected gzip_level, br_level or zstd_level above 0, or decompression"},
		{Table: `gzip_level = 0`, Message: "nothing to do: expected gzip_level, br_level or zstd_level above 0, or decompression"},
		{Table: `gzip_level = 10`, Key: "gzip_level", Message: "expected 0 to 9, found 10"},
		{Table: `br_level = 12`, Key: "br_level", Message: "expected 0 to 11, found 12"},
		{Table: `zstd_level = 23`, Key: "zstd_level", Message: "expected 0 to 22, found 23"},
		{Table: all + `mode = "client"`, Key: "mode", Message: `expected upstream, found "client"`},
		{Table: all + "mode = \"upstream\"\nstep = \"response\"", Key: "step", Message: "mode upstream acts at upstream_response"},
		{Table: all + `min_length = "2gib"`, Key: "min_length", Message: "expected at most 1gib"},
		{Table: all + `max_memory = "1kb"`, Key: "max_memory", Message: "expected 1mib to 1tib"},
		{Table: all + `decompression_max_size = 0`, Key: "decompression_max_size", Message: "expected 1mib to 1tib"},
		{Table: all + `decompression_max_ratio = 1`, Key: "decompression_max_ratio", Message: "expected 10 to 100000, found 1"},
		{Table: all + `content_types = ["text/css", "html"]`, Key: "content_types", Message: "entry 2: " + form},
		{Table: all + `content_types = ["*/*"]`, Key: "content_types", Message: "entry 1: " + form},
		{Table: all + `content_types = ["a/*b"]`, Key: "content_types", Message: "entry 1: " + form},
		{Table: all + `content_types = ["a/b*"]`, Key: "content_types", Message: "entry 1: " + form},
		{Table: all + `content_types = ["a/"]`, Key: "content_types", Message: "entry 1: " + form},
		{Table: all + `content_types = ["/b"]`, Key: "content_types", Message: "entry 1: " + form},
	})
}

func TestAResponseThatPassesAllocatesNothing(t *testing.T) {
	x := plugintest.Build(t, Factory(), all+"decompression = true")
	for _, response := range []string{
		"200 OK\nContent-Type: image/png\nContent-Length: 500", "200 OK\nContent-Type: text/html\nContent-Encoding: gzip\nVary: accept-encoding",
		"200 OK\nContent-Type: text/html\nContent-Length: 5", "206 Partial Content\nContent-Type: text/html", "304 Not Modified\nETag: W/\"a\"\nVary: accept-encoding",
	} {
		e := plugintest.New(t, "GET /\nAccept-Encoding: gzip, deflate, br")
		plugintest.SetResponse(t, e, response)
		if n := testing.AllocsPerRun(100, func() {
			x.Responder.Response(e)
			if x.BodyFilterer.BodyFilter(e) != nil {
				t.Error("taken")
			}
		}); n != 0 {
			t.Errorf("%q: %v allocations", response, n)
		}
	}
}
