package config

import (
	"reflect"
	"strings"
	"testing"
)

const diffBase = `
[basic]
log_level = "info"
workers = 1
webhook = "https://hook/old"
[servers.web]
addr = "127.0.0.1:80"
locations = ["a"]
threads = 1
[locations.a]
upstream = "u"
path = "/a"
proxy_set_headers = ["X-A:1", "Authorization:Basic old"]
[upstreams.u]
addrs = ["127.0.0.1"]
[plugins.p]
category = "limit"
max = 1
burst = 2
secret = "old"
`

func edit(pairs ...string) string { return strings.NewReplacer(pairs...).Replace(diffBase) }

func TestClassOfChanges(t *testing.T) {
	tests := []struct {
		name, text string
		want       Class
	}{
		{"nothing", diffBase, Same},
		{"only text", edit("workers = 1", "workers = 1 # one") + "[storages.x]\ncategory='config'\nvalue='y'\n", Same},
		{"key without effect", edit("threads = 1", "threads = 2"), Same},
		{"default written out", edit(`path = "/a"`, "path = \"/a\"\nmax_retries = 1"), Same},
		{"upstream", edit(`addrs = ["127.0.0.1"]`, `addrs = ["127.0.0.2"]`), Hot},
		{"new upstream", diffBase + "[upstreams.v]\naddrs=['127.0.0.1']\n", Hot},
		{"location", edit(`path = "/a"`, `path = "/b"`), Hot},
		{"new location", edit(`locations = ["a"]`, `locations = ["a", "b"]`) + "[locations.b]\nupstream='u'\n", Hot},
		{"plugin parameter", edit("max = 1", "max = 2"), Hot},
		{"plugin parameter of another type", edit("burst = 2", "burst = 2.0"), Hot},
		{"certificate", diffBase + "[certificates.c]\ntls_cert='x'\n", Hot},
		{"log level", edit(`"info"`, `"debug"`), Hot},
		{"trusted proxies", edit("workers = 1", "workers = 1\ntrusted_proxies = ['10.0.0.0/8']"), Hot},
		{"error template", edit("workers = 1", "workers = 1\nerror_template = 'x'"), Hot},
		{"server limit", edit("threads = 1", "threads = 1\nheader_timeout = '1s'"), Hot},
		{"pool of all upstreams", edit("workers = 1", "workers = 1\nupstream_keepalive_pool_size = 5"), Hot},
		{"address", edit("127.0.0.1:80", "127.0.0.1:81"), Listeners},
		{"another server", diffBase + "[servers.b]\naddr='127.0.0.1:82'\n", Listeners},
		{"another server and its option", diffBase + "[servers.b]\naddr='127.0.0.1:82'\nreuse_port=true\n", Listeners},
		{"workers", edit("workers = 1", "workers = 2"), Roll},
		{"socket option", edit("threads = 1", "threads = 1\nreuse_port = true"), Roll},
		{"hot and roll", edit("workers = 1", "workers = 2", `path = "/a"`, `path = "/b"`), Roll},
	}
	old := mustLoad(t, diffBase)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			after := mustLoad(t, tt.text)
			changes := Diff(old, after)
			if got := changes.Class(); got != tt.want {
				t.Errorf("forward it is %s, want %s:\n%s", got, tt.want, changes.Text())
			}
			if got := Diff(after, old).Class(); got != tt.want {
				t.Errorf("backward it is %s, want %s", got, tt.want)
			}
			_, shaOld := Encode(old)
			_, shaNew := Encode(after)
			if (shaOld == shaNew) != (tt.want == Same) {
				t.Errorf("snapshots %s and %s", shaOld, shaNew)
			}
		})
	}
}

// TestEveryKeyShowsInDiffAndSnapshot changes each key of the tree alone.
func TestEveryKeyShowsInDiffAndSnapshot(t *testing.T) {
	s := newSchema()
	for kind := KindBasic; kind < KindStorage; kind++ {
		for i := range s[kind].Keys {
			k := &s[kind].Keys[i]
			old, changed := newConfig(s), newConfig(s)
			old.newObject(s[kind], kind, "x")
			object := changed.newObject(s[kind], kind, "x")
			change(object.Field(k.field))
			name := kind.Table() + "." + k.Name
			changes := Diff(old, changed)
			_, shaOld := Encode(old)
			data, shaNew := Encode(changed)
			if k.Class == Same {
				if len(changes) != 0 || shaOld != shaNew {
					t.Errorf("%s has no effect, but shows", name)
				}
				continue
			}
			if len(changes) != 1 || len(changes[0].Keys) != 1 || changes[0].Keys[0].Key != k.Name || changes.Class() != k.Class {
				t.Errorf("%s: changes %+v", name, changes)
			}
			snapshot, err := OpenSnapshot(data)
			if err != nil || shaOld == shaNew {
				t.Fatalf("%s: %v", name, err)
			}
			if decoded, err := snapshot.Config(); err != nil || len(Diff(changed, decoded)) != 0 {
				t.Errorf("%s is lost in the snapshot: %v", name, err)
			}
		}
	}
}

// change gives the field another value than its default.
func change(field reflect.Value) {
	switch field.Kind() {
	case reflect.String:
		field.SetString(field.String() + "x")
	case reflect.Bool:
		field.SetBool(!field.Bool())
	case reflect.Slice:
		field.Set(reflect.ValueOf([]string{"x", ""}))
	default:
		field.SetInt(field.Int() + 1)
	}
}

func TestTextOfChanges(t *testing.T) {
	after := mustLoad(t, edit(
		`"info"`, `"debug"`, "hook/old", "hook/new",
		"Basic old", "Basic new", `path = "/a"`, `path = "/b"`,
		"max = 1", "max = 2\ntag = \"ip\"", `secret = "old"`, `secret = "new"`,
		"[upstreams.u]", "[upstreams.v]", `upstream = "u"`, `upstream = "v"`))
	want := `[MODIFIED] basic
+ log_level = "debug"
`
	want = strings.Replace(want, "+ ", "- log_level = \"info\"\n+ ", 1) + `- webhook = [redacted]
+ webhook = [redacted]

[MODIFIED] location:a
- path = "/a"
+ path = "/b"
- upstream = "u"
+ upstream = "v"
- proxy_set_headers = ["X-A:1", "Authorization:[redacted]"]
+ proxy_set_headers = ["X-A:1", "Authorization:[redacted]"]

-- [REMOVED] upstream:u

++ [ADDED] upstream:v

[MODIFIED] plugin:p
- max = 1
+ max = 2
- secret = [redacted]
+ secret = [redacted]
+ tag = "ip"
`
	changes := Diff(mustLoad(t, diffBase), after)
	if got := changes.Text(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	if kinds := changes.Kinds(); !reflect.DeepEqual(kinds, []Kind{KindBasic, KindLocation, KindUpstream, KindPlugin}) {
		t.Errorf("kinds %v", kinds)
	}
}

func TestDiffShowsNoSecrets(t *testing.T) {
	tests := []struct {
		name string
		v    any
		want string
	}{
		{"authorizations", []any{"dXNlcjpwYXNz"}, "[redacted]"},
		{"headers", []any{"X-Api-Key: k", "X-A: b"}, `["X-Api-Key:[redacted]", "X-A: b"]`},
		{"url", "https://user:pass@host/x", `"https://[redacted]@host/x"`},
		{"url", "https://host/x?token=abc", `"https://host/x?[redacted]"`},
		{"url", "https://host/x?a=b", `"https://host/x?a=b"`},
		{"rules", map[string]any{"password": "x", "n": int64(1), "f": 1.5}, `{ f = 1.5, n = 1, password = [redacted] }`},
	}
	for _, tt := range tests {
		if got := showParam(tt.name, tt.v); got != tt.want {
			t.Errorf("%s is shown as %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestNeedsNamesTheReasons(t *testing.T) {
	after := mustLoad(t, edit("workers = 1", "workers = 2", "127.0.0.1:80", "127.0.0.1:81", `path = "/a"`, `path = "/b"`)+"[servers.b]\naddr='127.0.0.1:90'\n")
	changes := Diff(mustLoad(t, diffBase), after)
	if got := strings.Join(changes.Needs(Roll), " "); got != "basic.workers" {
		t.Errorf("roll: %s", got)
	}
	if got := strings.Join(changes.Needs(Listeners), " "); got != "basic.workers servers.b servers.web.addr" {
		t.Errorf("listeners: %s", got)
	}
}

func TestDiffFromNothing(t *testing.T) {
	changes := Diff(nil, mustLoad(t, diffBase))
	if changes.Class() != Roll || len(changes) != 5 {
		t.Errorf("%s:\n%s", changes.Class(), changes.Text())
	}
}
