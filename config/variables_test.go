package config

import (
	"slices"
	"strings"
	"testing"
)

func TestVariablesAreFoundWhereverAValueMayNameOne(t *testing.T) {
	c := mustLoad(t, `
[servers.a]
addr = "127.0.0.1:1"
locations = ["l"]
access_log = "{host} {$REGION} {$lower_1} { $NO } {$NO NO} {$} $NO {:NO}"
[locations.l]
upstream = "u"
proxy_set_headers = ["X-A:$SET", "X-B: $SET", "X-C:text $NO", "X-D:$http_NO", "X-E:$a-b", "X-H:$a b", "X-F:$", "X-$NO:1", "X-G::NO"]
proxy_add_headers = ["X-A:$ADDED", "X-B:$host", "X-C:$`+strings.Repeat("n", 200)+`"]
[upstreams.u]
addrs = ["127.0.0.1:2"]
[plugins.p]
category = "limit"
set_headers = ["X-A:$IN_LIST"]
text = "$NO"
rules = [{ tag = "ip", value = "X:$IN_TABLE" }]
secret = "$ENV:WHOLE"
keys = ["$ENV:IN_LIST_WHOLE", "$ENV:", "$ENV:NO NO"]
`)
	want := []string{"ADDED", "IN_LIST", "IN_LIST_WHOLE", "IN_TABLE", "REGION", "SET", "WHOLE", "a-b", "host", "lower_1"}
	if got := c.Variables(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
