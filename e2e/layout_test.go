package e2e

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// shop is the configuration below testdata/shop, one file an object, with its addresses replaced by free ones.
type shop struct {
	dir, web, second string
	backends         map[string]*backend
	replace          *strings.Replacer
}

func newShop(t *testing.T) *shop {
	t.Helper()
	s := &shop{dir: workDir(t), web: freePort(t), second: freePort(t), backends: map[string]*backend{}}
	var pairs []string
	for port, name := range map[string]string{"9001": "web", "9002": "api", "9003": "api", "9004": "beta"} {
		s.backends[port] = newBackend(t, name)
		pairs = append(pairs, "127.0.0.1:"+port, s.backends[port].addr)
	}
	s.replace = strings.NewReplacer(append(pairs, "127.0.0.1:6188", s.web, "127.0.0.1:6288", s.second)...)
	return s
}

// files returns the documents by their paths.
func (s *shop) files(t *testing.T) map[string]string {
	t.Helper()
	files := map[string]string{}
	root := os.DirFS("testdata/shop")
	err := fs.WalkDir(root, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(root, path)
		files[path] = s.replace.Replace(string(text))
		return err
	})
	if err != nil || len(files) < 35 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	return files
}

// layouts are the three ways in which the same configuration is kept; each returns what -c is given.
func (s *shop) layouts(t *testing.T) map[string]string {
	t.Helper()
	one := ""
	byType := map[string]string{}
	for path, text := range s.files(t) {
		one += text + "\n"
		kind, _, _ := strings.Cut(strings.TrimSuffix(path, ".toml"), "/")
		byType[kind] += text + "\n"
		write(t, filepath.Join(s.dir, "items", path), text)
	}
	for kind, text := range byType {
		write(t, filepath.Join(s.dir, "types", kind+".toml"), text)
	}
	write(t, filepath.Join(s.dir, "one.toml"), one)
	return map[string]string{
		"SingleFile": filepath.Join(s.dir, "one.toml"), "Directory": filepath.Join(s.dir, "types"),
		"Separation": filepath.Join(s.dir, "items") + "?separation",
	}
}

// routes are requests to the shop and where they have to arrive.
func routes() []struct{ request, backend, arrived string } {
	return []struct{ request, backend, arrived string }{
		{get("/"), "web", "GET / 0"},
		{get("/imprint?x=1"), "web", "GET /imprint?x=1 0"},
		{get("/assets/a.css"), "web", "GET /assets/a.css 0"},
		{get("/somewhere/logo.png"), "web", "GET /somewhere/logo.png 0"},
		{get("/favicon.ico"), "web", "GET /favicon.ico 0"},
		{get("/catalogue/shoes?size=9"), "api", "GET /v2/products/shoes?size=9 0"},
		{get("/search?q=a"), "api", "GET /search?q=a 0"},
		{get("/search/suggest"), "api", "GET /suggest 0"},
		{send("POST", "/cart", "item=1"), "api", "POST /cart 6"},
		{send("POST", "/checkout", "pay"), "api", "POST /checkout 3"},
		{get("/account", "Host: shop.example.com"), "api", "GET /account 0"},
		{get("/account", "Host: other.example.com"), "web", "GET /account 0"},
		{get("/orders/42"), "api", "GET /orders/42 0"},
		{chunked("PUT", "/upload", "abc", "defg"), "api", "PUT /upload 7"},
		{get("/app"), "api", "GET /app 0"},
		{get("/app", "X-Client: beta"), "beta", "GET /app 0"},
		{get("/cart", "Cookie: a=b; preview=on"), "beta", "GET /cart 0"},
		{get("/", "Host: a.b.tenant.example.com"), "web", "GET / 0"}, // =/ outweighs the host
		{get("/x", "Host: a.b.tenant.example.com"), "beta", "GET /x 0"},
		{get("/x", "Host: acme.partner.example.com"), "api", "GET /x 0"},
		{get("/internal", "Authorization: Basic YWxpY2U6d29uZGVybGFuZA=="), "api", "GET /internal 0"},
		{get("//internal/../assets/a.css"), "web", "GET //internal/../assets/a.css 0"},
	}
}

func TestEveryLayoutServesTheSame(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	sha := ""
	for name, conf := range s.layouts(t) {
		r := command(t, s.dir, "-c", conf, "-t")
		if r.code != 0 {
			t.Fatalf("%s: -t: %s", name, r.all())
		}
		i := startIn(t, s.dir, conf)
		if now := i.status().Config.SHA; sha != "" && now != sha {
			t.Errorf("%s: sha %s, another layout had %s", name, now, sha)
		} else {
			sha = now
		}
		for _, c := range routes() {
			line, _, _ := strings.Cut(c.request, "\r\n")
			a, err := fetch(s.web, c.request)
			if err != nil || a.status != 200 {
				t.Errorf("%s: %s: %+v, %v", name, line, a, err)
				continue
			}
			if got := strings.TrimSpace(string(a.body)); got != c.backend || a.header.Get("X-Got") != c.arrived {
				t.Errorf("%s: %s: %q at %s, want %q at %s", name, line, a.header.Get("X-Got"), got, c.arrived, c.backend)
			}
		}
		s.answers(t, name)
		if r := i.verb("stop"); r.code != 0 {
			t.Fatalf("%s: stop: %s", name, r.all())
		}
	}
}

// answers checks what the shop answers by itself.
func (s *shop) answers(t *testing.T, name string) {
	t.Helper()
	contains(t, string(mustGet(t, s.web, "/robots.txt", 200).body), "Disallow: /cart")
	contains(t, string(mustGet(t, s.second, "/status", 200).body), `{"status":"ok"}`)
	if loc := mustGet(t, s.web, "/shop.php", 307).header.Get("Location"); !strings.Contains(loc, "/catalogue/shop.php") {
		t.Errorf("%s: Location %q", name, loc)
	}
	if h := mustGet(t, s.web, "/", 200).header; h.Get("X-Frame-Options") != "DENY" {
		t.Errorf("%s: %v", name, h)
	}
	mustGet(t, s.web, "/internal", 401)
	mustGet(t, s.web, "/ping", 200)
	contains(t, string(mustGet(t, s.second, "/nothing", 404).body), `"type":`)
	a, err := fetch(s.web, send("POST", "/checkout", strings.Repeat("x", 70<<10)))
	if err != nil || a.status != 413 {
		t.Errorf("%s: an upload over the limit: %+v, %v", name, a, err)
	}
}

// A file of its own for a new object, and another removed, are one change each.
func TestADirectoryIsReloaded(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	conf := s.layouts(t)["Separation"]
	i := startIn(t, s.dir, conf, "--autoreload")
	items := filepath.Join(s.dir, "items")
	write(t, filepath.Join(items, "plugins", "robots.toml"), "[plugins.robots]\ncategory = \"mock\"\ndata = \"none\"\n")
	i.eventually("the changed file", func() error { return want(s.web, "/robots.txt", "none") })
	web := filepath.Join(items, "servers", "web.toml")
	write(t, web, strings.Replace(read(t, web), `"robots",`, "", 1))
	i.eventually("the location that left", func() error {
		a, err := fetch(s.web, get("/robots.txt"))
		if err == nil && strings.TrimSpace(string(a.body)) != "web" {
			err = fmt.Errorf("body %q", a.body)
		}
		return err
	})
}

// An object in two files is a mistake that names both.
func TestTheSameTableInTwoFilesIsRefused(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	conf := s.layouts(t)["Separation"]
	write(t, filepath.Join(s.dir, "items", "locations", "again.toml"), "[locations.cart]\npath = \"/x\"\n")
	r := command(t, s.dir, "-c", conf, "-t")
	if r.code != 1 {
		t.Errorf("exit code %d", r.code)
	}
	contains(t, r.stderr, "locations.cart", "again.toml:1", "cart.toml")
}

// The sample that exercises many keys of the original, with its addresses made free.
func TestTheCompatibilitySampleLoadsAndServes(t *testing.T) {
	t.Parallel()
	dir, web := workDir(t), freePort(t)
	one, two := newBackend(t, "one"), newBackend(t, "two")
	text := read(t, "../config/testdata/sample.toml")
	write(t, filepath.Join(dir, "as-it-is.toml"), text)
	if r := command(t, dir, "-c", "as-it-is.toml", "-t"); r.code != 0 {
		t.Errorf("-t: %s", r.all())
	} else {
		if strings.Contains(r.stderr, "prometheus_metrics") {
			t.Errorf("a warning about metrics: %s", r.stderr)
		}
	}
	log := filepath.Join(dir, "access.log")
	text = strings.NewReplacer("0.0.0.0:6188", web, "127.0.0.1:9001", one.addr, "127.0.0.1:9002", two.addr,
		"/tmp/pingap-access.log", log).Replace(text)
	path := filepath.Join(dir, "sample.toml")
	write(t, path, text)
	i := startIn(t, dir, path)
	a := mustGet(t, web, "/v2/users?x=1", 200, "Host: a.example.com", "X-User: u1")
	if a.header.Get("X-Got") != "GET /users?x=1 0" || a.header.Get("X-Request-Id") == "" || a.header.Get("Server-Timing") == "" {
		t.Errorf("%v", a.header)
	}
	mustGet(t, web, "/v2/users", 200, "Host: b.example.org")
	if a := mustGet(t, web, "/v2/users", 200, "Host: other.test"); a.header.Get("X-Got") != "GET /v2/users 0" {
		t.Errorf("another host reached apiV1: %v", a.header)
	}
	contains(t, string(mustGet(t, web, "/ping", 200).body), "pong")
	i.verb("stop")
	names, _ := filepath.Glob(log + ".*")
	if len(names) != 1 || strings.Count(read(t, names[0]), "\n") != 4 {
		t.Errorf("access logs %v", names)
	}
}

// What a storage brings wins over the object's own keys, and a change of the storage is a change of all that include it.
func TestIncludesTakeEffectAndAreReloaded(t *testing.T) {
	t.Parallel()
	addr := freePort(t)
	conf := func(path string) string {
		return strings.Replace(insert(mockConf(addr, "included"), "locations.all", `includes = ["where"]`), `path = "/"`, `path = "/own"`, 1) +
			fmt.Sprintf("\n[storages.where]\ncategory = \"config\"\nvalue = 'path = \"%s\"'\n", path)
	}
	i := start(t, conf("/first"))
	mustGet(t, addr, "/first", 200)
	mustGet(t, addr, "/own", 404)
	contains(t, i.change(conf("/second")).stdout, "hot       location:all")
	mustGet(t, addr, "/second", 200)
	mustGet(t, addr, "/first", 404)
}
