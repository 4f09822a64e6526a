package e2e

import (
	"fmt"
	"strings"
)

// proxyConf is the smallest configuration: everything on addr goes to the backends. More is added behind it.
func proxyConf(addr, backends string, more ...string) string {
	list := strings.Split(backends, ",")
	return fmt.Sprintf(`
[servers.web]
addr = %q
locations = ["all"]

[locations.all]
path = "/"
upstream = "app"

[upstreams.app]
addrs = ["%s"]
`, addr, strings.Join(list, `", "`)) + strings.Join(more, "\n")
}

// insert adds keys to the table of a configuration.
func insert(conf, table, keys string) string {
	return strings.Replace(conf, "["+table+"]\n", "["+table+"]\n"+keys+"\n", 1)
}

// mockConf answers everything on addr with text.
func mockConf(addr, text string) string {
	return fmt.Sprintf(`
[servers.web]
addr = %q
locations = ["all"]

[locations.all]
path = "/"
plugins = ["text"]

[plugins.text]
category = "mock"
status = 200
data = %q
`, addr, text)
}
