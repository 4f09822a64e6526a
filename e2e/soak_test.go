package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"pingap/e2e/load"
)

// mishap is something that happens to an instance in the soak. It returns the deaths it has caused.
type mishap struct {
	name string
	do   func(i *instance, base string, n int) []death
}

func mishaps() []mishap {
	return []mishap{
		{"hot apply", func(i *instance, base string, n int) []death {
			i.change(changing(base, n))
			return nil
		}},
		{"bad configuration", func(i *instance, _ string, n int) []death {
			bad := mistakes()
			write(i.t, i.conf, bad[n%len(bad)].conf)
			if r := i.verb("reload", "--wait"); r.code != 1 {
				i.t.Errorf("a bad configuration: exit code %d: %s", r.code, r.all())
			}
			return nil
		}},
		{"reopen", func(i *instance, _ string, _ int) []death {
			if r := i.verb("reopen"); r.code != 0 {
				i.t.Errorf("reopen: exit code %d: %s", r.code, r.all())
			}
			return nil
		}},
		{"kill a worker", func(i *instance, _ string, n int) []death {
			workers := i.status().active()
			return []death{i.kill(workers[n%len(workers)].PID)}
		}},
		{"roll", func(i *instance, _ string, _ int) []death {
			i.roll()
			return nil
		}},
		{"upgrade", func(i *instance, base string, n int) []death {
			i.change(changing(base, n)) // on a source that is bad it is refused
			i.install(builds(i.t)[n%2])
			if r := i.verb("upgrade", "--wait"); r.code != 0 {
				i.t.Errorf("upgrade: exit code %d: %s", r.code, r.all())
			}
			return nil
		}},
		{"kill the supervisor", func(i *instance, _ string, _ int) []death {
			i.kill(i.status().supervisor())
			i.again()
			i.waitRunning()
			return nil
		}},
		{"kill control", func(i *instance, _ string, _ int) []death {
			i.kill(i.status().of("control")[0].PID)
			i.eventually("control", func() error {
				_, err := i.tryStatus()
				return err
			})
			return nil
		}},
	}
}

// Load: all clients. Faults: one after the other, drawn by lot, for SOAK_MINUTES; the seed is printed, and SOAK_SEED sets it.
// Expected: only requests in flight on a killed worker fail, and nothing grows.
func TestFaultSoak(t *testing.T) {
	count := faultTest(t, 16, 0)
	addr, up := freePort(t), newUpstream(t)
	soak(t, count, addr, proxyFor(addr, up, manyGenerations), up, usualClients(t))
}

// The same with all clients over TLS.
func TestFaultSecureSoak(t *testing.T) {
	count := faultTest(t, 8, 0)
	addr, dir, up := freePort(t), workDir(t), newUpstream(t)
	newIdentity(t, nil, "load.test").put(t, dir)
	soak(t, count, addr, secureProxyFor(addr, dir, up, manyGenerations, quickDrain), up, secureClients(t))
}

func soak(t *testing.T, count int, addr, base string, up *load.Upstream, mixes []load.Mix) {
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("SOAK_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("SOAK_SEED=%d", seed)
	draw := rand.New(rand.NewPCG(seed, 0))
	i := startOwn(t, changing(base, 0))
	l := startFaultLoad(t, addr, up, mixes...)
	before := i.footprints()
	end := time.Now().Add(time.Duration(soakMinutes(t)) * time.Minute)
	all, done := mishaps(), map[string]int{}
	var deaths []death
	for n := 1; n <= count || count == 0 && time.Now().Before(end) && !t.Failed(); n++ {
		m := all[draw.IntN(len(all))]
		if n <= len(all) {
			m = all[n-1] // each of them at least once
		}
		deaths = append(deaths, m.do(i, base, n)...)
		done[m.name]++
		l.goesOn(50)
		if count == 0 {
			time.Sleep(time.Duration(500+draw.IntN(2500)) * time.Millisecond) // the pace of the faults
		}
	}
	i.change(base)
	i.waitRunning()
	r := l.mustLoseOnlyAt(deaths)
	i.eventually("the end of draining", func() error {
		if n := len(i.status().in("draining")); n > 0 {
			return fmt.Errorf("%d workers are draining", n)
		}
		return nil
	})
	t.Logf("%v; %d requests lost in %d deaths", done, len(r.Failures), len(deaths))
	i.mustStayFlat(before)
	i.checkDescriptors(socketOf(t, addr), "")
}
