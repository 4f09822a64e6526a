package docker

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func container(ports []Port, networks map[string]Network) *Container {
	c := &Container{ID: "a", Ports: ports}
	c.NetworkSettings.Networks = networks
	return c
}

func TestWhereAContainerIsReached(t *testing.T) {
	bridge := map[string]Network{"bridge": {IPAddress: "172.17.0.2", Gateway: "172.17.0.1", GlobalIPv6Address: "fd00::2", IPv6Gateway: "fd00::1"}}
	two := map[string]Network{"b": {IPAddress: "172.18.0.2", Gateway: "172.18.0.1"}, "a": {IPAddress: "172.19.0.2", Gateway: "172.19.0.1"}}
	six := map[string]Network{"six": {GlobalIPv6Address: "fd00::2", IPv6Gateway: "fd00::1"}}
	exposed := []Port{{PrivatePort: 9000, Type: "tcp"}, {PrivatePort: 8080, Type: "tcp"}, {PrivatePort: 53, Type: "udp"}}
	published := []Port{{IP: "0.0.0.0", PrivatePort: 8080, PublicPort: 80, Type: "tcp"}, {IP: "::", PrivatePort: 8080, PublicPort: 80, Type: "tcp"}}
	local := []Port{{IP: "127.0.0.1", PrivatePort: 8080, PublicPort: 80, Type: "tcp"}}
	for _, c := range []struct {
		name     string
		ports    []Port
		networks map[string]Network
		port     int
		ipv4     bool
		want     string
	}{
		{"a port that is given", published, bridge, 3000, false, "172.17.0.2:3000"},
		{"each network", nil, two, 3000, false, "172.19.0.2:3000 172.18.0.2:3000"},
		{"the lowest TCP port", exposed, bridge, 0, false, "172.17.0.2:8080"},
		{"a published port", published, bridge, 0, false, "172.17.0.1:80"},
		{"a port of one address of the host", local, bridge, 0, false, "172.17.0.2:8080"},
		{"published, and no gateway", published, map[string]Network{"n": {IPAddress: "10.0.0.2"}}, 0, false, "10.0.0.2:8080"},
		{"IPv6 only", exposed, six, 0, false, "[fd00::2]:8080"},
		{"IPv6 only, published", published, six, 0, false, "[fd00::1]:80"},
		{"IPv6 only, where IPv4 is wanted", exposed, six, 0, true, ""},
		{"nothing exposed", nil, bridge, 0, false, ""},
		{"only UDP", exposed[2:], bridge, 0, false, ""},
		{"the host's network", nil, map[string]Network{"host": {}}, 3000, false, ""},
		{"no address", exposed, map[string]Network{"n": {IPAddress: "nonsense"}}, 0, false, ""},
	} {
		if got := strings.Trim(fmt.Sprint(container(c.ports, c.networks).Reached(c.port, c.ipv4)), "[]"); got != strings.Trim(c.want, "[]") {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func ids(list []Container) string {
	var out []string
	for _, c := range list {
		out = append(out, c.ID)
	}
	return strings.Join(out, " ")
}

func TestAContainerThatRestartsAllTheTimeComesBackLater(t *testing.T) {
	tr, now := newTracker(), time.Unix(1000, 0)
	all := []Container{{ID: "a"}, {ID: "b"}}
	tr.list(all, now)
	for range 2 { // the list's start is the first
		now = now.Add(time.Second)
		tr.stopped("a")
		if list, _ := tr.running(now); ids(list) != "b" {
			t.Fatalf("stopped: %s", ids(list))
		}
		tr.started("a", now)
		if list, _ := tr.running(now); ids(list) != "b" {
			t.Fatalf("started, not listed: %s", ids(list))
		}
		tr.list(all, now)
		if list, next := tr.running(now); ids(list) != "a b" || !next.IsZero() {
			t.Fatalf("it is not back: %s", ids(list))
		}
	}
	tr.stopped("a")
	now = now.Add(time.Second)
	tr.started("a", now)
	tr.list(all, now)
	list, next := tr.running(now)
	if ids(list) != "b" || !next.Equal(now.Add(trustAfter)) {
		t.Fatalf("after too many starts: %s, until %v", ids(list), next.Sub(now))
	}
	if list, next = tr.running(now.Add(trustAfter)); ids(list) != "a b" || !next.IsZero() {
		t.Errorf("after it ran: %s", ids(list))
	}
	now = now.Add(2 * startsWithin)
	tr.stopped("a")
	tr.started("a", now)
	tr.list(all, now)
	if list, _ := tr.running(now); ids(list) != "a b" {
		t.Errorf("a restart long after: %s", ids(list))
	}
}

func TestAListThatLacksAContainerIsBelievedTheSecondTime(t *testing.T) {
	tr, now := newTracker(), time.Unix(1000, 0)
	all := []Container{{ID: "a"}, {ID: "b"}}
	tr.list(all, now)
	if !tr.list(nil, now) {
		t.Error("it is not asked for again")
	}
	if list, _ := tr.running(now); ids(list) != "a b" {
		t.Errorf("after an empty list: %s", ids(list))
	}
	tr.list(all[:1], now.Add(confirm))
	if list, _ := tr.running(now); ids(list) != "a" {
		t.Errorf("after the second: %s", ids(list))
	}
	now = now.Add(time.Hour)
	tr.list(all[:1], now)
	if len(tr.known) != 1 {
		t.Errorf("%d containers remembered", len(tr.known))
	}
}

func TestEventsOfMoreContainersThanThereCanBeAreBounded(t *testing.T) {
	tr, now := newTracker(), time.Unix(1000, 0)
	for i := range 4 * maxContainers {
		tr.started(fmt.Sprint(i), now)
	}
	if len(tr.known) > 2*maxContainers {
		t.Errorf("%d remembered", len(tr.known))
	}
	tr.list([]Container{{ID: "a"}}, now)
	tr.list([]Container{{ID: "a"}}, now)
	if list, _ := tr.running(now); ids(list) != "a" {
		t.Errorf("%d run", len(list))
	}
}

func FuzzReadList(f *testing.F) {
	f.Add(`[{"Id":"a","State":"running","Labels":{"k":"v"},"Ports":[{"IP":"::","PrivatePort":80,"PublicPort":80,"Type":"tcp"}],"NetworkSettings":{"Networks":{"n":{"IPAddress":"10.0.0.1"}}}}]`)
	f.Add(`[{"Id":"a"},`)
	f.Add(`[]`)
	f.Add(`{"message":"no"}`)
	f.Fuzz(func(t *testing.T, text string) {
		all, err := readList(strings.NewReader(text))
		if err != nil {
			return
		}
		for _, c := range all {
			for _, at := range c.Reached(0, false) {
				if !at.IsValid() || at.Port() == 0 {
					t.Errorf("%v", at)
				}
			}
		}
	})
}
