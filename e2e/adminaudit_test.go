package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// auditEntry is what the tests need of an entry of the audit log.
type auditEntry struct {
	User    string `json:"user"`
	How     string `json:"how"`
	Method  string `json:"method"`
	Path    string `json:"path"`
	What    string `json:"what"`
	Result  string `json:"result"`
	Version uint64 `json:"version"`
}

func TestTheAuditLogSaysWhatWasDone(t *testing.T) {
	t.Parallel()
	addr := freePort(t)
	i := start(t, proxyConf(addr, newBackend(t, "app").addr))
	i.hand(i.conf)
	a := i.admin()
	backend := i.addressOf(a)
	const more = `{"set":{"upstream":{"more":{"addrs":["127.0.0.1:1"]}}}}`
	var many []string
	for n := range 7 {
		many = append(many, fmt.Sprintf(`"u%d":{"addrs":["127.0.0.1:1"]}`, n))
	}
	for _, c := range []struct {
		method, path, body string
		status             int
		what, result       string // of the entry; empty for none
		version            uint64
	}{
		{"POST", "/changes?dry_run", more, 200, "", "", 0},
		{"POST", "/changes?dry_run", `{"set":{"upstream":{"more":{"addrs":["x:y"]}}}}`, 422, "", "", 0},
		{"POST", "/changes", `x`, 400, "post changes", "400: ", 0},
		{"POST", "/changes", `{"set":{"upstream":{"more":{"addrs":["127.0.0.1:1"]},"app":{"addrs":["` + backend + `"],"remark":"x","idle_timeout":"9s"}}}}`, 200, "upstream:app changed, upstream:more added", "ok", 2},
		{"POST", "/changes", `{"set":{"upstream":{"more":{"addrs":["x:y"]},"app":null}}}`, 409, "remove upstream:app, set upstream:more", "409: ", 0},
		{"POST", "/changes", `{"set":{"basic":{"basic":{"error_template":7}}}}`, 422, "set basic", "422: ", 0},
		{"POST", "/changes?dry_run=false", `{"set":{"upstream":{"more":{"addrs":["127.0.0.1:3"]}}}}`, 200, "upstream:more changed", "ok", 3},
		{"POST", "/changes", `{"set":{"upstream":{"more":{"addrs":["127.0.0.1:3"],"remark":"words"}}}}`, 200, "nothing that has a meaning", "ok", 3},
		{"POST", "/changes", `{"set":{"upstream":{` + strings.Join(many, ",") + `}}}`, 200,
			"upstream:u0 added, upstream:u1 added, upstream:u2 added, upstream:u3 added, upstream:u4 added and 2 more", "ok", 4},
		{"POST", "/configs/upstream/other", `{"addrs":["127.0.0.1:1"]}`, 204, "upstream:other added", "ok", 5},
		{"DELETE", "/configs/upstream/other?dry_run", "", 200, "", "", 0},
		{"DELETE", "/configs/upstream/other", "", 204, "upstream:other removed", "ok", 6},
		{"POST", "/configs/import", "[upstreams.more]\n", 422, "import: set upstream:more", "422: ", 0},
		{"POST", "/versions/3/rollback?dry_run", "", 200, "", "", 0},
		{"POST", "/versions/3/rollback", "", 200,
			"rollback to 3: upstream:u0 removed, upstream:u1 removed, upstream:u2 removed, upstream:u3 removed, upstream:u4 removed and 2 more", "ok", 7},
		{"POST", "/versions/99/rollback", "", 404, "rollback to 99", "404: ", 0},
		{"POST", "/configs/import", proxyConf(addr, backend), 204, "import: upstream:app changed, upstream:more removed", "ok", 8},
		{"POST", "/upstreams/app/backends/" + backend + "/drain?dry_run", "", 400, "", "", 0},
		{"POST", "/upstreams/app/backends/" + backend + "/drain", "", 200, "upstream:app backend " + backend + " drain", "ok", 0},
		{"POST", "/upstreams/app/backends/" + backend + "/up", "", 200, "upstream:app backend " + backend + " up", "ok", 0},
		{"POST", "/upstreams/none/backends/" + backend + "/down", "", 404, "upstream:none backend " + backend + " down", "404: ", 0},
		{"POST", "/workers/roll?wait&dry_run", "", 400, "", "", 0},
		{"POST", "/workers/roll?wait", "", 200, "roll of the workers", "ok", 0},
		{"POST", "/restart?dry_run", "", 400, "", "", 0},
		{"POST", "/restart", "", 204, "restart: roll of the workers", "ok", 0},
	} {
		before := i.audited(a)
		if r := a.ask(c.method, c.path, c.body); r.status != c.status {
			t.Errorf("%s %s: %d, want %d: %s", c.method, c.path, r.status, c.status, tail(r.body, 500))
			continue
		}
		entries := i.audited(a)
		entries = entries[:len(entries)-len(before)] // newest first
		if c.what == "" {
			if len(entries) != 0 {
				t.Errorf("%s %s: nothing was done, and there is %+v", c.method, c.path, entries)
			}
			continue
		}
		if len(entries) != 1 {
			t.Errorf("%s %s: %+v", c.method, c.path, entries)
			continue
		}
		path, _, _ := strings.Cut(c.path, "?")
		if e := entries[0]; e.What != c.what || !strings.HasPrefix(e.Result, c.result) || e.Version != c.version || e.Method != c.method || e.Path != "/api"+path || e.How != "socket" {
			t.Errorf("%s %s: %+v", c.method, c.path, e)
		}
	}
}

// audited are all entries, newest first.
func (i *instance) audited(a *admin) []auditEntry {
	i.t.Helper()
	return answered[struct {
		Entries []auditEntry `json:"entries"`
	}](a, 200, "GET", "/audit?limit=1000", "").Entries
}
