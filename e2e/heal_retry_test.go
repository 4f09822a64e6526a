package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// A status of the list is tried elsewhere, for requests that may arrive twice; the last answer goes to the client as it is.
func TestRetriesByStatus(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 3)
	f[0].has(trouble{status: 503})
	f[1].has(trouble{status: 502})
	addr := freePort(t)
	conf := healConf(addr, f, `retry_status = "502,503"`, "max_retries = 2")
	i := start(t, conf)
	if by := asked(t, addr, "/", 60); by["b2"] != 60 {
		t.Errorf("answers of %v", by)
	}
	posts := numbered("POST", "/post")
	seen := map[int]int{}
	for range 30 {
		a, err := fetch(addr, posts(0))
		if err != nil {
			t.Fatal(err)
		}
		seen[a.status]++
	}
	if seen[200] != 10 || seen[502] != 10 || seen[503] != 10 {
		t.Errorf("POST: answers %v", seen)
	}
	f.mustArriveOnce(t, "POST")
	i.change(strings.Replace(conf, "max_retries = 2", "max_retries = 1", 1))
	f[2].has(trouble{status: 503})
	a, err := fetch(addr, get("/"))
	if err != nil || a.status != 502 && a.status != 503 {
		t.Fatalf("answer %v, %v", a, err)
	}
	if name := a.header.Get(nameField); name == "" || strings.TrimSpace(string(a.body)) != name {
		t.Errorf("the last answer is not what the client got: %v %q", a.header, a.body)
	}
	before := total(f)
	asked(t, addr, "/", 10)
	if n := total(f) - before; n != 20 {
		t.Errorf("10 requests with one retry each arrived %d times", n)
	}
}

func total(f fleet) (sum int64) {
	for _, n := range f.totals() {
		sum += n
	}
	return sum
}

// When every request fails, retries are no more than their share.
func TestTheRetryBudget(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 3)
	for _, m := range f {
		m.has(trouble{status: 503})
	}
	addr := freePort(t)
	conf := healConf(addr, f, "retry_status = \"503\"\nretry_budget = 20", "max_retries = 2")
	i := start(t, conf)
	began := time.Now()
	const requests = 2000
	asked(t, addr, "/", requests)
	// In each of two workers: a fifth, 10 a second, and what may be saved: 100, and 10 at once.
	most := int64(requests + requests/5 + 2*10*int(time.Since(began).Seconds()+1) + 2*110)
	if n := total(f); n > most || n < requests+50 {
		t.Errorf("%d requests arrived %d times in %v, at most %d", requests, n, time.Since(began), most)
	}
	i.change(strings.Replace(conf, "retry_budget = 20", "retry_budget = 0", 1))
	before := total(f)
	asked(t, addr, "/", 50)
	if n := total(f) - before; n != 50 {
		t.Errorf("without a budget 50 requests arrived %d times", n)
	}
}

// Failures in a row, counted over both workers, take a backend out for a time; not more of them than may be out.
func TestEjection(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 4)
	addr := freePort(t)
	i := start(t, healConf(addr, f, "eject_consecutive_failures = 5\neject_duration = \"2s\"\neject_max_percent = 50", "max_retries = 0"))
	for _, m := range f[:3] {
		m.has(trouble{status: 503})
	}
	i.inBoth(func() {
		by := asked(t, addr, "/", 80)
		// Two go after 5 failures each; the third has to stay and takes half of the rest.
		if n := f[0].total.Load() + f[1].total.Load() + f[2].total.Load(); int64(by["503"]) != n {
			t.Errorf("%d failures arrived, %d were seen", n, by["503"])
		}
	})
	out := 0
	for _, m := range f[:3] {
		if m.total.Load() == 5 {
			out++
		}
	}
	if out != 2 {
		t.Errorf("requests that arrived: %v", f.totals())
	}
	for _, m := range f {
		m.has(trouble{})
	}
	i.eventually("all of them", func() error {
		if by := asked(t, addr, "/", 20); by["b0"] != 5 || by["b1"] != 5 || by["b2"] != 5 {
			return fmt.Errorf("%v", by)
		}
		return nil
	})
	one := newFleet(t, 1)
	one[0].has(trouble{status: 503})
	alone := freePort(t)
	start(t, healConf(alone, one, "eject_consecutive_failures = 2", "max_retries = 0"))
	asked(t, alone, "/", 20)
	if n := one[0].total.Load(); n != 20 {
		t.Errorf("the only backend has had %d requests of 20", n)
	}
}

// A backend that becomes healthy gets little at first, then more, then its share.
func TestSlowStart(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 2)
	addr := freePort(t)
	i := start(t, healConf(addr, f, "slow_start = \"8s\"\nhealth_check = \"http://backend/health?check_frequency=1s&failure=1\"", ""))
	if by := asked(t, addr, "/", 40); by["b0"] != 20 {
		t.Errorf("at first: %v", by)
	}
	from := i.logged()
	f[0].has(trouble{sick: 500})
	i.becomes(from, f[0].addr, "unhealthy")
	from = i.logged()
	f[0].has(trouble{})
	began := i.becomes(from, f[0].addr, "healthy")
	var shares []int
	for time.Since(began) < 7*time.Second {
		by := asked(t, addr, "/", 100)
		share := by["b0"]
		shares = append(shares, share)
		// From a tenth of its weight to all of it; asking takes some time.
		if age := time.Since(began).Seconds() / 8; float64(share) > 100*(0.1+0.9*age)/(1.1+0.9*age)+8 {
			t.Errorf("after %v it has %d of 100 requests", time.Since(began).Round(time.Millisecond), share)
		}
		time.Sleep(500 * time.Millisecond) // the ramp takes its time
	}
	t.Logf("of 100 requests each: %v", shares)
	if len(shares) < 3 || shares[0] > 25 || shares[len(shares)-1] <= shares[0] {
		t.Errorf("shares %v", shares)
	}
	i.eventually("its whole share", func() error {
		if by := asked(t, addr, "/", 40); by["b0"] != 20 {
			return fmt.Errorf("%v", by)
		}
		return nil
	})
}

// go-httpbin and nginx as backends: what is healthy of them depends on what is asked, and a status of one is tried at the other.
func TestBackendsOfOthersHeal(t *testing.T) {
	t.Parallel()
	bin, nginx := newHTTPBin(t), newNginx(t, map[string]string{"get": "of nginx\n"})
	addr := freePort(t)
	conf := proxyConf(addr, bin+","+nginx)
	conf = insert(conf, "upstreams.app", "health_check = \"http://backend/CHECK?check_frequency=1s&failure=1\"\nretry_status = \"503\"")
	i := start(t, strings.Replace(conf, "CHECK", "get", 1)) // both answer that
	for _, c := range []struct{ check, well, sick, server string }{
		{"hello", nginx, bin, "nginx"}, {"status/200", bin, nginx, ""}, // what httpbin does not say of itself
	} {
		i.change(strings.Replace(conf, "CHECK", c.check, 1))
		i.eventually("answers of "+c.well, func() error {
			for range 10 {
				a := mustGet(t, addr, "/get", 200)
				if got := a.header.Get("Server"); (got != "" && strings.HasPrefix(got, "nginx")) != (c.server == "nginx") {
					return fmt.Errorf("an answer of %q", got)
				}
			}
			return nil
		})
		list := i.mustVerb("upstream", "list", "app").stdout
		if !strings.Contains(lineWith(list, c.sick), "unhealthy") || strings.Contains(lineWith(list, c.well), "unhealthy") {
			t.Errorf("checked by /%s:\n%s", c.check, list)
		}
	}
	i.change(strings.Replace(conf, "CHECK", "get", 1))
	i.eventually("nginx's answer in place of a 503 of httpbin", func() error {
		for range 10 {
			if a, err := fetch(addr, get("/status/503")); err != nil || a.status != 404 {
				return fmt.Errorf("answer %v, %v", a, err)
			}
		}
		return nil
	})
}

func lineWith(text, part string) string {
	for line := range strings.Lines(text) {
		if strings.Contains(line, part) {
			return line
		}
	}
	return ""
}
