package config

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
)

func sampleConfig(t testing.TB) *Config {
	t.Helper()
	data, err := os.ReadFile("testdata/sample.toml")
	if err != nil {
		t.Fatal(err)
	}
	c, report := Load([]Document{{Name: "sample.toml", Data: data}}, Options{})
	if err := report.Err(); err != nil {
		t.Fatal(err)
	}
	return c
}

func open(t testing.TB, c *Config) *Snapshot {
	t.Helper()
	data, sum := Encode(c)
	s, err := OpenSnapshot(data)
	if err != nil {
		t.Fatal(err)
	}
	if s.Sha() != sum {
		t.Errorf("opened %s, encoded %s", s.Sha(), sum)
	}
	return s
}

func TestSnapshotHoldsWhatMattersAtRunTime(t *testing.T) {
	c := sampleConfig(t)
	decoded, err := open(t, c).Config()
	if err != nil {
		t.Fatal(err)
	}
	if len(decoded.Storages) != 0 {
		t.Error("storages are in the snapshot")
	}
	c.Storages = map[string]*Storage{}
	c.Basic.AutoRestartCheckInterval = decoded.Basic.AutoRestartCheckInterval // without effect
	if !reflect.DeepEqual(c, decoded) {
		t.Errorf("decoded %+v\nwant %+v", decoded, c)
	}
}

func TestSnapshotKeepsTypesOfParameters(t *testing.T) {
	c := mustLoad(t, `
[plugins.p]
category = "limit"
int = -5
float = 1.0
text = "10"
on = true
off = false
at = 2024-05-06T07:08:09.5Z
empty = []
list = ["a", 1, 2.5, [true]]
rules = [{ tag = "ip" }, { tag = "ip", n = 1 }]
[plugins.p.sub]
deep = { x = "y" }
`)
	p, err := open(t, c).Plugin("p")
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(p, c.Plugins["p"]) {
		t.Errorf("decoded %#v\nwant %#v", p.Params, c.Plugins["p"].Params)
	}
	if !reflect.DeepEqual(p.Params["rules"].([]any)[1], map[string]any{"tag": "ip", "n": int64(1)}) {
		t.Errorf("rules are %#v", p.Params["rules"])
	}
}

func TestEqualConfigurationsHaveEqualSnapshots(t *testing.T) {
	const one = `
[upstreams.u]
addrs = ["127.0.0.1"]
read_timeout = "60s"
remark = "a"
[locations.l]
upstream = "u"
path = "/x"
[plugins.p]
category = "limit"
max = 1
tag = "ip"
`
	const other = `
[plugins.p]
tag = "ip"
max = 1
category = "limit"
[storages.s]
category = "config"
value = 'path = "/x"'
[locations.l]
includes = ["s"]
upstream = "u"
plugins = []
[upstreams.u]
read_timeout = "1m"
addrs = ["127.0.0.1"]
remark = "b"
`
	a, sumA := Encode(mustLoad(t, one))
	b, sumB := Encode(mustLoad(t, other))
	if !bytes.Equal(a, b) || sumA != sumB {
		t.Errorf("snapshots %s and %s differ", sumA, sumB)
	}
}

func TestOnlyTheChangedObjectGetsAnotherHash(t *testing.T) {
	c := sampleConfig(t)
	before := open(t, c)
	c.Locations["root"].MaxRetries = 2
	after := open(t, c)
	for i, o := range after.Objects() {
		changed := o != before.Objects()[i]
		if want := o.Kind == KindLocation && o.Name == "root"; changed != want {
			t.Errorf("%s %s changed: %v", o.Kind, o.Name, changed)
		}
	}
	if before.Sha() == after.Sha() {
		t.Error("the snapshots have the same hash")
	}
}

func TestObjectsOfEqualContentHaveHashesOfTheirOwn(t *testing.T) {
	s := open(t, mustLoad(t, "[upstreams.a]\naddrs=['127.0.0.1']\n[upstreams.b]\naddrs=['127.0.0.1']\n"))
	a, okA := s.Find(KindUpstream, "a")
	b, okB := s.Find(KindUpstream, "b")
	if !okA || !okB || a.Sha == b.Sha {
		t.Errorf("found %v %v", a, b)
	}
}

func TestSnapshotDoesNotKnowOtherNames(t *testing.T) {
	s := open(t, sampleConfig(t))
	if _, err := s.Location("none"); !errors.Is(err, ErrNoObject) {
		t.Errorf("got %v", err)
	}
	if _, ok := s.Find(KindServer, "root"); ok {
		t.Error("found a location among the servers")
	}
}

func TestDecodedObjectsDoNotReferToTheBytes(t *testing.T) {
	data, _ := Encode(sampleConfig(t))
	s, err := OpenSnapshot(data)
	if err != nil {
		t.Fatal(err)
	}
	l, err := s.Location("apiV1")
	if err != nil {
		t.Fatal(err)
	}
	clear(data)
	if l.Upstream != "api" || l.Plugins[1] != "perIp" || s.Objects()[1].Name != "pingap" && s.Objects()[1].Name != "web" {
		t.Errorf("got %+v, %+v", l, s.Objects()[1])
	}
}

func TestDamagedSnapshotsAreRefused(t *testing.T) {
	data, _ := Encode(sampleConfig(t))
	for n := range data {
		if _, err := OpenSnapshot(data[:n]); !errors.Is(err, ErrSnapshot) {
			t.Fatalf("cut at %d: %v", n, err)
		}
		damaged := bytes.Clone(data)
		damaged[n] ^= 1
		if _, err := OpenSnapshot(damaged); !errors.Is(err, ErrSnapshot) {
			t.Fatalf("damaged at %d: %v", n, err)
		}
	}
}

// resign gives a damaged body a hash that fits, so that the decoder itself is tried.
func resign(body []byte) []byte {
	sum := sha256.Sum256(body)
	return append(append([]byte(snapshotMagic), sum[:]...), body...)
}

func TestDamagedContentIsRefusedOrReadWithoutPanic(t *testing.T) {
	data, _ := Encode(sampleConfig(t))
	body := data[len(snapshotMagic)+sha256.Size:]
	refused := 0
	for n := range body {
		for _, change := range []byte{1, 0x80, 0xff} {
			damaged := bytes.Clone(body)
			damaged[n] ^= change
			s, err := OpenSnapshot(resign(damaged))
			if err == nil {
				_, err = s.Config()
			}
			if err != nil {
				refused++
			}
		}
	}
	if refused < len(body) {
		t.Errorf("only %d of %d damages were noticed", refused, 3*len(body))
	}
}

func manyLocations(n int) string {
	var b strings.Builder
	b.WriteString("[upstreams.u]\naddrs = [\"127.0.0.1:80\"]\n[servers.web]\naddr = \"127.0.0.1:80\"\nlocations = [\n")
	for i := range n {
		fmt.Fprintf(&b, "  \"l%d\",\n", i)
	}
	b.WriteString("]\n")
	for i := range n {
		fmt.Fprintf(&b, "[locations.l%d]\nhost = \"h%d.example.com\"\npath = \"/p%d\"\nupstream = \"u\"\n", i, i, i)
		b.WriteString("proxy_set_headers = [\"X-A:1\", \"X-B:$remote_addr\"]\nclient_max_body_size = \"10mb\"\n")
	}
	return b.String()
}

func manyConfig(b *testing.B) *Config {
	b.Helper()
	c, report := Load([]Document{{Name: "x", Data: []byte(manyLocations(10_000))}}, Options{})
	if err := report.Err(); err != nil {
		b.Fatal(err)
	}
	return c
}

func BenchmarkLoad10000(b *testing.B) {
	docs := []Document{{Name: "x", Data: []byte(manyLocations(10_000))}}
	b.ReportAllocs()
	for b.Loop() {
		if _, report := Load(docs, Options{}); report.Err() != nil {
			b.Fatal(report.Err())
		}
	}
}

func BenchmarkEncode10000(b *testing.B) {
	c := manyConfig(b)
	b.ReportAllocs()
	for b.Loop() {
		data, _ := Encode(c)
		b.SetBytes(int64(len(data)))
	}
}

func BenchmarkOpen10000(b *testing.B) {
	data, _ := Encode(manyConfig(b))
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := OpenSnapshot(data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecode10000(b *testing.B) {
	data, _ := Encode(manyConfig(b))
	s, err := OpenSnapshot(data)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Config(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDiff10000(b *testing.B) {
	old, changed := manyConfig(b), manyConfig(b)
	changed.Locations["l77"].MaxRetries = 1
	b.ReportAllocs()
	for b.Loop() {
		if n := len(Diff(old, changed)); n != 1 {
			b.Fatal(n)
		}
	}
}
