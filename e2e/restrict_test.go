package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
)

// restrictConf is a proxy with a location for each plugin that refuses, chooses or tells.
func restrictConf(addr string, one, two *backend) string {
	location := func(name, plugins string) string {
		return fmt.Sprintf("[locations.%s]\npath = \"/%s\"\nupstream = \"one\"\nplugins = [%s]\n", name, name, plugins)
	}
	return fmt.Sprintf(`
[basic]
trusted_proxies = ["127.0.0.1"]
[servers.web]
addr = %q
locations = ["ip", "agent", "referer", "split", "shared", "figures"]
[upstreams.one]
addrs = [%q]
[upstreams.two]
addrs = [%q]
[plugins.office]
category = "ip_restriction"
ip_list = ["192.0.2.0/24"]
[plugins.robots]
category = "ua_restriction"
type = "deny"
ua_list = ["bot"]
[plugins.pages]
category = "referer_restriction"
referer_list = ["*.example.com"]
[plugins.canary]
category = "traffic_splitting"
upstream = "two"
weight = 100
stickiness = true
sticky_cookie = "beta"
[plugins.cors]
category = "cors"
allow_origin = "$http_origin"
[plugins.local]
category = "stats"
path = "/figures"
`, addr, one.addr, two.addr) + location("ip", `"office"`) + location("agent", `"robots"`) + location("referer", `"pages"`) +
		location("split", `"canary"`) + location("shared", `"cors"`) + location("figures", `"office", "local"`)
}

func TestPluginsThatRefuseChooseAndTell(t *testing.T) {
	t.Parallel()
	one, two, addr := newBackend(t, "one"), newBackend(t, "two"), freePort(t)
	start(t, restrictConf(addr, one, two))
	const inside = "X-Forwarded-For: 203.0.113.1, 192.0.2.7"
	for _, c := range []struct {
		target string
		status int
		body   string
		fields []string
	}{
		{"/ip", 403, "Request is forbidden", nil},
		{"/ip", 200, "one", []string{inside}},
		{"/ip", 403, "Request is forbidden", []string{"X-Forwarded-For: 192.0.2.7, 203.0.113.1"}},
		{"/%69p", 403, "Request is forbidden", nil},
		{"/agent", 403, "Request is forbidden", []string{"User-Agent: bot/1"}},
		{"/agent", 200, "one", []string{"User-Agent: curl"}},
		{"/referer", 403, "Request is forbidden", nil},
		{"/referer", 200, "one", []string{"Referer: https://www.example.com/a"}},
		{"/split", 200, "one", nil},
		{"/split", 200, "two", []string{"Cookie: beta=yes"}},
		{"/shared", 200, "one", []string{"Origin: https://a.example"}},
		{"/figures", 403, "Request is forbidden", nil},
	} {
		a := mustGet(t, addr, c.target, c.status, c.fields...)
		if strings.TrimSpace(string(a.body)) != c.body {
			t.Errorf("%s %v: %q", c.target, c.fields, a.body)
		}
		if got := a.header.Get("Access-Control-Allow-Origin"); c.target == "/shared" && got != "https://a.example" {
			t.Errorf("origin %q", got)
		}
	}
	before := one.requests.Load()
	a, err := fetch(addr, send("OPTIONS", "/shared", "", "Origin: https://b.example"))
	if err != nil || a.status != 204 || a.header.Get("Access-Control-Allow-Origin") != "https://b.example" || one.requests.Load() != before {
		t.Errorf("%+v, %v", a, err)
	}
	var figures map[string]any
	a = mustGet(t, addr, "/figures", 200, inside)
	if err := json.Unmarshal(a.body, &figures); err != nil || figures["location_processing"] != 1.0 || figures["location"] != "figures" ||
		figures["processing"] != 1.0 || figures["accepted"].(float64) < 1 || figures["version"] == "" {
		t.Errorf("%v, %s", err, a.body)
	}
}

// countries writes a database in place of another.
func countries(t *testing.T, path string, world map[string]string) {
	t.Helper()
	tree, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: "GeoLite2-Country", RecordSize: 24})
	if err != nil {
		t.Fatal(err)
	}
	for network, code := range world {
		_, prefix, err := net.ParseCIDR(network)
		if err != nil {
			t.Fatal(err)
		}
		if err := tree.Insert(prefix, mmdbtype.Map{"country": mmdbtype.Map{"iso_code": mmdbtype.String(code)}}); err != nil {
			t.Fatal(err)
		}
	}
	var data bytes.Buffer
	if _, err := tree.WriteTo(&data); err != nil {
		t.Fatal(err)
	}
	write(t, path+".new", data.String())
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func TestACountryDatabaseIsReplacedWhileServing(t *testing.T) {
	t.Parallel()
	dir, addr, b := workDir(t), freePort(t), newBackend(t, "one")
	database, conf := filepath.Join(dir, "countries.mmdb"), filepath.Join(dir, "pingap.toml")
	text := insert(proxyConf(addr, b.addr), "locations.all", `plugins = ["at_home"]`) + fmt.Sprintf(`
[basic]
trusted_proxies = ["127.0.0.1"]
[plugins.at_home]
category = "geo_restriction"
database = %q
type = "allow"
country_codes = ["DE"]
`, database)
	write(t, conf, text)
	if r := command(t, dir, "-c", conf, "-t"); r.code != 1 || !strings.Contains(r.stderr, "plugins.at_home.database: ") {
		t.Errorf("without the file: %s", r.all())
	}
	countries(t, database, map[string]string{"2.0.0.0/16": "DE", "2.1.0.0/16": "FR"})
	i := startIn(t, dir, conf)
	const home, away = "X-Forwarded-For: 2.0.0.1", "X-Forwarded-For: 2.1.0.1"
	mustGet(t, addr, "/", 200, home)
	mustGet(t, addr, "/", 403, away)
	countries(t, database, map[string]string{"2.0.0.0/16": "FR", "2.1.0.0/16": "DE"})
	i.eventually("the other database rules in both workers", func() error {
		for range 20 { // a connection each, so that both workers are asked
			a, err := fetch(addr, get("/", away))
			if err != nil {
				return err
			}
			if a.status != 200 {
				return fmt.Errorf("status %d", a.status)
			}
		}
		return nil
	})
	mustGet(t, addr, "/", 403, home)
}
