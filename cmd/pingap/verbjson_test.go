package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pingap/ipc"
)

// usages are the forms that the help of a verb shows: "config export" and what stands behind it.
func usages(v verb) map[string]string {
	found := map[string]string{}
	for line := range strings.Lines(v.help) {
		_, form, ok := strings.Cut(line, "pingap "+v.name+" ")
		if !ok {
			if len(found) > 0 {
				break
			}
			continue
		}
		word, rest, _ := strings.Cut(strings.TrimSpace(form), " ")
		found[v.name+" "+word] = rest
	}
	return found
}

// answering stands for an instance that knows all verbs.
func answering(b ipc.Body) ipc.Body {
	switch b := b.(type) {
	case *ipc.UpstreamAdmin:
		return &ipc.UpstreamChanged{Address: b.Address}
	case *ipc.ConfigRead:
		return part(map[string]string{
			ipc.ConfigList: `{"live":2,"versions":[{"number":2}]}`, ipc.ConfigShow: `{"number":2,"config":"[basic]\n"}`, ipc.ConfigDiff: `{"from":1,"to":2,"changes":[]}`,
			ipc.ConfigUpstreams: `{"upstreams":[{"name":"u","backends":[{"address":"a:1"}]}]}`, ipc.ConfigCertificates: `{"certificates":[]}`,
		}[b.What])
	}
	return nil
}

// storedIn makes a configuration directory whose upstream was written twice and has an item that its layout would not write.
func storedIn(t *testing.T) (conf, kept string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "c")
	conf = dir + "?separation=true&enable_history=true"
	for _, port := range []string{"9", "10"} {
		file := write(t, strings.ReplaceAll(goodConfig, "127.0.0.1:9\"", "127.0.0.1:"+port+"\""))
		if got := command(t, nil, "config", "import", file, "-c", conf); got.code != 0 {
			t.Fatalf("%+v", got)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "more.toml"), []byte("[upstreams.more]\naddrs = [\"127.0.0.1:11\"]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := command(t, nil, "config", "kept", "upstreams/u.toml", "-c", conf)
	kept, _, _ = strings.Cut(got.out, "\t")
	if got.code != 0 || kept == "" {
		t.Fatalf("%+v", got)
	}
	return conf, kept
}

func TestAllVerbsOfObjectsPrintJSON(t *testing.T) {
	conf, kept := storedIn(t)
	file := write(t, "[upstreams.u]\naddrs = [\"127.0.0.1:12\"]\n")
	cases := []struct {
		words []string
		want  map[string]any // of the document, as Go reads JSON; nil: it is there
	}{
		{[]string{"upstream", "list"}, map[string]any{"upstreams": nil}},
		{[]string{"upstream", "drain", "u", "a:1"}, map[string]any{"upstream": "u", "address": "a:1", "admin": "drain"}},
		{[]string{"upstream", "down", "u", "a:1"}, map[string]any{"admin": "down"}},
		{[]string{"upstream", "up", "u", "a:1"}, map[string]any{"admin": "up"}},
		{[]string{"cert", "list"}, map[string]any{"certificates": nil}},
		{[]string{"config", "list"}, map[string]any{"live": 2.0, "versions": nil}},
		{[]string{"config", "show", "2"}, map[string]any{"number": 2.0, "config": "[basic]\n"}},
		{[]string{"config", "diff", "1", "2"}, map[string]any{"from": 1.0, "to": 2.0, "changes": []any{}}},
		{[]string{"config", "export"}, map[string]any{"source": conf, "config": nil}},
		{[]string{"config", "kept", "upstreams/u.toml"}, map[string]any{"source": conf, "key": "upstreams/u.toml", "kept": nil}},
		{[]string{"config", "kept", "upstreams/none.toml"}, map[string]any{"kept": []any{}}},
		{[]string{"config", "migrate"}, map[string]any{"source": conf, "migrated": []any{map[string]any{"key": "more.toml", "renamed_to": ""}}}},
		{[]string{"config", "migrate"}, map[string]any{"migrated": []any{}}},
		{[]string{"config", "restore", "upstreams/u.toml", kept}, map[string]any{"source": conf, "key": "upstreams/u.toml", "id": kept}},
		{[]string{"config", "import", file}, map[string]any{"source": conf, "written": []any{"upstreams/u.toml"},
			"kept": []any{"locations/l.toml", "servers/web.toml", "upstreams/more.toml"}}},
	}
	tested := map[string]bool{}
	dir := fakeInstance(t, answering)
	for _, c := range cases {
		name := strings.Join(c.words[:2], " ")
		tested[name] = true
		t.Run(name, func(t *testing.T) {
			got := command(t, map[string]string{"PINGAP_RUN_DIR": dir, "PINGAP_CONF": conf}, append(slices.Clone(c.words), "--json")...)
			if got.code != 0 || got.errors != "" {
				t.Fatalf("%+v", got)
			}
			checkDocument(t, got.out, c.want)
		})
	}
	for _, v := range []verb{upstreamVerb(), certVerb(), configVerb()} {
		forms := usages(v)
		for name, form := range forms {
			if !tested[name] || !strings.Contains(form, "[--json]") {
				t.Errorf("%s %s: tested %v, or the help does not show --json", name, form, tested[name])
			}
		}
		if len(forms) == 0 {
			t.Errorf("%s: no form found in its help", v.name)
		}
	}
}

// checkDocument expects one JSON document and nothing else.
func checkDocument(t *testing.T, text string, want map[string]any) {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(text))
	var found map[string]any
	if err := dec.Decode(&found); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		t.Errorf("more than a document: %s", text)
	}
	for key, value := range want {
		if v, ok := found[key]; !ok || value != nil && fmt.Sprint(v) != fmt.Sprint(value) {
			t.Errorf("%s is %v, want %v", key, v, value)
		}
	}
}

func TestWhatIsKeptSaysWhenAndHowMuchAsJSON(t *testing.T) {
	conf, kept := storedIn(t)
	got := command(t, nil, "config", "kept", "upstreams/u.toml", "-c", conf, "--json")
	var doc jsonKept
	if err := json.Unmarshal([]byte(got.out), &doc); err != nil || len(doc.Kept) != 1 {
		t.Fatalf("%v: %+v", err, got)
	}
	if f := doc.Kept[0]; f.ID != kept || f.Size == 0 || time.Since(f.At) > time.Hour {
		t.Errorf("%+v", f)
	}
	// An export is one document of what can be imported again.
	got = command(t, nil, "config", "export", "-c", conf, "--json")
	var text jsonExport
	if err := json.Unmarshal([]byte(got.out), &text); err != nil || text.Config != command(t, nil, "config", "export", "-c", conf).out {
		t.Errorf("%v: %+v", err, got)
	}
}

func TestWhatIsNotWrittenIsARefusalAsJSON(t *testing.T) {
	conf, kept := storedIn(t)
	bad := write(t, "[locations.l]\nplugins = [\"gone\"]\n")
	got := command(t, nil, "config", "import", bad, "-c", conf, "--json")
	var doc refused
	if err := json.Unmarshal([]byte(got.out), &doc); err != nil || got.code != 1 || len(doc.Errors) != 1 || !strings.Contains(doc.Message, "nothing was written") {
		t.Fatalf("%v: %+v", err, got)
	}
	for _, part := range []string{"locations/l.toml:", "nothing was written"} {
		if !strings.Contains(got.errors, part) {
			t.Errorf("%q lacks %q", got.errors, part)
		}
	}
	// What fails for another reason is told as ever.
	for _, words := range [][]string{{"config", "restore", "upstreams/u.toml", kept + "1"}, {"config", "import", bad + ".none"}} {
		if got := command(t, nil, append(words, "-c", conf, "--json")...); got.code != 1 || got.out != "" || got.errors == "" {
			t.Errorf("%q: %+v", words, got)
		}
	}
}
