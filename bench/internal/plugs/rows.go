package plugs

import (
	"fmt"
	"net/http"
	"strings"
)

// row compares two sides at the same work.
type row struct {
	name         string
	goal         float64 // of the ratio; 0: it is only told
	rounds       int     // at least; many where the goal is near the noise of one round
	path         string
	length       int // of the body; 0 where it is compressed
	ours, theirs side
}

// Programs that a side can be.
const (
	pingap = "pingap"
	nginx  = "nginx"
)

// side is a program with a configuration, and what shows that it does what is measured.
type side struct {
	program  string
	conf     string // pingap: tables and plugins, keys of the upstream before them; nginx: lines of the server
	server   string // pingap: keys of the server; {{collector}} is one of traces
	plugins  []string
	encoding string // Accept-Encoding of the load
	shows    func(h http.Header) error
}

const (
	fewRounds  = 5
	manyRounds = 21
	kib        = 1024
)

// rows is the whole table.
func rows() []row {
	list := []row{
		{name: "cache hit in memory 1 KiB", goal: 0.8, rounds: fewRounds, path: "/kept1k", length: kib, ours: cached(""), theirs: nginxCache()},
		{name: "cache hit in memory beside mock 1 KiB", goal: 1, rounds: manyRounds, path: "/kept1k", length: kib, ours: bare(cached("")), theirs: bare(mocked(kib))},
		{name: "cache hit in memory beside mock 16 KiB", goal: 1, rounds: manyRounds, path: "/kept16k", length: 16 * kib, ours: bare(cached("")), theirs: bare(mocked(16 * kib))},
		{name: "cache hit in a file 64 KiB", goal: 1, rounds: fewRounds, path: "/kept64k", length: 64 * kib, ours: cached("{{dir}}/store/objects"), theirs: nginxCache()},
		{name: "directory 16 KiB", goal: 1.1, rounds: fewRounds, path: "/" + staticFile, length: staticSize, ours: directory(), theirs: nginxStatic()},
		{name: "limit on every request", goal: 1.03, rounds: manyRounds, path: "/small", length: smallAnswer, ours: limited(), theirs: plain()},
		{name: "1 % sampled tracing", goal: 1.03, rounds: manyRounds, path: "/small", length: smallAnswer, ours: traced("sample=0.01&errors"), theirs: plain()},
		{name: "five cheap plugins", goal: 1.1, rounds: manyRounds, path: "/small", length: smallAnswer, ours: fiveCheap(), theirs: side{program: pingap}},
		{name: "all metrics on", goal: 1.03, rounds: manyRounds, path: "/small", length: smallAnswer, ours: metered(), theirs: plain()},
	}
	for _, level := range []int{1, 6} {
		for _, size := range []string{"16", "256"} {
			for _, encoding := range []string{"gzip", "zstd"} {
				list = append(list, row{name: fmt.Sprintf("%s level %d text %s KiB", encoding, level, size), goal: 1, rounds: fewRounds, path: "/text" + size + "k",
					ours: compressed(encoding, level), theirs: nginxGzip(level)})
			}
		}
	}
	return list
}

// smallAnswer is the size of what gen answers with for paths it does not know.
const smallAnswer = 200

func fieldIs(name, value string) func(http.Header) error {
	return func(h http.Header) error {
		if got := h.Get(name); got != value {
			return fmt.Errorf("%s is %q, want %q", name, got, value)
		}
		return nil
	}
}

// named are plugins behind the one that all sides have, as in the rest of the bench.
func named(names ...string) []string { return append([]string{"pingap:requestId"}, names...) }

// plain is a proxied request as the rest of the bench has it.
func plain() side { return side{program: pingap, plugins: named()} }

// cached is a cache in memory, or in files.
func cached(store string) side {
	return side{program: pingap, plugins: named("kept"), conf: fmt.Sprintf("[plugins.kept]\ncategory = \"cache\"\ndirectory = %q\n", store), shows: fieldIs("X-Cache", "hit")}
}

// bare is without request ids: answers that are not from an upstream do not show them, stored ones do.
func bare(s side) side {
	s.plugins = s.plugins[1:]
	return s
}

func nginxCache() side {
	return side{program: nginx, conf: "location / { proxy_pass http://gen; proxy_cache kept; add_header X-Cache $upstream_cache_status; add_header X-Request-Id $request_id; }",
		shows: fieldIs("X-Cache", "HIT")}
}

// mocked answers with as much from memory, without a cache.
func mocked(length int) side {
	return side{program: pingap, plugins: named("mocked"),
		conf: fmt.Sprintf("[plugins.mocked]\ncategory = \"mock\"\nstatus = 200\nheaders = [\"Content-Type: text/plain\", \"Cache-Control: max-age=3600\"]\ndata = %q\n", strings.Repeat("x", length))}
}

func directory() side {
	return side{program: pingap, plugins: named("files"), conf: "[plugins.files]\ncategory = \"directory\"\npath = \"{{dir}}/files\"\n", shows: fieldIs("Accept-Ranges", "bytes")}
}

func nginxStatic() side {
	return side{program: nginx, conf: "location / { root {{dir}}/files; }", shows: fieldIs("Accept-Ranges", "bytes")}
}

// compressed sends what a browser is offered when it takes one encoding.
func compressed(encoding string, level int) side {
	return side{program: pingap, plugins: named("smaller"), encoding: encoding, conf: fmt.Sprintf("[plugins.smaller]\ncategory = \"compression\"\n%s_level = %d\n", encoding, level),
		shows: fieldIs("Content-Encoding", encoding)}
}

func nginxGzip(level int) side {
	return side{program: nginx, encoding: "gzip", shows: fieldIs("Content-Encoding", "gzip"),
		conf: fmt.Sprintf("gzip on; gzip_comp_level %d; gzip_vary on; location / { proxy_pass http://gen; }", level)}
}

// traced tells a collector of some requests, and the upstream of all.
func traced(query string) side {
	return side{program: pingap, plugins: named(), server: fmt.Sprintf("otlp_exporter = 'http://{{collector}}?%s'\n", query)}
}

// limited counts each request of one client, which is never too many.
func limited() side {
	return side{program: pingap, plugins: named("limited"), conf: "[plugins.limited]\ncategory = \"limit\"\ntype = \"rate\"\ntag = \"ip\"\nmax = 1000000\ninterval = \"1s\"\n"}
}

// metered counts each request for metrics, of the server, its location, the upstream and the backend.
func metered() side {
	s := plain()
	s.conf, s.server = "enable_backend_stats = true\nenable_tracer = true\n", "prometheus_metrics = \"/metrics\"\n"
	return s
}

// fiveCheap are plugins that only look at heads. The fifth is request_id; the other side has none at all.
func fiveCheap() side {
	return side{program: pingap, plugins: named("addresses", "origins", "referers", "fields"), shows: fieldIs("X-Frame-Options", "DENY"), conf: `
[plugins.addresses]
category = "ip_restriction"
type = "deny"
ip_list = ["192.0.2.0/24", "198.51.100.7", "2001:db8::/32"]

[plugins.origins]
category = "cors"
allow_origin = "$http_origin"

[plugins.referers]
category = "referer_restriction"
type = "allow"
referer_list = ["*.example.com", "bench.local"]

[plugins.fields]
category = "response_headers"
set_headers = ["X-Frame-Options: DENY"]
`}
}
