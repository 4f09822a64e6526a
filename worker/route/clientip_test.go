package route

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"pingap/message"
)

func trustedOf(t testing.TB, list ...string) *Trusted {
	t.Helper()
	trusted, err := NewTrusted(list)
	if err != nil {
		t.Fatal(err)
	}
	return trusted
}

func TestClientIPIsTheRightmostUntrustedEntry(t *testing.T) {
	// The peer of record is 192.0.2.7.
	proxies := []string{"192.0.2.0/24", "10.0.0.0/8", "2001:db8::/32"}
	cases := []struct {
		name    string
		trusted []string
		headers []string
		want    string
	}{
		{"nobody is trusted", nil, []string{"X-Forwarded-For: 203.0.113.1"}, "192.0.2.7"},
		{"peer is not trusted", []string{"10.0.0.0/8"}, []string{"X-Forwarded-For: 203.0.113.1", "X-Real-IP: 1.1.1.1"}, "192.0.2.7"},
		{"no header", proxies, nil, "192.0.2.7"},
		{"one", proxies, []string{"X-Forwarded-For: 203.0.113.1"}, "203.0.113.1"},
		{"forged on the left", proxies, []string{"X-Forwarded-For: 6.6.6.6, 203.0.113.1, 10.1.1.1"}, "203.0.113.1"},
		{"over lines", proxies, []string{"X-Forwarded-For: 6.6.6.6,203.0.113.1", "X-A: b", "X-Forwarded-For: 10.1.1.1, 10.1.1.2"}, "203.0.113.1"},
		{"all trusted", proxies, []string{"X-Forwarded-For: 10.0.0.1, 10.0.0.2"}, "10.0.0.1"},
		{"garbage ends the walk", proxies, []string{"X-Forwarded-For: 203.0.113.1, unknown, 10.0.0.2"}, "10.0.0.2"},
		{"garbage only", proxies, []string{"X-Forwarded-For: unknown", "X-Real-IP: 203.0.113.9"}, "192.0.2.7"},
		{"empty entry", proxies, []string{"X-Forwarded-For: 203.0.113.1,,10.0.0.2"}, "10.0.0.2"},
		{"real ip next", proxies, []string{"X-Real-IP: 203.0.113.9"}, "203.0.113.9"},
		{"forwarded before real ip", proxies, []string{"X-Real-IP: 203.0.113.9", "X-Forwarded-For: 203.0.113.1"}, "203.0.113.1"},
		{"empty forwarded", proxies, []string{"X-Forwarded-For: ", "X-Real-IP: 203.0.113.9"}, "203.0.113.9"},
		{"bad real ip", proxies, []string{"X-Real-IP: nobody"}, "192.0.2.7"},
		{"port", proxies, []string{"X-Forwarded-For: 203.0.113.1:4711"}, "203.0.113.1"},
		{"v6", proxies, []string{"X-Forwarded-For: 2a00::1, 2001:db8::7"}, "2a00::1"},
		{"v6 with brackets and port", proxies, []string{"X-Forwarded-For: [2A00:0::1]:443"}, "2a00::1"},
		{"v6 with brackets", proxies, []string{"X-Forwarded-For: [2a00::1]"}, "2a00::1"},
		{"v4 in v6", proxies, []string{"X-Forwarded-For: 203.0.113.1, ::ffff:10.0.0.1"}, "203.0.113.1"},
		{"zone", proxies, []string{"X-Forwarded-For: fe80::1%eth0"}, "192.0.2.7"},
		{"leading zero", proxies, []string{"X-Forwarded-For: 010.0.0.1"}, "192.0.2.7"},
		{"more than can be looked at", proxies, []string{"X-Forwarded-For: 203.0.113.1" + strings.Repeat(", 10.0.0.9", 32)}, "10.0.0.9"},
		{"as many as can be looked at", proxies, []string{"X-Forwarded-For: 203.0.113.1" + strings.Repeat(", 10.0.0.9", 31)}, "203.0.113.1"},
	}
	for _, c := range cases {
		rec := record("h", "/", c.headers...)
		ClientIP(rec, trustedOf(t, c.trusted...))
		if rec.ClientIP.String() != c.want || string(rec.ClientIPText) != c.want {
			t.Errorf("%s: %v, text %q, want %s", c.name, rec.ClientIP, rec.ClientIPText, c.want)
		}
	}
}

func TestPeersOnUnixSocketsAreTrustedOnlyIfNamed(t *testing.T) {
	for _, c := range []struct{ trusted, want string }{{"unix:", "203.0.113.1"}, {"0.0.0.0/0", "unix:"}} {
		rec := &message.Record{Conn: &message.Conn{RemoteText: []byte("unix:")}}
		rec.Request.Fields.Add("X-Forwarded-For", []byte("203.0.113.1"))
		ClientIP(rec, trustedOf(t, c.trusted))
		if string(rec.ClientIPText) != c.want {
			t.Errorf("%s: %q, want %q", c.trusted, rec.ClientIPText, c.want)
		}
	}
}

func TestTrustedContainsWhatItsBlocksContain(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		var list []string
		var prefixes []netip.Prefix
		for range r.IntN(12) {
			p := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(r.IntN(4)), byte(r.IntN(256))}), 20+r.IntN(13))
			if r.IntN(4) == 0 {
				p = netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 15: byte(r.IntN(256))}), 116+r.IntN(13))
			}
			prefixes, list = append(prefixes, p.Masked()), append(list, p.String())
		}
		trusted := trustedOf(t, list...)
		for range 100 {
			addr := netip.AddrFrom4([4]byte{10, 0, byte(r.IntN(5)), byte(r.IntN(256))})
			if r.IntN(4) == 0 {
				addr = netip.AddrFrom16([16]byte{0x20, 15: byte(r.IntN(256))})
			}
			want := false
			for _, p := range prefixes {
				want = want || p.Contains(addr)
			}
			if trusted.Contains(addr) != want {
				t.Fatalf("%v in %v: want %v", addr, list, want)
			}
		}
	}
}

func TestTrustedListIsChecked(t *testing.T) {
	for _, entry := range []string{"", "proxy.local", "10.0.0.0/33", "10.0.0", "fe80::1%eth0/64"} {
		if _, err := NewTrusted([]string{"10.0.0.1", entry}); err == nil || !strings.Contains(err.Error(), "expected an IP address") {
			t.Errorf("%q: %v", entry, err)
		}
	}
	if trusted := trustedOf(t, "::ffff:10.0.0.0/104"); !trusted.Contains(netip.MustParseAddr("10.9.9.9")) {
		t.Error("a mapped block does not hold its addresses")
	}
}

func TestClientIPDoesNotAllocate(t *testing.T) {
	trusted := trustedOf(t, "192.0.2.0/24", "10.0.0.0/8")
	for _, headers := range [][]string{nil, {"X-Forwarded-For: 203.0.113.1, 10.0.0.1"}} {
		for _, set := range []*Trusted{nil, trusted} {
			rec := record("h", "/", headers...)
			if n := testing.AllocsPerRun(100, func() { ClientIP(rec, set) }); n != 0 {
				t.Errorf("%q: %v allocations", headers, n)
			}
		}
	}
}

func FuzzIPv4IsReadAsTheStandardLibraryDoes(f *testing.F) {
	for _, seed := range []string{"1.2.3.4", "255.255.255.255", "256.1.1.1", "01.2.3.4", "1.2.3", "1.2.3.4.5", "1..2.3", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		want, err := netip.ParseAddr(text)
		got, ok := parseIPv4([]byte(text))
		if ok != (err == nil && want.Is4()) || ok && got != want {
			t.Errorf("%q: %v %v, want %v %v", text, got, ok, want, err)
		}
	})
}

func BenchmarkClientIP(b *testing.B) {
	trusted := trustedOf(b, "192.0.2.0/24", "10.0.0.0/8")
	for _, headers := range [][]string{nil, {"X-Forwarded-For: 203.0.113.1, 10.0.0.1"}} {
		b.Run(fmt.Sprint(len(headers)), func(b *testing.B) {
			rec := record("h", "/", headers...)
			b.ReportAllocs()
			for b.Loop() {
				ClientIP(rec, trusted)
			}
		})
	}
}
