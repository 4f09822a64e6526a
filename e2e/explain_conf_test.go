package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// explainedConf has locations of all kinds, and plugins of most.
func explainedConf(addr, log, files, up, other, single, dead string) string {
	return strings.NewReplacer("ADDR", addr, "LOG", log, "FILES", files, "UP", strings.ReplaceAll(up, ",", `", "`), "OTHER", other, "SINGLE", single, "DEAD", dead).Replace(`
[basic]
trusted_proxies = ["127.0.0.1"]
[servers.web]
addr = "ADDR"
access_log = "LOG?rolling=never {>x-n}|{:location}|{:upstream_addr}|{status}"
locations = ["exact", "exact-low", "regex", "captured", "hosted", "wildcard", "hostregex", "header", "headervalue", "query", "cookie", "rewritten", "named",
  "deep", "auth", "key", "token", "forms", "cross", "inner", "robots", "pictures", "moved", "mocked", "files", "limited", "few", "small", "split",
  "apps", "stored", "watched", "chain", "hash", "least", "gone", "variable", "sized", "any"]

[upstreams.up]
addrs = ["UP"]
[upstreams.other]
addrs = ["OTHER"]
[upstreams.byhash]
addrs = ["UP"]
algo = "hash:header:x-key"
[upstreams.byload]
addrs = ["SINGLE"]
algo = "least_conn"
[upstreams.dead]
addrs = ["DEAD"]

[locations.exact]
path = "=/exact"
upstream = "up"
[locations.exact-low]
path = "/exact"
weight = 5
upstream = "other"
[locations.regex]
path = "~^/v[0-9]+/items"
upstream = "up"
[locations.captured]
path = "~^/users/(?P<user>[a-z]+)"
rewrite = "^/users/[a-z]+ /u/$user"
upstream = "up"
proxy_set_headers = ["X-User:$user"]
[locations.hosted]
host = "one.example, two.example"
path = "/h"
upstream = "up"
[locations.wildcard]
host = "*.wild.example"
path = "/h"
upstream = "other"
[locations.hostregex]
host = "~^(?P<shop>[a-z]+)\\.shop\\.example$"
path = "/h"
upstream = "up"
proxy_set_headers = ["X-Shop:$shop"]
[locations.header]
path = "/cond"
match_headers = ["X-Any"]
weight = 900
upstream = "up"
[locations.headervalue]
path = "/cond"
match_headers = ["X-Lane: blue"]
weight = 1000
upstream = "up"
[locations.query]
path = "/cond"
match_query = ["debug:1"]
weight = 800
upstream = "up"
[locations.cookie]
path = "/cond"
match_cookies = ["beta"]
weight = 700
upstream = "up"
[locations.rewritten]
path = "/api"
rewrite = "^/api/(.*) /$1"
upstream = "up"
enable_reverse_proxy_headers = true
proxy_add_headers = ["X-More:two"]
[locations.named]
path = "/named"
rewrite = "^/named/(?P<rest>.*)$ /n/${rest}?from=named"
upstream = "other"
[locations.deep]
path = "/deep/er"
upstream = "other"
[locations.auth]
path = "/auth"
upstream = "up"
plugins = ["staff"]
[locations.key]
path = "/key"
upstream = "up"
plugins = ["partners"]
[locations.token]
path = "/token"
upstream = "up"
plugins = ["session"]
[locations.forms]
path = "/forms"
upstream = "up"
plugins = ["forms"]
[locations.cross]
path = "/cross"
upstream = "up"
plugins = ["cross"]
[locations.inner]
path = "/inner"
upstream = "up"
plugins = ["inner"]
[locations.robots]
path = "/robots"
upstream = "up"
plugins = ["robots"]
[locations.pictures]
path = "/pictures"
upstream = "up"
plugins = ["pages"]
[locations.moved]
path = "/moved"
upstream = "up"
plugins = ["moved"]
[locations.mocked]
path = "/mock"
plugins = ["pingap:ping", "text"]
[locations.files]
path = "/files"
rewrite = "^/files /"
plugins = ["files"]
[locations.limited]
path = "/limited"
upstream = "up"
plugins = ["rate"]
[locations.few]
path = "/few"
upstream = "up"
plugins = ["few"]
[locations.small]
path = "/small"
client_max_body_size = "10"
upstream = "up"
[locations.split]
path = "/split"
upstream = "up"
plugins = ["canary"]
[locations.apps]
path = "/apps"
upstream = "up"
plugins = ["apps"]
[locations.stored]
path = "/stored"
upstream = "up"
plugins = ["stored"]
[locations.watched]
path = "/watched"
upstream = "up"
plugins = ["watching"]
[locations.chain]
path = "/chain"
rewrite = "^/chain /c"
upstream = "up"
plugins = ["ids", "narrow", "robots", "partners", "harden", "figures", "pack"]
[locations.hash]
path = "/hash"
upstream = "byhash"
[locations.least]
path = "/least"
upstream = "byload"
[locations.gone]
path = "/gone"
upstream = "dead"
[locations.variable]
path = "~^/to/(?P<where>[a-z]+)"
upstream = "$where"
[locations.sized]
path = "/sized"
max_processing = 100
upstream = "up"
[locations.any]
path = "/any"
upstream = "other"
weight = 1

[plugins.staff]
category = "basic_auth"
authorizations = ["YWxpY2U6d29uZGVybGFuZA=="]
hide_credentials = true
[plugins.partners]
category = "key_auth"
header = "X-Api-Key"
keys = ["KOXQaw"]
hide_credentials = true
[plugins.session]
category = "jwt"
header = "Authorization"
secret = "bYkZWLBHYMdgjw5UXsmTKDoxAj6BtVJH"
[plugins.forms]
category = "csrf"
token_path = "/forms/token"
key = "WjrXUG47wu"
[plugins.cross]
category = "cors"
[plugins.inner]
category = "ip_restriction"
ip_list = ["192.0.2.0/24"]
[plugins.robots]
category = "ua_restriction"
type = "deny"
ua_list = ["(?i)bot"]
[plugins.pages]
category = "referer_restriction"
referer_list = ["*.example.com"]
[plugins.moved]
category = "redirect"
prefix = "/v2"
[plugins.text]
category = "mock"
status = 418
data = "short and stout"
[plugins.files]
category = "directory"
path = "FILES"
[plugins.rate]
category = "limit"
max = 3
interval = "1h"
[plugins.few]
category = "limit"
type = "inflight"
max = 1
[plugins.canary]
category = "traffic_splitting"
upstream = "other"
weight = 100
stickiness = true
sticky_header = "X-Lane"
matcher = "^beta"
[plugins.apps]
category = "combined_auth"
[[plugins.apps.authorizations]]
app_id = "status"
secret = "*"
[plugins.stored]
category = "cache"
[plugins.watching]
category = "ip_restriction"
ip_list = ["192.0.2.0/24"]
mode = "shadow"
[plugins.ids]
category = "request_id"
[plugins.narrow]
category = "accept_encoding"
encodings = "gzip"
only_one_encoding = true
[plugins.harden]
category = "response_headers"
set_headers = ["X-Frame-Options: DENY"]
[plugins.figures]
category = "stats"
path = "/internal/stats"
[plugins.pack]
category = "compression"
gzip_level = 5
min_length = "1mb"
`)
}

// hard is a token of nobody.
const hardToken = "eyJhbGciOiJIUzI1NiJ9.eyJhIjoxfQ.AAAA"

// explainedCases are requests that meet everything in explainedConf.
func explainedCases() []explainedCase {
	c := func(method, target string, headers ...string) explainedCase {
		return explainedCase{method: method, target: target, headers: headers}
	}
	return []explainedCase{
		c("GET", "/exact"), c("GET", "/exact?x=1"), c("GET", "/exact/"), c("GET", "//./exact"), c("GET", "/EXACT"),
		c("GET", "/v1/items/7"), c("GET", "/v/items"), c("GET", "/x/v1/items"),
		c("GET", "/users/bob/x"), c("GET", "/users/42"),
		c("GET", "/h/1", "Host: one.example"), c("GET", "/h/1", "Host: TWO.example:80"), c("GET", "/h", "Host: three.example"),
		c("GET", "/h", "Host: a.b.wild.example"), c("GET", "/h", "Host: wild.example"), c("GET", "/h", "Host: red.shop.example"),
		c("GET", "/cond", "X-Any: 1"), c("GET", "/cond", "X-Any: 1", "X-Lane: blue"), c("GET", "/cond?debug=1"), c("GET", "/cond?debug=2"),
		c("GET", "/cond", "Cookie: a=1; beta=x"), c("GET", "/cond"),
		c("GET", "/api/a/b?c=d", "X-Forwarded-For: 192.0.2.7"), c("POST", "/api/x"), c("GET", "/api"),
		c("GET", "/named/a?b=c"), c("GET", "/named"), c("GET", "/deep/er/x"), c("GET", "/deep"), c("GET", "/deep/%65r"),
		c("GET", "/auth"), c("GET", "/auth", "Authorization: Basic YWxpY2U6d29uZGVybGFuZA=="), c("GET", "/auth", "Authorization: Basic YTpi"),
		c("GET", "/key"), c("GET", "/key", "X-Api-Key: KOXQaw"), c("GET", "/key", "X-Api-Key: no"),
		c("GET", "/token"), c("GET", "/token", "Authorization: Bearer "+hardToken),
		c("GET", "/forms"), c("POST", "/forms"), c("GET", "/forms/token"), c("POST", "/forms", "X-Csrf-Token: x"),
		c("OPTIONS", "/cross", "Origin: https://a.example"), c("GET", "/cross", "Origin: https://a.example"),
		c("GET", "/inner"), c("GET", "/inner", "X-Forwarded-For: 192.0.2.9"), c("GET", "/inner", "X-Real-IP: 192.0.2.9"),
		c("GET", "/robots", "User-Agent: GoodBot"), c("GET", "/robots", "User-Agent: Mozilla"),
		c("GET", "/pictures", "Referer: https://www.example.com/"), c("GET", "/pictures", "Referer: https://evil.example/"), c("GET", "/pictures"),
		c("GET", "/moved"), c("GET", "/moved/v2"), c("GET", "/mock"), c("GET", "/mock/ping"),
		c("GET", "/files/a.txt"), c("GET", "/files/none"), c("POST", "/files/a.txt"), c("GET", "/files/../../etc/passwd"),
		c("GET", "/limited"), c("GET", "/limited"), c("GET", "/limited"), c("GET", "/limited"), c("GET", "/limited", "X-Forwarded-For: 192.0.2.9"),
		c("GET", "/few"), c("POST", "/small"),
		c("GET", "/split"), c("GET", "/split", "X-Lane: beta-7"), c("GET", "/split", "X-Lane: alpha"),
		c("GET", "/apps"), c("GET", "/apps?app_id=status"), c("GET", "/apps?app_id=none"),
		c("GET", "/stored/1"), c("GET", "/stored/2"),
		c("GET", "/watched"), c("GET", "/watched", "X-Forwarded-For: 192.0.2.9"),
		c("GET", "/chain/x?y", "X-Api-Key: KOXQaw", "Accept-Encoding: br, gzip"), c("GET", "/chain", "User-Agent: bot"), c("GET", "/chain"),
		c("GET", "/hash", "X-Key: a"), c("GET", "/hash", "X-Key: b"), c("GET", "/hash", "X-Key: c"), c("GET", "/hash"),
		c("GET", "/least"), c("GET", "/to/other"), c("GET", "/to/nowhere"), c("GET", "/sized"),
		c("GET", "/any"), c("GET", "/"), c("GET", "/nothing"), c("DELETE", "/any/1"), c("HEAD", "/any"),
	}
}

// filesFor makes the files that a location serves.
func filesFor(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "files")
	if err := os.Mkdir(path, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(path, "a.txt"), "a file")
	return path
}

// manyRoutes are n locations by host and path, the last of them without a host.
func manyRoutes(addr string, n int) string {
	var b, names strings.Builder
	for i := range n {
		fmt.Fprintf(&names, "%q, ", fmt.Sprintf("l%d", i))
		fmt.Fprintf(&b, "[locations.l%d]\nhost = \"h%d.example\"\npath = \"/service/%d/\"\nplugins = [\"text\"]\n", i, i%100, i)
	}
	return fmt.Sprintf("[servers.web]\naddr = %q\nlocations = [%s]\n[plugins.text]\ncategory = \"mock\"\ndata = \"x\"\n", addr, names.String()) + b.String()
}
