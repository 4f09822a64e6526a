package e2e

import (
	"fmt"
	"strconv"
)

// Load: all clients over TLS, HTTP/1.1 and HTTP/2. Faults: restarts, kills of the main process, upgrades, rolls, a certificate that is replaced. Expected: 0 failed,
// every session resumed, the new certificate served without being asked for.
func (s *service) secure() {
	const dir = "/etc/pingap/tls"
	put := func(id *identity) {
		s.run("mkdir -p " + dir + " && cat >" + dir + "/privkey.pem.new <<'END'\n" + id.pem + "\nEND\ncat >" + dir + "/fullchain.pem.new <<'END'\n" + id.cert +
			"\nEND\ncd " + dir + " && chmod 644 *.new && mv privkey.pem.new privkey.pem && mv fullchain.pem.new fullchain.pem")
	}
	own := newIdentity(s.t, nil, "load.test")
	put(own)
	s.configure(secureProxyFor(s.addr, dir, s.up, manyGenerations, quickDrain, "workers = 2\n"))
	s.run("pingap reload --wait")
	mixes := secureClients(s.t)
	l := startFaultLoad(s.t, s.addr, s.newUp(), mixes...)
	for n := range s.count(1, 20) {
		s.run("systemctl restart pingap")
		s.settled()
		l.goesOn(100)
		restarts, err := strconv.Atoi(s.property("NRestarts"))
		if err != nil {
			s.t.Fatal(err)
		}
		s.run("systemctl kill -s KILL --kill-who=main pingap")
		s.eventually(fmt.Sprintf("test $(systemctl show -p NRestarts --value pingap) -gt %d && systemctl is-active pingap", restarts))
		s.settled()
		l.goesOn(100)
		s.run("install -m 755 /packages/" + []string{"pingap.other", "pingap"}[n%2] + " /usr/bin/pingap.new && mv /usr/bin/pingap.new /usr/bin/pingap")
		s.run("pingap upgrade --wait")
		s.settled()
		l.goesOn(100)
		own = newIdentity(s.t, nil, "load.test")
		put(own)
		if err := within(patience, func() error { return serves(s.addr, "load.test", own) }); err != nil {
			s.t.Error(err)
		}
		s.run("pingap roll --wait")
		l.goesOn(100)
	}
	r := l.mustLoseNothing()
	mustHaveResumed(s.t, r, mixes)
	s.configure(s.conf)
	s.run("pingap reload --wait && systemctl restart pingap") // so that systemd has a main process that is its child, which after an upgrade it is not
	s.settled()
}
