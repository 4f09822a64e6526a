package e2e

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Load: GET in both workers. Faults: restarts, kills of the main process, upgrades, rolls. Expected: 0 failed; a backend that is unhealthy, one that is drained and
// one that is down get no request at any moment, and come back when there is a reason to.
func (s *service) heals() {
	f := newFleet(s.t, 5)
	conf := insert(proxyConf(s.addr, f.addrs(), manyGenerations+"workers = 2\n"), "upstreams.app",
		"health_check = \"http://backend/health?check_frequency=1s&failure=1\"\nsticky = \"cookie:where\"")
	s.configure(conf)
	s.run("pingap reload --wait")
	// The sticky clients of those that stay as they are: a drained backend would get requests of its own.
	list := slices.DeleteFunc(newSticking(s.t, s.addr, "/", 5), func(c sticking) bool { return c.backend != "b0" && c.backend != "b1" })
	f[2].has(trouble{sick: 500})
	s.eventually(fmt.Sprintf("pingap upstream list app | grep %s | grep -q unhealthy", f[2].addr))
	s.run(fmt.Sprintf("pingap upstream drain app %s && pingap upstream down app %s", f[3].addr, f[4].addr))
	l := runLoad(s.t, s.addr, gets(2)...)
	f[:2].all(s.t, 20)
	before := f[2:].totals()
	holds := func(when string) {
		f[:2].all(s.t, 20)
		stick(s.t, when, s.addr, "/", list)
		for n, now := range f[2:].totals() {
			if now > before[n] {
				s.t.Errorf("%s: the %s backend has had %d requests", when, []string{"unhealthy", "drained", "down"}[n], now-before[n])
			}
		}
	}
	holds("at first")
	for n := range s.count(1, 20) {
		s.run("systemctl restart pingap")
		s.settled()
		holds("after a restart")
		main := s.property("MainPID")
		s.run("systemctl kill -s KILL --kill-who=main pingap")
		s.eventually("systemctl is-active pingap && test $(systemctl show -p MainPID --value pingap) != " + main)
		s.settled()
		holds("after a crash")
		s.run("install -m 755 /packages/" + []string{"pingap.other", "pingap"}[n%2] + " /usr/bin/pingap.new && mv /usr/bin/pingap.new /usr/bin/pingap && pingap upgrade --wait")
		s.settled()
		holds("after an upgrade")
		s.run("pingap roll --wait")
		holds("after a roll")
	}
	f[2].has(trouble{})
	s.run(fmt.Sprintf("pingap upstream up app %s && pingap upstream up app %s", f[3].addr, f[4].addr))
	f.all(s.t, 5)
	l.mustBeClean(s.t)
	s.configure(s.conf)
	s.run("pingap reload --wait && systemctl restart pingap") // as above: a main process that is systemd's child
	s.settled()
	if err := within(patience, func() error {
		if strings.Contains(s.run("pingap upstream list"), f[0].addr) {
			return errors.New("an upstream that is gone is listed")
		}
		return nil
	}); err != nil {
		s.t.Error(err)
	}
}
