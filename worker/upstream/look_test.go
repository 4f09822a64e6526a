package upstream

import (
	"strings"
	"testing"

	"pingap/config"
	"pingap/message"
)

// Whatever is configured, and whatever has become of backends: the look names the one that the next Pick takes, and takes nothing itself.
func TestALookNamesTheOneThatIsPickedNext(t *testing.T) {
	for _, algo := range []string{"round_robin", "least_conn", "hash:url", "hash:ip", "hash:header:x-key"} {
		for name, change := range map[string]func(*config.Upstream){
			"plain": nil, "everything": everything(algo),
			"places":    func(cfg *config.Upstream) { cfg.Algo, cfg.MaxRequestsPerBackend = algo, 3 },
			"fail open": func(cfg *config.Upstream) { cfg.Algo, cfg.FailOpen = algo, true },
			"eject":     func(cfg *config.Upstream) { cfg.Algo = algo; eject(cfg) },
		} {
			u := of(t, 5, new(clock), func(cfg *config.Upstream) {
				if cfg.Algo = algo; change != nil {
					change(cfg)
				}
			})
			setDown(u, u.Backends()[1], true)
			tell(u, u.Backends()[2], func(e *Endpoint) { e.Health = Unhealthy })
			for i := range 40 {
				rec := request("/" + strings.Repeat("x", i%7))
				for range 3 {
					u.Look(rec)
				}
				look := u.Look(rec)
				if look.Lot || rec.UpstreamProbe != 0 {
					t.Fatalf("%s, %s: %+v", algo, name, look)
				}
				b := u.Pick(rec, nil)
				if b == nil {
					if look.Chosen != "" {
						t.Fatalf("%s, %s: looked like %s, nothing was picked", algo, name, look.Chosen)
					}
					continue
				}
				if look.Chosen != b.Addr {
					t.Fatalf("%s, %s, request %d: looked like %q, picked %s: %+v", algo, name, i, look.Chosen, b.Addr, look.Backends)
				}
				b.Begin()
				if i%3 == 0 {
					b.Done(rec, Outcome{Status: 502, Failed: true})
				} else {
					b.Done(rec, Outcome{Status: 200})
				}
				if i%2 == 0 {
					b.End()
				}
				checkReasons(t, look)
			}
		}
	}
}

func checkReasons(t *testing.T, look Look) {
	t.Helper()
	chosen := 0
	for _, c := range look.Backends {
		if c.Why == "" {
			t.Errorf("%s without a reason", c.Addr)
		}
		if c.Chosen {
			chosen++
		}
	}
	if chosen != 1 {
		t.Errorf("%d are chosen: %+v", chosen, look.Backends)
	}
}

func TestALookSaysWhatKeepsABackendOut(t *testing.T) {
	u := of(t, 6, new(clock), func(cfg *config.Upstream) { cfg.MaxRequestsPerBackend = 1 })
	all := u.Backends()
	tell(u, all[0], func(e *Endpoint) { e.Admin = Down })
	tell(u, all[1], func(e *Endpoint) { e.Admin = Drain })
	tell(u, all[2], func(e *Endpoint) { e.Health = Unhealthy })
	tell(u, all[3], func(e *Endpoint) { e.Health = Unchecked })
	tell(u, all[5], func(e *Endpoint) { e.Backup = true })
	look := u.Look(request("/"))
	for i, want := range []string{"an operator has taken it out", "it drains", "checks fail", "not been checked", "it is its turn", "it is a backup"} {
		if got := look.Backends[i].Why; !strings.Contains(got, want) {
			t.Errorf("%d: %q, want %q", i, got, want)
		}
	}
	if u.Pick(request("/"), nil) != all[4] {
		t.Fatal("another was picked")
	}
	look = u.Look(request("/"))
	if got := look.Backends[4].Why; !strings.Contains(got, "all 1 requests") || look.Chosen != all[5].Addr {
		t.Errorf("%q, chosen %s", got, look.Chosen)
	}
}

func TestALotIsNotForetold(t *testing.T) {
	u := weighted(t, "random2", 1, 2, 3)
	if look := u.Look(request("/")); !look.Lot || look.Chosen != "" || len(look.Backends) != 3 {
		t.Errorf("%+v", look)
	}
	one := weighted(t, "random2", 1)
	if look := one.Look(request("/")); look.Lot || look.Chosen != one.Backends()[0].Addr {
		t.Errorf("%+v", look)
	}
}

func TestALookOfATransparentUpstreamMakesNoBackend(t *testing.T) {
	u := build(t, &config.Upstream{Discovery: "transparent"}, Options{})
	rec := &message.Record{}
	rec.Request.Host = []byte("Example.org:80")
	if look := u.Look(rec); look.Chosen != "example.org:80" || len(u.Backends()) != 0 {
		t.Errorf("%+v, %d backends", look, len(u.Backends()))
	}
}
