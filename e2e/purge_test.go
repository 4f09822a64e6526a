package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync/atomic"
	"testing"
)

// counting is an upstream each of whose answers has another number, and may be stored.
func counting(t *testing.T) (addr string, last *atomic.Int64) {
	t.Helper()
	last = new(atomic.Int64)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "max-age=600")
		fmt.Fprint(w, last.Add(1))
	}))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String(), last
}

const cachedKeys = `plugins = ["stored"]`

const storedPlugin = `
[plugins.stored]
category = "cache"
purge_ip_list = ["127.0.0.1"]
`

// numberOf asks on a connection and returns the number of the answer.
func numberOf(t *testing.T, c *client) int64 {
	t.Helper()
	a, err := c.do(get("/page"))
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.ParseInt(string(a.body), 10, 64)
	if err != nil || a.status != 200 {
		t.Fatalf("%d %q", a.status, a.body)
	}
	return n
}

// storeInBoth asks until both workers have stored an answer of their own, and returns the number of the later one.
func storeInBoth(t *testing.T, addr string, last *atomic.Int64) int64 {
	t.Helper()
	before := last.Load()
	for range 2000 {
		c := dial(t, addr)
		numberOf(t, c)
		c.close()
		if last.Load() == before+2 {
			return before + 2
		}
	}
	t.Fatalf("%d of two workers have stored it", last.Load()-before)
	return 0
}

func purged(t *testing.T, addr string) {
	t.Helper()
	if err := purge(addr, "/page", 204); err != nil {
		t.Fatal(err)
	}
}

// A purge is answered when nobody has the old answer any more.
func TestAPurgeReachesAllWorkers(t *testing.T) {
	up, last := counting(t)
	addr := freePort(t)
	start(t, insert(proxyConf(addr, up, storedPlugin), "locations.all", cachedKeys))
	for range 5 {
		old := storeInBoth(t, addr, last)
		purged(t, addr)
		for range 40 {
			c := dial(t, addr)
			if n := numberOf(t, c); n <= old {
				t.Fatalf("answer %d after a purge of %d", n, old)
			}
			c.close()
		}
		purged(t, addr)
	}
}

// A worker that drains serves still, from what it has stored.
func TestAPurgeReachesWorkersThatDrain(t *testing.T) {
	up, last := counting(t)
	addr := freePort(t)
	i := start(t, insert(proxyConf(addr, up, storedPlugin, "\n[basic]\ndrain_idle_grace = \"30s\"\ndrain_spread = \"1s\"\n"), "locations.all", cachedKeys))
	open := dial(t, addr)
	old := numberOf(t, open)
	if again := numberOf(t, open); again != old {
		t.Fatalf("%d was not stored: %d", old, again)
	}
	i.mustVerb("roll", "--wait")
	newer := storeInBoth(t, addr, last)
	purged(t, addr)
	if n := numberOf(t, open); n <= newer {
		t.Errorf("the worker that drains answers with %d, purged were all up to %d", n, newer)
	}
}
