package upstream

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"testing"

	"pingap/config"
	"pingap/message"
)

func forHost(host string) *message.Record {
	rec := request("/")
	rec.Request.Host = []byte(host)
	return rec
}

func transparentOf(t *testing.T, cfg config.Upstream, opt Options) *Upstream {
	t.Helper()
	cfg.Discovery, cfg.Addrs = "transparent", []string{"any"}
	return build(t, &cfg, opt)
}

func TestTransparentBackendIsTheHostOfTheRequest(t *testing.T) {
	plain, tls := transparentOf(t, config.Upstream{}, Options{}), transparentOf(t, config.Upstream{SNI: "$host"}, Options{})
	for _, c := range []struct{ host, want string }{
		{"a.com", "a.com"}, {"A.Com:8080", "a.com"}, {"10.0.0.1", "10.0.0.1"}, {"[2001:DB8::1]:9", "[2001:db8::1]"},
		{"", ""}, {"a b", ""}, {"a/b", ""}, {"[::1", ""}, {"a\x00", ""}, {string(make([]byte, 300)), ""},
	} {
		for u, port := range map[*Upstream]string{plain: ":80", tls: ":443"} {
			b := u.Pick(forHost(c.host), nil)
			if c.want == "" {
				if b != nil {
					t.Errorf("%q: %s", c.host, b.Addr)
				}
				continue
			}
			if b == nil || b.Addr != c.want+port {
				t.Errorf("%q: %v, want %s", c.host, b, c.want+port)
				continue
			}
			if u.Pick(forHost(c.host), nil) != b || u.Pick(forHost(c.host), []*Backend{b}) != nil {
				t.Errorf("%q: not the same backend again, or tried twice", c.host)
			}
		}
	}
}

func TestTransparentReachesTheHost(t *testing.T) {
	server := listen(t, "tcp", "127.0.0.1:0")
	_, port, err := net.SplitHostPort(server.address())
	if err != nil {
		t.Fatal(err)
	}
	for _, allow := range []bool{true, false} {
		u := transparentOf(t, config.Upstream{IPv4Only: true}, Options{AllowSelf: allow})
		u.transparent.port, _ = strconv.Atoi(port)
		for _, host := range []string{"127.0.0.1", "localhost"} {
			b := u.Pick(forHost(host), nil)
			if allow {
				b.Put(dial(t, b))
				if b.Take(&Target{}) == nil {
					t.Errorf("%s: no pooled connection", host)
				}
				continue
			}
			var failure *ConnectError
			if _, err := b.Dial(context.Background(), nil); !errors.As(err, &failure) || !errors.Is(err, ErrForbidden) {
				t.Errorf("%s: %v, want it forbidden", host, err)
			}
		}
	}
}

func TestTransparentRefusesAddressesThatAreNoOnesBusiness(t *testing.T) {
	u := transparentOf(t, config.Upstream{}, Options{})
	for address, want := range map[string]bool{
		"192.0.2.1:80": true, "10.0.0.1:80": true, "[2001:db8::1]:80": true,
		"127.0.0.1:80": false, "127.9.9.9:80": false, "[::1]:80": false, "[::ffff:127.0.0.1]:80": false,
		"0.0.0.0:80": false, "[::]:80": false, "169.254.169.254:80": false, "[fe80::1]:80": false,
		"224.0.0.1:80": false, "255.255.255.255:80": false, "[ff02::1]:80": false, "nonsense": false,
	} {
		if u.transparent.allowed(address) != want {
			t.Errorf("%s: allowed is %v", address, !want)
		}
	}
	self, other := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 9), Port: 1}, &net.TCPAddr{IP: net.IPv4(192, 0, 2, 8), Port: 1}
	if !u.transparent.isSelf(self, self) || u.transparent.isSelf(self, other) {
		t.Error("the own address of the machine is not told from others")
	}
}

func TestTransparentKeepsABoundedNumberOfHosts(t *testing.T) {
	server := listen(t, "tcp", "127.0.0.1:0")
	_, port, _ := net.SplitHostPort(server.address())
	u := transparentOf(t, config.Upstream{}, Options{AllowSelf: true})
	u.transparent.port, _ = strconv.Atoi(port)
	first, kept := u.Pick(forHost("127.0.0.1"), nil), u.Pick(forHost("kept.example"), nil)
	idle, used := dial(t, first), dial(t, first)
	first.Put(idle)
	for i := range maxDynamic - 1 {
		u.Pick(forHost(fmt.Sprintf("h%d.example", i)), nil)
		u.Pick(forHost("kept.example"), nil)
	}
	if n := len(u.Backends()); n != maxDynamic {
		t.Errorf("%d hosts", n)
	}
	if u.Pick(forHost("kept.example"), nil) != kept {
		t.Error("a host in use was dropped")
	}
	if u.OpenConnections() != 1 {
		t.Errorf("%d open after the host was dropped", u.OpenConnections())
	}
	first.Put(used)
	if u.OpenConnections() != 0 {
		t.Error("a connection of a dropped host was kept")
	}
	if u.Pick(forHost("127.0.0.1"), nil) == first {
		t.Error("a dropped host is back with its old state")
	}
	again := forHost("Kept.example:80")
	if n := testing.AllocsPerRun(100, func() { u.Pick(again, nil) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
