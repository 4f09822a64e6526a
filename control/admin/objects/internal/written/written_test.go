package written

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"pingap/config"
	"pingap/control/admin/objects/internal/schema"
	"pingap/control/source"
)

const conf = `# the front
[basic]
webhook_secret = "hush1"

[servers.web]
addr = "127.0.0.1:80"
locations = ["a"]

# about a
[locations.a]
path = "/" # why
upstream = "u"
plugins = ["auth", "pingap:ping"]
includes = ["s"]
proxy_set_headers = ["Authorization: hush2", "X-Plain: 1"]

[upstreams.u]
addrs = ["127.0.0.1:9"]

[upstreams.spare]
addrs = ["127.0.0.1:10"]

[plugins.auth]
category = "guard"
# password = "hush3"
users = ["hush4", "hush5", "hush6"]
key = "open"
fallback = "u"
  [[plugins.auth.apps]]
  name = "one"
  secret = "hush7"
  [[plugins.auth.apps]]
  name = "two"
  secret = "hush8"

[plugins.strange]
category = "nobody knows"
token = "hush9"
plain = "seen"

[storages.s]
category = "config"
value = '''
# token = hushA
proxy_add_headers = ["X-Token: hushB"]
host = "h"
'''

[storages.hidden]
category = "secret"
value = "hushC"
`

func testSchema() *schema.Schema {
	return schema.Of([]schema.Plugin{{Category: "guard", Keys: []schema.Key{
		{Name: "users", Type: "list", Secret: true}, {Name: "key", Type: "string"}, {Name: "fallback", Type: "string", Refers: "upstream"},
		{Name: "apps", Type: "table", Keys: []schema.Key{{Name: "name", Type: "string"}, {Name: "secret", Type: "string", Secret: true}}},
	}}})
}

func single(text string) *Objects {
	return reading(NewReader(testSchema()), text)
}

func reading(r *Reader, text string) *Objects {
	return r.Read([]source.Item{{Key: "p.toml", Data: []byte(text), Rev: "1"}}, []source.Document{{Path: "/c/p.toml", Data: []byte(text)}})
}

func TestObjectsKnowWhomTheyNameAndWhoNamesThem(t *testing.T) {
	o := single(conf)
	for _, c := range []struct {
		kind         config.Kind
		name         string
		uses, usedBy []string
		short        string
	}{
		{config.KindServer, "web", []string{"location:a"}, nil, "127.0.0.1:80"},
		{config.KindLocation, "a", []string{"storage:s", "plugin:auth", "upstream:u"}, []string{"server:web"}, "/ → u"},
		{config.KindUpstream, "u", nil, []string{"location:a", "plugin:auth"}, "127.0.0.1:9"},
		{config.KindUpstream, "spare", nil, nil, "127.0.0.1:10"},
	} {
		object := o.Find(c.kind, c.name)
		if !slices.Equal(object.Uses, c.uses) || !slices.Equal(object.UsedBy, c.usedBy) || o.Short(object) != c.short {
			t.Errorf("%s: uses %q, used by %q, %q", object.Object(), object.Uses, object.UsedBy, o.Short(object))
		}
	}
	if o.Find(config.KindUpstream, "none") != nil || o.Find(config.KindLocation, "a").Line != 10 {
		t.Error("what is not there, or where it is")
	}
}

func TestSecretsAreNeverShown(t *testing.T) {
	o := single(conf)
	all := []string{o.Document("/c/p.toml", []byte(conf))}
	for _, object := range o.All {
		value, err := json.Marshal(o.Value(object))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(value), o.Text(object), o.Short(object))
	}
	for _, text := range all {
		if strings.Contains(text, "hush") {
			t.Errorf("a secret in\n%s", text)
		}
	}
	for _, want := range []string{`key = "open"`, `plain = "seen"`, "# about a", "X-Plain: 1", `"***2"`, `host = "h"`, `"127.0.0.1:9"`} {
		if !strings.Contains(all[0], want) {
			t.Errorf("%s is not shown", want)
		}
	}
}

// Whatever is shown and comes back as it is changes nothing: neither as a value nor as a text.
func TestWhatIsShownComesBackAsItWas(t *testing.T) {
	o := single(conf)
	for _, object := range o.All {
		data, err := json.Marshal(o.Value(object))
		if err != nil {
			t.Fatal(err)
		}
		for _, wish := range []Wish{{Kind: object.Kind, Name: object.Name, Table: fromText(t, data)}, {Kind: object.Kind, Name: object.Name, Text: o.Text(object)}} {
			out, err := o.Change(source.Single, "p.toml", []Wish{wish})
			if err != nil || len(out.Mistakes)+len(out.Notes) > 0 {
				t.Fatalf("%s: %+v, %v", object.Object(), out, err)
			}
			for _, op := range out.Ops {
				t.Errorf("%s: changed to\n%s", object.Object(), op.Data)
			}
		}
	}
}

func fromText(t *testing.T, data []byte) map[string]any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var value map[string]any
	if err := d.Decode(&value); err != nil {
		t.Fatal(err)
	}
	table, err := Wanted(value)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// change fulfils wishes in a single file, and returns it.
func change(t *testing.T, text string, wishes ...Wish) string {
	t.Helper()
	out, err := single(text).Change(source.Single, "p.toml", wishes)
	if err != nil || len(out.Mistakes) > 0 || len(out.Ops) != 1 || out.Ops[0].Rev != "1" {
		t.Fatalf("%+v, %v", out, err)
	}
	return string(out.Ops[0].Data)
}

func TestMarksFollowTheirSecrets(t *testing.T) {
	for _, c := range []struct{ name, json, want string }{
		{"the first of a list less", `{"category":"guard","users":["***2","***3"]}`, `users = ["hush5", "hush6"]`},
		{"another order", `{"category":"guard","users":["***3","new","***1"]}`, `users = ["hush6", "new", "hush4"]`},
		{"the first of the tables less", `{"category":"guard","apps":[{"name":"two","secret":"***2"}]}`, `apps = [{name = "two", secret = "hush8"}]`},
	} {
		got := change(t, conf, Wish{Kind: config.KindPlugin, Name: "auth", Table: fromText(t, []byte(c.json))})
		if !strings.Contains(got, c.want) {
			t.Errorf("%s: no %s in\n%s", c.name, c.want, got)
		}
	}
	got := change(t, conf, Wish{Kind: config.KindLocation, Name: "a",
		Table: map[string]any{"path": "/", "upstream": "u", "proxy_set_headers": []any{"X-Plain: 2", "Authorization:[redacted]"}}})
	if !strings.Contains(got, `proxy_set_headers = ["X-Plain: 2", "Authorization: hush2"]`) {
		t.Errorf("a header that is shown in part:\n%s", got)
	}
	got = change(t, conf, Wish{Kind: config.KindStorage, Name: "s", Table: map[string]any{"category": "config",
		"value": "# token = ***\nproxy_add_headers = [\"X-Token:[redacted]\"]\nhost = \"other\"\n"}})
	if !strings.Contains(got, "# token = hushA\nproxy_add_headers = [\"X-Token: hushB\"]\nhost = \"other\"\n") {
		t.Errorf("the text of a storage:\n%s", got)
	}
}

func TestAMarkThatStandsForNothingIsAMistake(t *testing.T) {
	o := single(conf)
	for _, c := range []struct {
		kind  config.Kind
		name  string
		table map[string]any
		text  string
	}{
		{kind: config.KindPlugin, name: "new", table: map[string]any{"category": "guard", "users": []any{"***1"}}},
		{kind: config.KindPlugin, name: "auth", table: map[string]any{"category": "guard", "users": []any{"***4"}}},
		{kind: config.KindCertificate, name: "new", table: map[string]any{"tls_key": "***"}},
		{kind: config.KindLocation, name: "a", table: map[string]any{"proxy_set_headers": []any{"Cookie:[redacted]"}}},
		{kind: config.KindPlugin, name: "auth", text: "[plugins.auth]\ncategory = \"guard\"\nusers = [\"***9\"]\n"},
		{kind: config.KindPlugin, name: "auth", text: "[plugins.other]\ncategory = \"guard\"\n"},
		{kind: config.KindPlugin, name: "auth", text: "[plugins.auth]\ncategory = \n"},
		{kind: config.KindUpstream, name: "none"},
	} {
		out, err := o.Change(source.Single, "p.toml", []Wish{{Kind: c.kind, Name: c.name, Table: c.table, Text: c.text}})
		if err != nil || len(out.Mistakes) != 1 || len(out.Ops) > 0 {
			t.Errorf("%s %v %s: %+v, %v", c.name, c.table, c.text, out, err)
		}
	}
}

func TestAnObjectTakesItsSecretsToItsNewName(t *testing.T) {
	got := change(t, conf, Wish{Kind: config.KindPlugin, Name: "auth"},
		Wish{Kind: config.KindPlugin, Name: "renamed", Table: map[string]any{"category": "guard", "users": []any{"***1"}}})
	if !strings.Contains(got, "[plugins.renamed]\ncategory = \"guard\"\nusers = [\"hush4\"]\n") || strings.Contains(got, "plugins.auth") {
		t.Error(got)
	}
}

func TestFormsThatCannotBeEditedInPlace(t *testing.T) {
	table := map[string]any{"addrs": []any{"127.0.0.1:2"}}
	got := change(t, "# c\n[upstreams]\nu.addrs = [\"127.0.0.1:1\"]\nv.addrs = []\n", Wish{Kind: config.KindUpstream, Name: "u", Table: map[string]any{"addrs": []any{"127.0.0.1:2"}, "sni": "x"}})
	if want := []string{"sni = \"x\"", "127.0.0.1:2", "v.addrs = []", "# c"}; !containsAll(got, want) {
		t.Errorf("dotted keys:\n%s", got)
	}
	out, err := single("# c\nupstreams = { u = { addrs = [] }, v = { addrs = [] } }\n").Change(source.Single, "p.toml", []Wish{{Kind: config.KindUpstream, Name: "u", Table: table}})
	if err != nil || len(out.Notes) != 1 || !containsAll(string(out.Ops[0].Data), []string{"[upstreams.u]", "127.0.0.1:2", "[upstreams.v]"}) {
		t.Errorf("an inline table of tables: %+v, %v", out, err)
	}
	out, err = single("[upstreams.u\n").Change(source.Single, "p.toml", []Wish{{Kind: config.KindUpstream, Name: "u", Table: table}})
	if err == nil {
		t.Errorf("what is not TOML: %+v", out)
	}
}

func containsAll(text string, parts []string) bool {
	return !slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(text, p) })
}

func TestObjectsGoWhereTheLayoutWants(t *testing.T) {
	items := []source.Item{
		{Key: "mixed.toml", Data: []byte("[upstreams.u]\naddrs = []\n[locations.a]\npath = \"/\"\n"), Rev: "m"},
		{Key: "upstreams/v.toml", Data: []byte("[upstreams.v]\naddrs = []\n"), Rev: "v"},
	}
	docs := []source.Document{{Path: "/c/mixed.toml", Data: items[0].Data}, {Path: "/c/upstreams/v.toml", Data: items[1].Data}}
	table := map[string]any{"addrs": []any{"127.0.0.1:1"}}
	for _, c := range []struct {
		layout source.Layout
		wish   Wish
		key    string
		rev    string
		gone   bool
	}{
		{source.ByItem, Wish{Kind: config.KindUpstream, Name: "u", Table: table}, "mixed.toml", "m", false},
		{source.ByItem, Wish{Kind: config.KindUpstream, Name: "n", Table: table}, "upstreams/n.toml", "", false},
		{source.ByType, Wish{Kind: config.KindUpstream, Name: "n", Table: table}, "upstreams.toml", "", false},
		{source.ByItem, Wish{Kind: config.KindBasic, Table: map[string]any{"name": "x"}}, "basic.toml", "", false},
		{source.ByItem, Wish{Kind: config.KindUpstream, Name: "v"}, "upstreams/v.toml", "v", true},
		{source.ByItem, Wish{Kind: config.KindUpstream, Name: "u"}, "mixed.toml", "m", false},
	} {
		out, err := NewReader(testSchema()).Read(items, docs).Change(c.layout, "p.toml", []Wish{c.wish})
		if err != nil || len(out.Ops) != 1 {
			t.Fatalf("%+v: %+v, %v", c.wish, out, err)
		}
		if op := out.Ops[0]; op.Key != c.key || op.Rev != c.rev || (op.Data == nil) != c.gone {
			t.Errorf("%+v: %s %q %q", c.wish, op.Key, op.Rev, op.Data)
		}
	}
}

func TestWhoStillNamesAnObject(t *testing.T) {
	o := single(conf)
	gone := Wish{Kind: config.KindUpstream, Name: "u"}
	without := Wish{Kind: config.KindLocation, Name: "a", Table: map[string]any{"upstream": "spare"}}
	byText := Wish{Kind: config.KindPlugin, Name: "auth", Text: "[plugins.auth]\ncategory = \"guard\"\nfallback = \"u\"\n"}
	for _, c := range []struct {
		wishes []Wish
		want   []string
	}{
		{[]Wish{gone}, []string{"location:a", "plugin:auth"}},
		{[]Wish{gone, without}, []string{"plugin:auth"}},
		{[]Wish{gone, without, byText}, []string{"plugin:auth"}},
		{[]Wish{gone, without, {Kind: config.KindPlugin, Name: "auth"}}, nil},
	} {
		if got := o.StillUsed(config.KindUpstream, "u", c.wishes); !slices.Equal(got, c.want) {
			t.Errorf("%+v: %q", c.wishes, got)
		}
	}
}

func TestNumbersOfJSON(t *testing.T) {
	table := fromText(t, []byte(`{"a":1,"b":1.0,"c":[true,{"d":"x"}],"e":null,"f":1e3}`))
	want := map[string]any{"a": int64(1), "b": 1.0, "c": []any{true, map[string]any{"d": "x"}}, "f": 1000.0}
	if !same(table, want) {
		t.Errorf("%#v", table)
	}
	for _, bad := range []string{`{"a":99999999999999999999}`, `{"a":[null]}`, `{"a":1e999}`} {
		d := json.NewDecoder(strings.NewReader(bad))
		d.UseNumber()
		var value map[string]any
		if err := d.Decode(&value); err != nil {
			t.Fatal(err)
		}
		if _, err := Wanted(value); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
}

// Whatever comes, what is written means what was wanted, and nothing of another object is changed.
func FuzzChange(f *testing.F) {
	f.Add("# c\n[locations.a] # d\npath = '/'\nweight = 1\n\n[locations.b]\npath = '/b'\n", "a", `{"path":"/z"}`, "")
	f.Add("[locations.b]\npath = '/b'\n[basic]\n", "new", `{"path":"/z","weight":3,"x":[{"y":1.5}]}`, "")
	f.Add("[locations.a]\nproxy_set_headers = ['Cookie: a']\n", "a", ``, "# c\n[locations.a]\nproxy_set_headers = ['Cookie:[redacted]']\n")
	f.Add("locations.a.path = 'x'\nlocations.b = {}", "b", `{"path":"***"}`, "")
	f.Add("[locations]\na = {}", "a", "null", "")
	r := NewReader(testSchema())
	f.Fuzz(func(t *testing.T, doc, name, value, text string) {
		o := reading(r, doc)
		if len(o.Problems) > 0 || name == "" {
			return
		}
		wish := Wish{Kind: config.KindLocation, Name: name, Text: text}
		if text == "" {
			d := json.NewDecoder(strings.NewReader(value))
			d.UseNumber()
			var table map[string]any
			if d.Decode(&table) != nil {
				return
			}
			if table != nil {
				var err error
				if wish.Table, err = Wanted(table); err != nil {
					return
				}
			}
		}
		out, err := o.Change(source.Single, "p.toml", []Wish{wish})
		if err != nil || len(out.Mistakes) > 0 || len(out.Ops) == 0 {
			return
		}
		after := reading(r, string(out.Ops[0].Data))
		if len(after.Problems) > 0 {
			t.Fatalf("%q is no TOML: %v", out.Ops[0].Data, after.Problems)
		}
		for _, object := range o.All {
			if object.Kind == config.KindLocation && object.Name == name {
				continue
			}
			if now := after.Find(object.Kind, object.Name); now == nil || !same(now.Table, object.Table) {
				t.Errorf("%s of %q is another in %q", object.Object(), doc, out.Ops[0].Data)
			}
		}
		if now := after.Find(config.KindLocation, name); (now != nil) != (wish.Table != nil || wish.Text != "") {
			t.Errorf("%q of %q: %v", name, out.Ops[0].Data, now)
		}
	})
}
