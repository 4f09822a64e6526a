package source

import (
	"errors"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	base := Base{Home: "/home/u", Dir: "/srv/w"}
	cases := []struct {
		conf string
		want Location
	}{
		{"/etc/pingap.toml", Location{Path: "/etc/pingap.toml"}},
		{"conf/../pingap.toml", Location{Path: "/srv/w/pingap.toml"}},
		{"~/p", Location{Path: "/home/u/p"}},
		{"~", Location{Path: "/home/u"}},
		{"~x/p", Location{Path: "/srv/w/~x/p"}},
		{"/c?separation", Location{Path: "/c", Separation: true}},
		{"/c?separation=true", Location{Path: "/c", Separation: true}},
		{"/c?separation=false", Location{Path: "/c"}},
		{"/c?separation&enable_history=true", Location{Path: "/c", Separation: true, History: true}},
		{"/c?enable_history=true", Location{Path: "/c"}},
		{"/c?other=1", Location{Path: "/c"}},
	}
	for _, c := range cases {
		got, err := Parse(c.conf, base)
		if err != nil || got != c.want {
			t.Errorf("Parse(%q) = %+v, %v; want %+v", c.conf, got, err, c.want)
			continue
		}
		if again, err := Parse(got.String(), base); err != nil || again != got {
			t.Errorf("Parse(%q), its own String, = %+v, %v", got.String(), again, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	cases := []struct {
		conf, text  string
		unsupported bool
	}{
		{"", "no configuration", false},
		{"?separation", "path is empty", false},
		{"~/x", "home directory is not known", false},
		{"/c?separation&enable_history=1", "expected true or false", false},
		{"/c?%zz", "options", false},
		{"/a.hcl", "not supported yet", true},
		{"/a.kdl?x", "not supported yet", true},
		{"etcd://h:2379/p?password=geheim", "needed together", false},
		{"etcd://h:2379/p?user=u&password=geheim%zz", "well-formed", false},
		{"etcd://h:2379/p?passwort=geheim", "unknown option", false},
		{"etcd://u:geheim@h:2379/p", "user and password are options", false},
		{"etcd://h:2379", "expected the path", false},
		{"etcd:///p", "hosts", false},
		{"etcd://h:x/p", "expected host:port", false},
		{"etcd://h/p?timeout=10", "unit", false},
		{"etcd://h/p?enable_history=1", "true or false", false},
	}
	for _, c := range cases {
		_, err := Parse(c.conf, Base{Dir: "/"})
		if err == nil || !strings.Contains(err.Error(), c.text) || errors.Is(err, ErrUnsupported) != c.unsupported {
			t.Errorf("Parse(%q): error %v, want one with %q (unsupported %v)", c.conf, err, c.text, c.unsupported)
		}
		if err != nil && strings.Contains(err.Error(), "geheim") {
			t.Errorf("Parse(%q) repeats the password: %v", c.conf, err)
		}
	}
}
