package e2e

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"pingap/e2e/load"
)

// secureProxyFor serves all protocols over TLS, with the certificate in a folder. Slow answers and calls come from the upstream over HTTP/2.
func secureProxyFor(addr, certificates string, up *load.Upstream, more ...string) string {
	conf := tlsConf(proxyFor(addr, up, more...), "enabled_h2 = true", fmt.Sprintf("[certificates.own]\ntls_cert = %q\n", certificates))
	return strings.Replace(conf, `locations = ["all"]`, `locations = ["calls", "slow", "all"]`, 1) + fmt.Sprintf(`
[locations.calls]
path = "/call"
upstream = "streams"

[locations.slow]
path = "/slow"
upstream = "streams"

[upstreams.streams]
addrs = [%q]
alpn = "H2"
`, up.Addr)
}

// quickDrain leads connections of HTTP/2 away in a second and a half instead of twelve.
const quickDrain = "drain_idle_grace = \"500ms\"\ndrain_spread = \"1s\"\n"

// secureClients are all kinds over TLS at once.
func secureClients(t *testing.T) []load.Mix {
	t.Helper()
	if soakMinutes(t) > 0 {
		return load.Secure(4, 2*time.Second, 10*time.Second)
	}
	return load.Secure(2, 2*time.Second, 3*time.Second)
}

// mustHaveResumed fails the test when a client that had a session had to make a full handshake.
func mustHaveResumed(t *testing.T, r *load.Report, mixes []load.Mix) {
	t.Helper()
	clients := map[load.Kind]uint64{}
	for _, m := range mixes {
		clients[m.Kind] += uint64(m.Clients)
	}
	for kind, n := range clients {
		k := &r.Kinds[kind]
		if full := k.Handshakes - k.Resumed; full > n {
			t.Errorf("%s: %d full handshakes of %d clients, %d resumed", kind, full, n, k.Resumed)
		}
	}
}

// Load: all clients over TLS, HTTP/1.1 and HTTP/2. Faults: hot applies, rolls by command and by signal, a replaced certificate, upgrades, the
// death of the supervisor. Expected: 0 failed, no connection led away in one step, every session resumed.
func TestFaultSecureClientsLoseNothing(t *testing.T) {
	count := faultTest(t, 1, 20)
	addr, dir, up := freePort(t), workDir(t), newUpstream(t)
	own := newIdentity(t, nil, "load.test")
	own.put(t, dir)
	base := secureProxyFor(addr, dir, up, manyGenerations, quickDrain)
	i := startOwn(t, changing(base, 0))
	two := builds(t)
	mixes := secureClients(t)
	l := startFaultLoad(t, addr, up, mixes...)
	defer func() {
		if t.Failed() {
			t.Logf("load:\n%s", l.Report())
		}
	}()
	for n := range count {
		for _, fault := range []struct {
			name string
			do   func()
		}{
			{"hot apply", func() { i.change(changing(base, 2*n+1)) }},
			{"roll", func() { i.roll() }},
			{"certificate", func() {
				own = newIdentity(t, nil, "load.test")
				own.put(t, dir)
				i.eventually("the new certificate", func() error { return serves(addr, "load.test", own) })
			}},
			{"roll by signal", func() {
				before := i.status()
				signalPID(t, before.supervisor(), syscall.SIGWINCH)
				i.eventually("fresh workers", func() error { return i.freshSince(before.active()) })
			}},
			{"supervisor killed", func() {
				i.kill(i.status().supervisor())
				l.goesOn(50) // as orphans
				i.again()
				i.waitRunning()
			}},
			{"upgrade", func() {
				i.install(two[(n+1)%2])
				i.mustVerb("upgrade", "--wait")
			}},
			{"reload after it", func() { i.change(changing(base, 2*n+2)) }},
		} {
			began := time.Now()
			fault.do()
			i.waitRunning()
			l.goesOn(100)
			time.Sleep(1500 * time.Millisecond) // the pace of the faults: a second after the first GOAWAY comes the final one
			t.Logf("%s: %v, %d failed so far", fault.name, time.Since(began).Round(time.Millisecond), l.Failed())
		}
		for range 20 { // whichever worker accepts
			if err := serves(addr, "load.test", own); err != nil {
				t.Error(err)
			}
		}
	}
	r := l.mustLoseNothing()
	mustHaveResumed(t, r, mixes)
}

// Load: all clients over TLS. Fault: a stop, with three seconds for what is in flight. Expected: nothing but refused connections once the sockets are closed; calls
// end as unavailable, tunnels with a goodbye, connections of HTTP/2 in two steps; the instance ends.
func TestFaultAStopUnderSecureLoad(t *testing.T) {
	faultTest(t, 1, 1)
	addr, dir, up := freePort(t), workDir(t), newUpstream(t)
	newIdentity(t, nil, "load.test").put(t, dir)
	i := start(t, secureProxyFor(addr, dir, up, manyGenerations, quickDrain, "grace_period = \"3s\"\n"))
	l := startFaultLoad(t, addr, up, secureClients(t)...)
	i.mustVerb("stop")
	if !i.endsWithin(patience) {
		t.Error("the instance does not end")
	}
	r := l.Stop()
	t.Logf("load:\n%s", r)
	for _, f := range r.Failures {
		// A message that a call or a tunnel could not take any more finds no other one.
		late := f.Kind == load.Calls && strings.Contains(f.Err.Error(), "unavailable") || strings.Contains(f.Err.Error(), "closed instead of an echo")
		if f.Outcome != load.Refused && !late {
			t.Errorf("lost: %s", f)
		}
	}
	if total := r.Total(); total.Abrupt > 0 || total.Failed() == 0 {
		t.Errorf("%d connections were led away in one step, %d requests failed", total.Abrupt, total.Failed())
	}
}

// Load: all clients over TLS. Fault: hot changes of what a server offers: HTTP/2 or not, versions of TLS, a client's certificate. Expected: 0 failed, but for what is not offered
// any more to new connections.
func TestFaultSettingsOfTLSChangeUnderLoad(t *testing.T) {
	count := faultTest(t, 2, 40)
	addr, dir, up := freePort(t), workDir(t), newUpstream(t)
	own := newIdentity(t, nil, "load.test")
	own.put(t, dir)
	base := secureProxyFor(addr, dir, up, manyGenerations, quickDrain)
	i := start(t, base)
	pids := i.status().pids()
	l := startFaultLoad(t, addr, up, secureClients(t)...)
	for range count {
		for _, keys := range []string{"tls_min_version = \"tlsv1.3\"", "tls_max_version = \"tlsv1.2\"", "client_auth = \"request\"\nclient_auth_ca = \"\"\"" + own.cert + "\"\"\"", "h2_max_streams = 200", ""} {
			i.change(insert(base, "servers.web", keys))
			l.goesOn(100)
		}
		// Who has a connection of HTTP/2 keeps it.
		w := openWire(t, dial(t, addr).conn)
		w.get(t, 1, "/echo")
		w.until(t, endOf(1))
		i.change(strings.Replace(base, "enabled_h2 = true", "enabled_h2 = false", 1))
		w.get(t, 3, "/echo")
		if f := w.until(t, endOf(3)); f == nil || f.Header().Type != http2.FrameData {
			t.Errorf("on a connection from before: %v", f)
		}
		i.change(base)
	}
	r := l.mustLoseOnly("no application protocol") // of clients of HTTP/2 whose connection ended while it was switched off
	t.Logf("%d handshakes, %d resumed", r.Total().Handshakes, r.Total().Resumed)
	if now := i.status().pids(); !slices.Equal(now, pids) {
		t.Errorf("workers were replaced: %v, then %v", pids, now)
	}
}
