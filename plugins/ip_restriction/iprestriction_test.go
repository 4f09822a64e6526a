package iprestriction

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"pingap/plugins"
	"pingap/plugins/plugintest"
)

func TestClientsPassByTheirAddress(t *testing.T) {
	const list = `ip_list = ["192.0.2.1", "10.0.0.0/8", "2001:db8::/32", "::1", "::ffff:198.51.100.0/120", " 203.0.113.9 "]` + "\n"
	cases := []struct {
		address string
		listed  bool
	}{
		{"192.0.2.1", true}, {"192.0.2.2", false}, {"192.0.2.0", false},
		{"10.0.0.0", true}, {"10.255.255.255", true}, {"11.0.0.0", false}, {"9.255.255.255", false},
		{"::ffff:10.1.2.3", true}, // IPv4 on a socket of IPv6
		{"2001:db8::", true}, {"2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", true}, {"2001:db9::", false}, {"2001:db7:ffff::1", false},
		{"::1", true}, {"::2", false}, {"::", false}, {"0.0.0.0", false}, {"255.255.255.255", false}, {"ffff::", false},
		{"198.51.100.77", true}, {"198.51.101.0", false}, {"203.0.113.9", true},
		{"2001:db8::1%eth0", true}, {"2001:db8:ffff:ffff:ffff:ffff:ffff:ffff%eth0", true},
	}
	allow := plugintest.Build(t, Factory(), list)
	deny := plugintest.Build(t, Factory(), list+`type = "Deny"`)
	for _, c := range cases {
		if got := status(t, allow, c.address); got != map[bool]int{true: 0, false: 403}[c.listed] {
			t.Errorf("allow: %s: %d", c.address, got)
		}
		if got := status(t, deny, c.address); got != map[bool]int{true: 403, false: 0}[c.listed] {
			t.Errorf("deny: %s: %d", c.address, got)
		}
	}
}

func TestARefusalSaysTheMessage(t *testing.T) {
	for table, want := range map[string]string{
		"":                         "Request is forbidden",
		`message = "members only"`: "members only",
	} {
		x := plugintest.Build(t, Factory(), "ip_list = [\"10.0.0.0/8\"]\n"+table)
		d := x.Decider.Decide(plugintest.New(t, "GET /"))
		if d.Answer == nil || d.Answer.Status != 403 || string(d.Answer.Body) != want || d.Reason != "address" {
			t.Errorf("%+v", d)
		}
	}
}

func TestAClientWithoutAddressIsRefusedByBothTypes(t *testing.T) {
	for _, kind := range []string{"allow", "deny"} {
		x := plugintest.Build(t, Factory(), "ip_list = [\"0.0.0.0/0\", \"::/0\"]\ntype = \""+kind+"\"")
		e := plugintest.New(t, "GET /")
		e.ClientIP, e.ClientIPText = netip.Addr{}, []byte("unix:")
		if d := x.Decider.Decide(e); d.Answer == nil || d.Answer.Status != 400 || string(d.Answer.Body) != "Client address is unknown" {
			t.Errorf("%s: %+v", kind, d)
		}
	}
}

func TestAnEmptyListHoldsNobody(t *testing.T) {
	if got := status(t, plugintest.Build(t, Factory(), ``), "192.0.2.1"); got != 403 {
		t.Errorf("allow: %d", got)
	}
	if got := status(t, plugintest.Build(t, Factory(), "ip_list = []\ntype = \"DENY\""), "192.0.2.1"); got != 0 {
		t.Errorf("deny: %d", got)
	}
}

// The sorted ranges say what looking at every network says.
func TestManyNetworksAreFoundAsOneByOne(t *testing.T) {
	random := rand.New(rand.NewPCG(6, 12))
	for range 50 {
		var prefixes []netip.Prefix
		var texts []string
		for range 1 + random.IntN(60) {
			p := randomPrefix(random)
			prefixes, texts = append(prefixes, p), append(texts, p.String())
		}
		list, err := readNetworks("ip_list", texts)
		if err != nil {
			t.Fatal(err)
		}
		for i := 1; i < len(list.ranges); i++ {
			if !list.ranges[i-1].last.Less(list.ranges[i].first) {
				t.Fatalf("ranges overlap: %v", list.ranges)
			}
		}
		for _, p := range prefixes {
			for _, a := range []netip.Addr{p.Addr(), p.Addr().Prev(), lastOf(p), lastOf(p).Next(), randomPrefix(random).Addr()} {
				if !a.IsValid() {
					continue
				}
				want := false
				for _, each := range prefixes {
					want = want || each.Contains(a)
				}
				if list.contain(a) != want {
					t.Fatalf("%s in %v: %t", a, texts, !want)
				}
			}
		}
	}
}

// randomPrefix returns networks of few addresses, so that they touch and overlap often.
func randomPrefix(random *rand.Rand) netip.Prefix {
	if random.IntN(2) == 0 {
		a := netip.AddrFrom4([4]byte{byte(random.IntN(2)) * 255, 0, byte(random.IntN(4)), byte(random.IntN(256))})
		return netip.PrefixFrom(a, random.IntN(17)*2).Masked()
	}
	b := [16]byte{0: byte(random.IntN(2)) * 255, 14: byte(random.IntN(4)), 15: byte(random.IntN(256))}
	return netip.PrefixFrom(netip.AddrFrom16(b), []int{0, 1, 8, 64, 112, 118, 121, 124, 127, 128}[random.IntN(10)]).Masked()
}

func TestRefusesWrongParameters(t *testing.T) {
	entry := func(text string) string {
		return "expected an IP address or a network such as 10.0.0.0/8, found \"" + text + "\""
	}
	plugintest.Refused(t, Factory(), []plugintest.RefusedCase{
		{Table: `ip_list = ["10.0.0.1", "10.0.0.256"]`, Key: "ip_list", Message: "entry 2: " + entry("10.0.0.256")},
		{Table: `ip_list = [""]`, Key: "ip_list", Message: "entry 1: " + entry("")},
		{Table: `ip_list = ["localhost"]`, Key: "ip_list", Message: "entry 1: " + entry("localhost")},
		{Table: `ip_list = ["10.0.0.0/33"]`, Key: "ip_list", Message: "entry 1: " + entry("10.0.0.0/33")},
		{Table: `ip_list = ["fe80::1%eth0"]`, Key: "ip_list", Message: "entry 1: " + entry("fe80::1%eth0")},
		{Table: `ip_list = "10.0.0.1"`, Key: "ip_list", Message: "expected a list of texts, found text"},
		{Table: `type = "refuse"`, Key: "type", Message: `expected allow or deny, found "refuse"`},
		{Table: `step = "proxy_upstream"`, Key: "step", Message: `ip_restriction has no step "proxy_upstream", expected request`},
	})
}

func TestDecidingDoesNotAllocate(t *testing.T) {
	x := plugintest.Build(t, Factory(), manyNetworks())
	e := plugintest.New(t, "GET /")
	for _, address := range []string{"10.7.3.1", "2001:db8::1"} {
		e.ClientIP = netip.MustParseAddr(address)
		if n := testing.AllocsPerRun(100, func() { x.Decider.Decide(e) }); n != 0 {
			t.Errorf("%s: %v allocations", address, n)
		}
	}
}

func BenchmarkTenThousandNetworks(b *testing.B) {
	x := plugintest.Build(b, Factory(), manyNetworks())
	e := plugintest.New(b, "GET /")
	e.ClientIP = netip.MustParseAddr("10.7.3.1")
	b.ReportAllocs()
	for b.Loop() {
		x.Decider.Decide(e)
	}
}

// manyNetworks is a list of 10,000 networks that do not touch.
func manyNetworks() string {
	var list []string
	for i := range 10_000 {
		list = append(list, fmt.Sprintf("\"10.%d.%d.0/25\"", i/250, i%250))
	}
	return "ip_list = [" + strings.Join(list, ",") + "]"
}

// status is that of the answer to a client, 0 for none.
func status(t *testing.T, x *plugins.Instance, address string) int {
	t.Helper()
	e := plugintest.New(t, "GET /")
	e.ClientIP = netip.MustParseAddr(address)
	if d := x.Decider.Decide(e); d.Answer != nil {
		return d.Answer.Status
	}
	return 0
}
