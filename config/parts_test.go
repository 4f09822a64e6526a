package config

import (
	"bytes"
	"strings"
	"testing"
)

const partsText = `
[basic]
threads = 2
[servers.web]
addr = "127.0.0.1:1" # a comment
locations = ["l"]
includes = ["s"]
nope = 1.0
[locations.l]
upstream = "u"
[upstreams.u]
addrs = ["127.0.0.1:2"]
[plugins."a b"]
category = "mock"
headers = ["a: b\n"]
nested = {x = [1, {y = true}]}
[[plugins."a b".rules]]
z = "1"
[storages.s]
category = "config"
value = "access_log = 'tiny'"
`

func TestPartsTogetherAreTheConfigurationThatWasTakenApart(t *testing.T) {
	docs := []Document{{Name: "x", Data: []byte(partsText)}}
	for _, expand := range []bool{false, true} {
		parts, report := Parts(docs, expand)
		if err := report.Err(); err != nil {
			t.Fatal(err)
		}
		var again []Document
		for _, p := range parts {
			again = append(again, Document{Name: p.Table + "/" + p.Name, Data: p.Text})
		}
		one, _ := Load(docs, Options{})
		two, report := Load(again, Options{})
		if one == nil || two == nil {
			t.Fatal(report.Err())
		}
		if a, b := Write(one, true), Write(two, true); !bytes.Equal(a, b) {
			t.Errorf("expand %v: taken apart and put together it is\n%s\nwant\n%s", expand, b, a)
		}
		web := string(parts[1].Text)
		if parts[1].Name != "web" || strings.Contains(web, "includes") == expand || strings.Contains(web, "tiny") != expand || !strings.Contains(web, "nope = 1.0") {
			t.Errorf("expand %v: %s", expand, web)
		}
	}
}

func TestPartsOfWhatIsNoConfigurationAreNone(t *testing.T) {
	for _, text := range []string{"[", "servers = 1", "[servers]\nweb = 1", "[servers.\"a\\u0000\"]"} {
		if parts, report := Parts([]Document{{Name: "x", Data: []byte(text)}}, true); parts != nil || len(report.Errors) == 0 {
			t.Errorf("%q: %v", text, parts)
		}
	}
}
