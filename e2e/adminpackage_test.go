package e2e

import (
	"context"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// admin is a client of the instance in the box.
func (b *box) admin() *admin {
	b.t.Helper()
	root := filepath.Join(strings.TrimSuffix(b.net, "/ns/net"), "root")
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", filepath.Join(root, "run/pingap/admin.sock"))
	}}
	b.t.Cleanup(transport.CloseIdleConnections)
	return &admin{t: b.t, client: &http.Client{Transport: transport, Timeout: patience}}
}

// The panel of a service as it is installed may not change the configuration, and says why. What docs/admin.md has an administrator do lets it.
func packagePanel(t *testing.T, dir string) {
	b := newBox(t, dir)
	b.run("dpkg -i /packages/1.0.0/pingap_*.deb")
	b.answers(welcome)
	a := b.admin()
	type list struct{ Writable string }
	const change = `{"set":{"upstream":{"more":{"addrs":["127.0.0.1:1"]}}}}`
	told := answered[list](a, 200, "GET", "/objects", "").Writable
	contains(t, told, "(pingap)", "may not write in /etc/pingap, which belongs to uid 0 gid 0 with mode 0755", "ReadWritePaths=/etc/pingap")
	if got := answered[apiError](a, 403, "POST", "/changes", change); got.Message != told {
		t.Errorf("%q, and it is said before: %q", got.Message, told)
	}
	b.run("chown pingap /etc/pingap") // which is half of it
	contains(t, answered[list](a, 200, "GET", "/objects", "").Writable, "read-only", "ReadWritePaths=/etc/pingap")

	b.run("install -d -o pingap -g pingap -m 0750 /etc/pingap/live && install -o pingap -g pingap -m 0640 /etc/pingap/pingap.toml /etc/pingap/live/")
	b.dropIn("panel", "ExecStart=\nExecStart=/usr/bin/pingap -c /etc/pingap/live/pingap.toml\nReadWritePaths=/etc/pingap/live")
	b.underLoad("systemctl restart pingap")
	if told := answered[list](a, 200, "GET", "/objects", "").Writable; told != "" {
		t.Errorf("it still cannot be written: %s", told)
	}
	answered[outcome](a, 200, "POST", "/changes", change)
	contains(t, b.run("cat /etc/pingap/live/pingap.toml; stat -c '%U:%G %a' /etc/pingap/live/pingap.toml"), "[upstreams.more]", "pingap:pingap 640")
	b.run("systemctl reload pingap")
	b.answers(welcome)
}
