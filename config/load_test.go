package config

import (
	"os"
	"testing"
)

func TestSmoke(t *testing.T) {
	data, _ := os.ReadFile("testdata/sample.toml")
	c, r := Load([]Document{{"sample.toml", data}, {"b.toml", []byte("[basic]\nx=1\n[servers.q]\naddr=5\nlocaitons=['a']\nkeepalive_timeout='10'\n")}}, Options{})
	t.Log(c, r.Err())
	for _, w := range r.Warnings {
		t.Log(w)
	}
	c, r = Load([]Document{{"sample.toml", data}}, Options{})
	t.Logf("%+v %v", c.Upstreams["api"], r.Err())
}
