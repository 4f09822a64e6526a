package config

import (
	"strings"
	"testing"
)

func loadAdmin(t *testing.T, text, admin string) (*Config, Report) {
	t.Helper()
	return Load([]Document{{Name: "x.toml", Data: []byte(text)}}, Options{Admin: admin})
}

func TestLocationsThatAreNotThereAreLeftOut(t *testing.T) {
	c, report := loadAdmin(t, "[servers.s]\naddr = '127.0.0.1:1'\nlocations = ['a']", "")
	if c == nil || len(c.Servers["s"].Locations) > 0 || len(report.Warnings) == 0 {
		t.Errorf("%+v", report)
	}
}

func TestAdminAddsAServer(t *testing.T) {
	c, report := loadAdmin(t, "", "alice:pass@127.0.0.1:3018/adm?max_age=1h")
	if c == nil {
		t.Fatal(report.Err())
	}
	s, l, p := c.Servers[AdminName], c.Locations[AdminName], c.Plugins[AdminName]
	if s == nil || s.Addr != "127.0.0.1:3018" || len(s.Locations) != 1 || l == nil || l.Path != "~^/adm(/|$)" || p == nil || p.Category != "admin" {
		t.Fatalf("%+v %+v %+v", s, l, p)
	}
	if p.Params["path"] != "/adm" || p.Params["max_age"] != "1h" || p.Params["authorizations"].([]any)[0] != "alice:pass" {
		t.Errorf("%+v", p.Params)
	}
	if text := string(Write(c, true)); strings.Contains(text, "admin") || strings.Contains(text, "pass") {
		t.Errorf("written: %s", text)
	}
}

func TestAdminAtTheAddressOfAServerComesFirstThere(t *testing.T) {
	c, report := loadAdmin(t, "[locations.a]\nweight = 60000\n[servers.s]\naddr = '127.0.0.1:1, 127.0.0.1:2'\nlocations = ['a']", "alice:pass@127.0.0.1:2/adm")
	if c == nil {
		t.Fatal(report.Err())
	}
	s := c.Servers["s"]
	if c.Servers[AdminName] != nil || len(s.Locations) != 2 || s.Locations[0] != AdminName || c.Locations[AdminName].Weight <= 60000 {
		t.Errorf("%+v", s)
	}
	text := string(Write(c, true))
	if !strings.Contains(text, `locations = ["a"]`) {
		t.Errorf("written: %s", text)
	}
	again, report := loadAdmin(t, text, "alice:pass@127.0.0.1:2/adm")
	if again == nil {
		t.Fatal(report.Err())
	}
	_, before := Encode(c)
	if _, after := Encode(again); before != after {
		t.Error("what was written is another configuration")
	}
}

func TestTablesMayNotHaveTheNameOfWhatAdminAdds(t *testing.T) {
	for _, text := range []string{"[servers.'pingap:admin']\naddr = '127.0.0.1:1'", "[locations.'pingap:admin']\npath = '/'", "[plugins.'pingap:admin']\ncategory = 'ping'"} {
		if c, _ := loadAdmin(t, text, ""); c != nil {
			t.Errorf("accepted: %s", text)
		}
	}
	c, report := loadAdmin(t, "[locations.a]\nplugins = ['pingap:admin']\n[servers.s]\naddr = '127.0.0.1:1'\nlocations = ['a']", "")
	if c == nil || len(report.Warnings) != 1 || !strings.Contains(report.Warnings[0].String(), "--admin only") {
		t.Errorf("%+v", report)
	}
	if c, _ := loadAdmin(t, "", "127.0.0.1:3018"); c != nil {
		t.Error("accepted without a user")
	}
}
