package dns

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pingap/e2e/backends"
)

// resolver returns one that knows nothing of the machine it runs on.
func resolver(t *testing.T, resolvConf, hosts string) *Resolver {
	t.Helper()
	dir := t.TempDir()
	opt := Options{ResolvConf: filepath.Join(dir, "resolv.conf"), Hosts: filepath.Join(dir, "hosts")}
	for path, text := range map[string]string{opt.ResolvConf: resolvConf, opt.Hosts: hosts} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return New(opt)
}

func at(servers ...*backends.DNS) Settings {
	var s Settings
	for _, d := range servers {
		s.Servers = append(s.Servers, d.Addr)
	}
	return s
}

func text(a Answer) string {
	var out []string
	for _, one := range a.Addrs {
		out = append(out, one.IP.String())
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func TestAddressesOfNames(t *testing.T) {
	d := backends.StartDNS(t)
	d.Set("a.test", "60 A 127.0.0.1", "30 A 127.0.0.2", "90 AAAA ::1")
	d.Set("alias.test", "20 CNAME other.test.")
	d.Set("other.test", "60 CNAME a.test.")
	d.Set("circle.test", "60 CNAME ring.test.")
	d.Set("ring.test", "60 CNAME circle.test.")
	d.Set("dangling.test", "60 CNAME nowhere.test.")
	d.Set("empty.test")
	d.Set("web.in.test", "60 A 127.0.0.3")
	d.Set("six.test", "60 AAAA 2001:db8::1")
	d.Set("mapped.test", "60 AAAA ::ffff:127.0.0.9", "60 A 127.0.0.8")
	for _, c := range []struct {
		name, host string
		domains    []string
		ipv4       bool
		want       string
		err        error
	}{
		{"both families", "a.test", nil, false, "127.0.0.1 127.0.0.2 ::1", nil},
		{"IPv4 only", "a.test", nil, true, "127.0.0.1 127.0.0.2", nil},
		{"absolute, in any case", "A.Test.", nil, false, "127.0.0.1 127.0.0.2 ::1", nil},
		{"a chain of aliases", "alias.test", nil, false, "127.0.0.1 127.0.0.2 ::1", nil},
		{"no such name", "none.test", nil, false, "", ErrGone},
		{"an alias to no such name", "dangling.test", nil, false, "", ErrGone},
		{"a name without addresses", "empty.test", nil, false, "", ErrEmpty},
		{"a name of IPv6, IPv4 only", "six.test", nil, true, "", ErrEmpty},
		{"a domain to search", "web", []string{"no.test", "in.test"}, false, "127.0.0.3", nil},
		{"a domain for a name with a dot", "web.in", []string{"test"}, false, "127.0.0.3", nil},
		{"domains do not help an absolute name", "web.", []string{"in.test"}, false, "", ErrGone},
		{"an IPv4 address is no IPv6 one", "mapped.test", nil, false, "127.0.0.8", nil},
		{"aliases in a circle", "circle.test", nil, false, "", errAnswered},
		{"a name too long", strings.Repeat("a", 64) + ".test", nil, false, "", errors.New("")},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := at(d)
			s.Domains, s.IPv4Only = c.domains, c.ipv4
			a, err := resolver(t, "", "").Addresses(t.Context(), s, c.host)
			if text(a) != c.want || (err == nil) != (c.err == nil) {
				t.Fatalf("got %q, %v", text(a), err)
			}
			if (c.err == ErrGone || c.err == ErrEmpty || c.err == errAnswered) && !errors.Is(err, c.err) {
				t.Errorf("error %v, want %v", err, c.err)
			}
		})
	}
}

func TestTheShortestTTLCountsWithinBounds(t *testing.T) {
	d := backends.StartDNS(t)
	d.Set("alias.test", "20 CNAME a.test.")
	d.Set("a.test", "60 A 127.0.0.1", "40 A 127.0.0.2", "90 AAAA ::1")
	d.Set("short.test", "0 A 127.0.0.1")
	d.Set("long.test", "86400 A 127.0.0.1")
	d.Set("odd.test", "4294967295 A 127.0.0.1") // counts as 0 (RFC 2181, 8)
	for host, want := range map[string]time.Duration{"alias.test": 20 * time.Second, "a.test": 40 * time.Second, "short.test": minTTL,
		"long.test": maxTTL, "odd.test": minTTL} {
		a, err := resolver(t, "", "").Addresses(t.Context(), at(d), host)
		if err != nil {
			t.Fatal(err)
		}
		if left := time.Until(a.Until); left > want || left < want-4*time.Second {
			t.Errorf("%s holds for %v, want %v", host, left, want)
		}
	}
}

func TestServersThatDoNotAnswerAsTheyShould(t *testing.T) {
	for _, c := range []struct {
		fault backends.Fault
		alone string // what is found when there is no other server
		tcp   bool
		next  bool // the next server is asked
	}{
		{backends.ServFail, "", false, true},
		{backends.Refused, "", false, true},
		{backends.Lame, "", false, true},
		{backends.Cut, "", true, true},
		{backends.NoEDNS, "127.0.0.1", false, false},
		{backends.Truncated, "127.0.0.1", true, false},
		{backends.WrongID, "127.0.0.1", false, false},
		{backends.WrongName, "127.0.0.1", false, false},
		{backends.Garbage, "127.0.0.1", false, false},
		{backends.UpperCase, "127.0.0.1", false, false},
		{backends.OtherFirst, "127.0.0.1", false, false},
		{backends.OnlyA, "127.0.0.1", false, true},
	} {
		t.Run(fmt.Sprint(c.fault), func(t *testing.T) {
			t.Parallel()
			bad, good := backends.StartDNS(t), backends.StartDNS(t)
			bad.Set("a.test", "60 A 127.0.0.1")
			bad.Fail("a.test", c.fault)
			good.Set("a.test", "60 A 127.0.0.2")
			a, err := resolver(t, "", "").Addresses(t.Context(), at(bad), "a.test")
			if text(a) != c.alone || (err == nil) != (c.alone != "") || errors.Is(err, ErrGone) || errors.Is(err, ErrEmpty) {
				t.Errorf("alone: %q, %v", text(a), err)
			}
			if c.tcp != (bad.OverTCP() > 0) {
				t.Errorf("%d questions by TCP", bad.OverTCP())
			}
			want := c.alone
			if want == "" {
				want = "127.0.0.2"
			}
			if a, err = resolver(t, "", "").Addresses(t.Context(), at(bad, good), "a.test"); text(a) != want {
				t.Errorf("with another: %q, %v", text(a), err)
			}
			if next := good.Queries("a.test", "A")+good.Queries("a.test", "AAAA") > 0; next != c.next {
				t.Errorf("the next server was asked: %v", next)
			}
		})
	}
}

func TestASilentServerIsPassedOverAndThenComesLast(t *testing.T) {
	silent, forger, good := backends.StartDNS(t), backends.StartDNS(t), backends.StartDNS(t)
	silent.Fail("", backends.Silent)
	forger.Fail("", backends.Forged)
	forger.Set("a.test", "60 A 127.0.0.66")
	good.Set("a.test", "60 A 127.0.0.1")
	good.Set("b.test", "60 A 127.0.0.2")
	r := resolver(t, "", "")
	if a, err := r.Addresses(t.Context(), at(silent, forger, good), "a.test"); text(a) != "127.0.0.1" {
		t.Fatalf("%q, %v", text(a), err)
	}
	if a, err := r.Addresses(t.Context(), at(silent, forger, good), "b.test"); text(a) != "127.0.0.2" {
		t.Fatalf("%q, %v", text(a), err)
	}
	if n := silent.Queries("b.test", "A") + forger.Queries("b.test", "A"); n != 0 {
		t.Errorf("servers that do not answer were asked %d times again", n)
	}
}

func TestALargeAnswerComesByTCP(t *testing.T) {
	d := backends.StartDNS(t)
	var records []string
	for i := range 300 {
		records = append(records, fmt.Sprintf("60 A 127.1.%d.%d", i/250, i%250))
	}
	d.Set("many.test", records...)
	a, err := resolver(t, "", "").Addresses(t.Context(), at(d), "many.test")
	if err != nil || len(a.Addrs) != 300 || d.OverTCP() == 0 {
		t.Errorf("%d addresses, %d by TCP, %v", len(a.Addrs), d.OverTCP(), err)
	}
}

func TestAnAliasWithoutItsTargetIsAskedFor(t *testing.T) {
	d := backends.StartDNS(t)
	d.Set("alias.test", "60 CNAME a.test.")
	d.Set("a.test", "60 A 127.0.0.1")
	d.Fail("alias.test", backends.OnlyNames)
	if a, err := resolver(t, "", "").Addresses(t.Context(), at(d), "alias.test"); text(a) != "127.0.0.1" {
		t.Errorf("%q, %v", text(a), err)
	}
}

func TestOneFamilyThatFailsIsSaid(t *testing.T) {
	d := backends.StartDNS(t)
	d.Set("a.test", "60 A 127.0.0.1", "60 AAAA ::1")
	d.Fail("a.test", backends.OnlyA)
	a, err := resolver(t, "", "").Addresses(t.Context(), at(d), "a.test")
	if err != nil || !slices.Equal(a.Failed, []Origin{{"a.test.", true}}) {
		t.Errorf("failed %v, %v", a.Failed, err)
	}
}

func TestServices(t *testing.T) {
	d := backends.StartDNS(t)
	d.Set("_http._tcp.test", "60 SRV 20 1 82 c.test.", "60 SRV 10 5 80 a.test.", "60 SRV 10 0 81 b.test.")
	d.Set("_none._tcp.test", "60 SRV 0 0 0 .")
	r := resolver(t, "", "")
	a, err := r.Services(t.Context(), at(d), "_http._tcp.test")
	want := []Service{{"a.test.", 80, 10, 5}, {"b.test.", 81, 10, 0}, {"c.test.", 82, 20, 1}}
	if err != nil || !slices.Equal(a.Services, want) {
		t.Errorf("%v, %v", a.Services, err)
	}
	for _, name := range []string{"_none._tcp.test", "_else._tcp.test"} {
		if _, err := r.Services(t.Context(), at(d), name); !errors.Is(err, ErrGone) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestManyWhoAskTheSameAskOnce(t *testing.T) {
	d := backends.StartDNS(t)
	d.Set("a.test", "60 A 127.0.0.1")
	r := resolver(t, "", "")
	var wait sync.WaitGroup
	for range 200 {
		wait.Go(func() {
			if a, err := r.Addresses(t.Context(), at(d), "a.test"); text(a) != "127.0.0.1" {
				t.Errorf("%q, %v", text(a), err)
			}
		})
	}
	wait.Wait()
	if n := d.Queries("a.test", "A"); n != 1 {
		t.Errorf("%d questions", n)
	}
}

func TestWhoWaitsIsNotLeftWithTheEndOfAnother(t *testing.T) {
	d := backends.StartDNS(t)
	d.Fail("a.test", backends.Silent)
	r := resolver(t, "", "")
	first, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 2)
	go func() {
		_, err := r.Addresses(first, at(d), "a.test")
		ended <- err
	}()
	for d.Queries("a.test", "A") == 0 {
		time.Sleep(time.Millisecond)
	}
	found := make(chan string, 1)
	go func() {
		a, err := r.Addresses(t.Context(), at(d), "a.test")
		found <- text(a)
		ended <- err
	}()
	d.Set("a.test", "60 A 127.0.0.1")
	d.Fail("a.test", backends.Healthy)
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) && err == nil {
		t.Errorf("who left got no error")
	}
	if got := <-found; got != "127.0.0.1" {
		t.Errorf("who stayed got %q", got)
	}
	<-ended
}

func TestTheCacheIsBoundedAndForgetsWhatIsTooOldForWhoAsks(t *testing.T) {
	c := newCache()
	for i := range 3 * maxCached {
		_, _, err := c.get(t.Context(), key{"", question{fmt.Sprint(i), 1}}, 0, func() (reply, error) { return reply{ttl: time.Hour, alias: "x"}, nil })
		if err != nil {
			t.Fatal(err)
		}
	}
	if n := len(c.entries); n > maxCached {
		t.Errorf("%d entries", n)
	}
	asked := 0
	ask := func(maxAge time.Duration) {
		c.get(t.Context(), key{"", question{"a", 1}}, maxAge, func() (reply, error) {
			asked++
			return reply{ttl: time.Hour, addrs: []netip.Addr{netip.IPv6Loopback()}}, nil
		})
	}
	ask(0)
	ask(0)
	ask(time.Minute)
	if asked != 1 {
		t.Errorf("asked %d times", asked)
	}
	time.Sleep(10 * time.Millisecond)
	if ask(time.Millisecond); asked != 2 {
		t.Errorf("what is too old was taken: asked %d times", asked)
	}
}

func TestTheFilesOfTheSystem(t *testing.T) {
	d := backends.StartDNS(t)
	d.Set("web.in.test", "60 A 127.0.0.3")
	d.Set("x.y.z.in.test", "60 A 127.0.0.4")
	r := resolver(t, "# a comment\nnameserver "+d.Addr.String()+"\nsearch none.test in.test\noptions rotate ndots:3\n",
		"127.0.0.7 here.test Here2 # web\n::1 here.test\n127.0.0.7 here.test\nnonsense web\n")
	for _, c := range []struct {
		host string
		ipv4 bool
		want string
	}{
		{"web", false, "127.0.0.3"}, {"x.y.z", false, "127.0.0.4"}, {"here.test", false, "127.0.0.7 ::1"},
		{"HERE2.", false, "127.0.0.7"}, {"here.test", true, "127.0.0.7"}, {"localhost", false, "127.0.0.1 ::1"}, {"a.localhost", true, "127.0.0.1"},
	} {
		if a, err := r.Addresses(t.Context(), Settings{IPv4Only: c.ipv4}, c.host); text(a) != c.want {
			t.Errorf("%s: %q, %v", c.host, text(a), err)
		}
	}
	if a, err := r.Addresses(t.Context(), at(d), "here.test"); !errors.Is(err, ErrGone) {
		t.Errorf("with name servers of its own the hosts file counts: %q, %v", text(a), err)
	}
	if list := resolver(t, "", "").system.servers(); len(list) != 2 || list[0].String() != "127.0.0.1:53" {
		t.Errorf("without a name server: %v", list)
	}
}

func TestNamesAreTriedInTheirOrder(t *testing.T) {
	for _, c := range []struct {
		host    string
		domains []string
		ndots   int
		want    string
	}{
		{"web", nil, 1, "web."},
		{"web", []string{"a.test", "b.test"}, 1, "web.a.test. web.b.test. web."},
		{"web.x", []string{"a.test"}, 1, "web.x. web.x.a.test."},
		{"web.x", []string{"a.test"}, 5, "web.x.a.test. web.x."},
		{"web.", []string{"a.test"}, 1, "web."},
	} {
		if got := strings.Join(candidates(c.host, c.domains, c.ndots), " "); got != c.want {
			t.Errorf("%s: %s", c.host, got)
		}
	}
}

// A domain that fails does not let the next one answer for the name that had answered before.
func TestANameThatAnsweredIsNotReplacedWhileItsServersFail(t *testing.T) {
	d := backends.StartDNS(t)
	d.Set("web.a.test", "60 A 127.0.0.1")
	d.Set("web.b.test", "60 A 127.0.0.2")
	s := at(d)
	s.Domains = []string{"a.test", "b.test"}
	a, err := resolver(t, "", "").Addresses(t.Context(), s, "web")
	if err != nil || a.Name != "web.a.test." {
		t.Fatal(a.Name, err)
	}
	d.Fail("web.a.test", backends.ServFail)
	if a, _ := resolver(t, "", "").Addresses(t.Context(), s, "web"); text(a) != "127.0.0.2" {
		t.Errorf("at first: %q", text(a))
	}
	s.Stick = "web.a.test."
	if a, err := resolver(t, "", "").Addresses(t.Context(), s, "web"); err == nil {
		t.Errorf("later: %q", text(a))
	}
}
