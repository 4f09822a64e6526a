package config

import (
	"reflect"
	"strings"
	"testing"
)

func TestEveryKeyIsDescribedAndClassified(t *testing.T) {
	for _, table := range Tables() {
		for _, k := range table.Keys {
			name := table.Name + "." + k.Name
			if !k.classified {
				t.Errorf("%s has no class", name)
			}
			if !strings.HasSuffix(k.Help, ".") || len(k.Help) < 10 {
				t.Errorf("%s: help %q is not a sentence", name, k.Help)
			}
			if strings.ToLower(k.Name) != k.Name || k.Name == "" {
				t.Errorf("%s: not the name of a key", name)
			}
			if k.NoEffect != "" && k.Class != Same {
				t.Errorf("%s has no effect, but is %s", name, k.Class)
			}
		}
		for i := range table.typ.NumField() {
			f := table.typ.Field(i)
			if f.Tag.Get("toml") == "" {
				t.Errorf("%s.%s has no name in TOML", table.Name, f.Name)
			}
		}
	}
}

func TestTheTreeHoldsEveryTable(t *testing.T) {
	tree := reflect.TypeFor[Config]()
	tables := Tables()
	if tree.NumField() != len(tables) {
		t.Fatalf("%d fields, %d tables", tree.NumField(), len(tables))
	}
	for i, table := range tables {
		f := tree.Field(i)
		typ := f.Type
		if typ.Kind() == reflect.Map {
			typ = typ.Elem().Elem()
		}
		if strings.ToLower(f.Name) != table.Name || typ != table.typ || Kind(i).Table() != table.Name {
			t.Errorf("field %s does not fit table %s of kind %s", f.Name, table.Name, Kind(i))
		}
	}
}

func TestAnUnclassifiedKeyIsRoll(t *testing.T) {
	type object struct {
		A string `toml:"a"`
		B string `toml:"b" class:"warm"`
		C string `toml:"c" class:"hot"`
	}
	table := newTable("x", "", object{})
	for i, want := range []Class{Roll, Roll, Hot} {
		if k := table.Keys[i]; k.Class != want {
			t.Errorf("%s is %s, want %s", k.Name, k.Class, want)
		}
	}
}

func TestCountOfKeysThatPingapKnows(t *testing.T) {
	// Keys of the original, without those that it removed, and the keys that are ours.
	want := map[string][2]int{"basic": {27, 20}, "servers": {24, 18}, "locations": {19, 6}, "upstreams": {35, 19},
		"certificates": {11, 6}, "storages": {5, 0}, "plugins": {3, 0}}
	for _, table := range Tables() {
		n := 0
		for _, k := range table.Keys {
			if !k.Old {
				n++
			}
		}
		if sum := want[table.Name][0] + want[table.Name][1]; n != sum {
			t.Errorf("%s has %d keys, want %d", table.Name, n, sum)
		}
	}
}

func TestDefaults(t *testing.T) {
	c := mustLoad(t, "[servers.s]\naddr='127.0.0.1:0'\n[locations.l]\nplugins=['pingap:ping']\n[upstreams.u]\naddrs=['127.0.0.1']\n")
	s, l, u := c.Servers["s"], c.Locations["l"], c.Upstreams["u"]
	tests := []struct {
		name string
		got  any
		want any
	}{
		{"grace_period", c.Basic.GracePeriod.String(), "5m"},
		{"pool", c.Basic.UpstreamKeepalivePoolSize, 128},
		{"header_max_size", int(s.HeaderMaxSize), 64 << 10},
		{"header_max_fields", s.HeaderMaxFields, 128},
		{"target_max_length", int(s.TargetMaxLength), 8 << 10},
		{"header_timeout", s.HeaderTimeout.String(), "30s"},
		{"keepalive_timeout", s.KeepaliveTimeout.String(), "1m"},
		{"keepalive_requests", s.KeepaliveRequests, 10000},
		{"path_matching", s.PathMatching, "normalized"},
		{"weight", l.Weight, -1},
		{"tunnel_idle_timeout", l.TunnelIdleTimeout.String(), "10m"},
		{"connection_timeout", u.ConnectionTimeout.String(), "10s"},
		{"read_timeout", u.ReadTimeout.String(), "1m"},
		{"verify_cert", u.VerifyCert, true},
		{"algo", u.Algo, "round_robin"},
	}
	for _, tt := range tests {
		if tt.got != tt.want {
			t.Errorf("%s is %v, want %v", tt.name, tt.got, tt.want)
		}
	}
}
