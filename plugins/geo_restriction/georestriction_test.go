package georestriction

import (
	"bytes"
	"flag"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"pingap/config"
	"pingap/plugins"
	"pingap/plugins/plugintest"
)

var update = flag.Bool("update", false, "write testdata/country.mmdb, which tests of README examples use")

// world is what the databases of tests say.
func world() map[string]string {
	return map[string]string{"2.0.0.0/16": "FR", "2.1.0.0/16": "DE", "8.8.0.0/16": "us", "9.0.0.0/8": "", "2a00::/16": "DE", "2b00::/16": "CH"}
}

// makeDatabase makes a database; an empty country is a record without one.
func makeDatabase(t testing.TB, kind string, world map[string]string) []byte {
	t.Helper()
	tree, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: kind, RecordSize: 24, BuildEpoch: 1_700_000_000})
	if err != nil {
		t.Fatal(err)
	}
	for network, code := range world {
		_, prefix, err := net.ParseCIDR(network)
		if err != nil {
			t.Fatal(err)
		}
		data := mmdbtype.Map{"continent": mmdbtype.Map{"code": mmdbtype.String("EU")}}
		if code != "" {
			data["country"] = mmdbtype.Map{"iso_code": mmdbtype.String(code), "geoname_id": mmdbtype.Uint32(7)}
		}
		if err := tree.Insert(prefix, data); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	if _, err := tree.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// place puts a database in place of another, as an update does; its time is that of a file that has settled.
func place(t testing.TB, path string, data []byte, age time.Duration) {
	t.Helper()
	if err := os.WriteFile(path+".new", data, 0o600); err != nil {
		t.Fatal(err)
	}
	then := time.Now().Add(-age)
	if err := os.Chtimes(path+".new", then, then); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// office is a worker's services with a database and what is logged.
type office struct {
	services *plugins.Services
	path     string
	logs     *observer.ObservedLogs
}

func newOffice(t testing.TB) *office {
	core, logs := observer.New(zapcore.InfoLevel)
	o := &office{services: &plugins.Services{Log: zap.New(core)}, path: filepath.Join(t.TempDir(), "country.mmdb"), logs: logs}
	place(t, o.path, makeDatabase(t, "GeoLite2-Country", world()), time.Hour)
	return o
}

func (o *office) build(t testing.TB, params map[string]any) *plugins.Instance {
	t.Helper()
	params["database"] = o.path
	x, err := plugins.NewRegistry([]plugins.Factory{Factory()}, nil).WithServices(o.services).
		Build(&config.Plugin{Name: "x", Category: "geo_restriction", Params: params})
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func decide(t testing.TB, x *plugins.Instance, address string) *plugins.Answer {
	t.Helper()
	e := plugintest.New(t, "GET /")
	e.ClientIP, _ = netip.ParseAddr(address)
	return x.Decider.Decide(e).Answer
}

func TestClientsPassByTheirCountry(t *testing.T) {
	cases := []struct {
		name, kind string
		codes      []any
		refused    string // of the addresses below, by what stands there
	}{
		{"allow", "allow", []any{"DE"}, "fr us ch none nowhere"},
		{"deny", "deny", []any{"DE"}, "de de6"},
		{"several", "deny", []any{"de, FR", "ch us"}, "de de6 fr ch us"},
		{"reporting", "reporting", nil, ""},
	}
	addresses := map[string]string{"de": "2.1.200.3", "de6": "2a00::1", "fr": "2.0.0.1", "us": "8.8.8.8", "ch": "2b00:1::", "none": "9.1.1.1", "nowhere": "127.0.0.1", "unix": ""}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			o := newOffice(t)
			params := map[string]any{"type": c.kind}
			if c.codes != nil {
				params["country_codes"] = c.codes
			}
			x := o.build(t, params)
			for range 2 { // the second is from memory
				for name, address := range addresses {
					a := decide(t, x, address)
					if want := strings.Contains(" "+c.refused+" ", " "+name+" "); (a != nil) != want {
						t.Errorf("%s: %+v", name, a)
					}
					if a != nil && (a.Status != 403 || string(a.Body) != "Access from your country is not allowed") {
						t.Errorf("%s: %+v", name, a)
					}
				}
			}
			if a := decide(t, x, "::ffff:2.1.0.1"); (a != nil) != strings.Contains(c.refused, "de") {
				t.Errorf("IPv4 on a socket of IPv6: %+v", a)
			}
			if err := x.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestReportingSaysWhereRequestsComeFrom(t *testing.T) {
	o := newOffice(t)
	x := o.build(t, map[string]any{"type": "reporting", "country_codes": []any{"DE"}})
	for range 50 {
		decide(t, x, "2.1.0.1")
		decide(t, x, "2.0.0.1")
		decide(t, x, "127.0.0.1")
	}
	lines := o.logs.FilterMessage("requests from a country").All()
	if len(lines) != 3 { // the others are for the line in 10 s
		t.Fatalf("%d lines", len(lines))
	}
	for i, want := range []struct {
		country string
		listed  bool
	}{{"DE", true}, {"FR", false}, {"??", false}} {
		got := lines[i].ContextMap()
		if got["country"] != want.country || got["listed"] != want.listed || got["requests"] != int64(1) || got["plugin"] != "x" {
			t.Errorf("got %v", got)
		}
	}
}

func TestAReplacedDatabaseIsReadAnew(t *testing.T) {
	o := newOffice(t)
	x := o.build(t, map[string]any{"type": "deny", "country_codes": []any{"DE"}})
	other := o.build(t, map[string]any{"type": "deny", "country_codes": []any{"FR"}})
	d := x.Decider.(*restriction).database
	if d != other.Decider.(*restriction).database {
		t.Fatal("two instances hold two copies")
	}
	if decide(t, x, "2.1.0.1") == nil || decide(t, other, "2.1.0.1") != nil {
		t.Fatal("not what the first database says")
	}
	moved := world()
	moved["2.1.0.0/16"] = "FR"
	place(t, o.path, makeDatabase(t, "GeoLite2-Country", moved), time.Minute)
	if decide(t, x, "2.1.0.1") == nil {
		t.Fatal("looked at again before its time")
	}
	old := d.current.Load()
	d.next.Store(0)
	if decide(t, x, "2.1.0.1") != nil || decide(t, other, "2.1.0.1") == nil {
		t.Error("not what the second database says")
	}
	if c := old.country(netip.MustParseAddr("2.1.0.1")); c.String() != "DE" {
		t.Errorf("the old edition says %s", c)
	}
	if d.current.Load() == old || o.logs.FilterMessage("a database of countries was read anew").Len() != 1 {
		t.Errorf("%v", o.logs.All())
	}
	for _, each := range []*plugins.Instance{x, other} {
		if err := each.Close(); err != nil {
			t.Error(err)
		}
	}
	if n := len(shelfOf(o.services).open); n != 0 {
		t.Errorf("%d databases are held for nobody", n)
	}
}

func TestADatabaseThatBreaksLeavesTheOneBefore(t *testing.T) {
	o := newOffice(t)
	x := o.build(t, map[string]any{"type": "deny", "country_codes": []any{"DE"}})
	d := x.Decider.(*restriction).database
	whole := makeDatabase(t, "GeoLite2-Country", world())
	for name, data := range map[string][]byte{"cut": whole[:len(whole)/2], "empty": {}, "something else": []byte("hello")} {
		place(t, o.path, data, time.Minute)
		for range 3 {
			d.next.Store(0)
			if decide(t, x, "2.1.0.1") == nil {
				t.Errorf("%s: nothing is refused any more", name)
			}
		}
	}
	if err := os.Remove(o.path); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		d.next.Store(0)
		if decide(t, x, "2.1.0.1") == nil {
			t.Error("without the file nothing is refused any more")
		}
	}
	if n := o.logs.FilterMessageSnippet("cannot be used").Len(); n != 4 { // one for each
		t.Errorf("%d lines: %v", n, o.logs.All())
	}
	place(t, o.path, whole, 0) // fresh: somebody may still write to it
	for range 2 {
		d.next.Store(0)
		decide(t, x, "2.1.0.1")
	}
	if n := o.logs.FilterMessage("a database of countries was read anew").Len(); n != 2 {
		t.Errorf("a fresh file was read %d times, expected once more", n)
	}
}

func TestAWorkerThatComesUpWithoutTheFileLetsNobodyPass(t *testing.T) {
	o := newOffice(t)
	whole := makeDatabase(t, "GeoLite2-Country", world())
	if err := os.Remove(o.path); err != nil {
		t.Fatal(err)
	}
	x := o.build(t, map[string]any{"type": "deny", "country_codes": []any{"DE"}})
	report := o.build(t, map[string]any{"type": "reporting"})
	for range 3 {
		if a := decide(t, x, "2.0.0.1"); a == nil || a.Status != 503 {
			t.Errorf("%+v", a)
		}
		if a := decide(t, report, "2.0.0.1"); a != nil {
			t.Errorf("%+v", a)
		}
	}
	if n := o.logs.FilterLevelExact(zapcore.ErrorLevel).Len(); n != 1 {
		t.Errorf("%v", o.logs.All())
	}
	place(t, o.path, whole, time.Hour)
	x.Decider.(*restriction).database.next.Store(0)
	if decide(t, x, "2.0.0.1") != nil || decide(t, x, "2.1.0.1") == nil {
		t.Error("not what the database says")
	}
}

func TestWithoutServicesTheFileIsReadWhenItIsNeeded(t *testing.T) {
	o := newOffice(t)
	x := plugintest.Build(t, Factory(), "type = \"deny\"\ncountry_codes = [\"DE\"]\ndatabase = \""+o.path+"\"")
	if x.Decider.(*restriction).database.current.Load() != nil {
		t.Error("was read to be checked")
	}
	if decide(t, x, "2.1.0.1") == nil || decide(t, x, "2.0.0.1") != nil {
		t.Error("not what the database says")
	}
}

// Requests go on while the file is replaced again and again.
func TestLookUpsGoOnWhileTheFileChanges(t *testing.T) {
	o := newOffice(t)
	x := o.build(t, map[string]any{"type": "deny", "country_codes": []any{"DE"}})
	d := x.Decider.(*restriction).database
	editions := [][]byte{makeDatabase(t, "GeoLite2-City", world()), makeDatabase(t, "GeoLite2-Country", world())}
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			for range 2000 {
				d.next.Store(0)
				if decide(t, x, "2.1.0.1") == nil || decide(t, x, "2.0.0.1") != nil {
					t.Error("not what all editions say")
					return
				}
			}
		})
	}
	for i := range 50 {
		place(t, o.path, editions[i%2], time.Duration(i)*time.Minute)
	}
	clients.Wait()
}

func TestRefusesWrongParameters(t *testing.T) {
	o := newOffice(t)
	bare := filepath.Join(t.TempDir(), "asn.mmdb")
	place(t, bare, makeDatabase(t, "GeoLite2-ASN", map[string]string{"2.0.0.0/16": ""}), time.Hour)
	with := func(rest string) string { return "database = \"" + o.path + "\"\n" + rest }
	const deny, codes = "type = \"deny\"\ncountry_codes = [\"DE\"]\n", "expected codes of countries of two letters, such as DE (ISO 3166-1)"
	plugintest.Refused(t, Factory(), []plugintest.RefusedCase{
		{Table: deny, Key: "database", Message: "is required: " + Factory().Params[0].Help},
		{Table: with(`country_codes = ["DE"]`), Key: "type", Message: "is required: " + Factory().Params[1].Help},
		{Table: with(`type = "Deny"`), Key: "type", Message: `expected allow or deny or reporting, found "Deny"`},
		{Table: with(`type = "allow"`), Key: "country_codes", Message: "expected at least one country"},
		{Table: with("type = \"deny\"\ncountry_codes = [\"FR\", \"DEU\"]"), Key: "country_codes", Message: "entry 2: " + codes},
		{Table: with("type = \"deny\"\ncountry_codes = [\"F1\"]"), Key: "country_codes", Message: "entry 1: " + codes},
		{Table: with("type = \"deny\"\ncountry_codes = [\"FR;DE\"]"), Key: "country_codes", Message: "entry 1: " + codes},
		{Table: with("type = \"deny\"\ncountry_codes = [\" , \"]"), Key: "country_codes", Message: "entry 1: expected codes of countries, found none"},
		{Table: deny + `database = "country.mmdb"`, Key: "database", Message: "expected an absolute path"},
		{Table: deny + `database = "/nonexistent.mmdb"`, Key: "database", Message: "stat /nonexistent.mmdb: no such file or directory"},
		{Table: deny + `database = "/"`, Key: "database", Message: "expected a file of at most 1 GiB"},
		{Table: deny + `database = "` + bare + `"`, Key: "database", Message: "the database holds no countries (country.iso_code)"},
	})
}

func TestDecidingDoesNotAllocate(t *testing.T) {
	x := newOffice(t).build(t, map[string]any{"type": "deny", "country_codes": []any{"DE"}})
	e := plugintest.New(t, "GET /")
	for _, address := range []string{"2.0.0.1", "2b00::1", "127.0.0.1"} {
		e.ClientIP = netip.MustParseAddr(address)
		if n := testing.AllocsPerRun(100, func() { x.Decider.Decide(e) }); n != 0 {
			t.Errorf("%s: %v allocations", address, n)
		}
	}
}

func TestTheDatabaseOfTheExamplesIsCurrent(t *testing.T) {
	const file = "testdata/country.mmdb"
	want := makeDatabase(t, "GeoLite2-Country", world())
	if *update {
		if err := os.WriteFile(file, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := check(file); err != nil {
		t.Error(err)
	}
}

func BenchmarkDecide(b *testing.B) {
	x := newOffice(b).build(b, map[string]any{"type": "deny", "country_codes": []any{"DE"}})
	e := plugintest.New(b, "GET /")
	e.ClientIP = netip.MustParseAddr("2.0.0.1")
	b.ReportAllocs()
	for b.Loop() {
		x.Decider.Decide(e)
	}
}

// What is no database is refused, and what passes for one answers.
func FuzzDatabase(f *testing.F) {
	whole := makeDatabase(f, "GeoLite2-Country", world())
	f.Add(whole)
	f.Add(whole[:len(whole)-20])
	f.Add([]byte("\xab\xcd\xefMaxMind.com"))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := open(data)
		if err != nil {
			return
		}
		for _, address := range []string{"2.0.0.1", "2a00::1", "::"} {
			if c := e.country(netip.MustParseAddr(address)); c >= countries {
				t.Fatalf("country %d", c)
			}
		}
	})
}
