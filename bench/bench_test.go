package main

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

func TestRowsAreSelectedByName(t *testing.T) {
	for _, c := range []struct {
		words string
		want  int
	}{
		{"", len(allRows())},
		{"0.2 KiB, 64 conns, 1 thread", 2 - 1},
		{"16 KiB", 4},
		{"direct answer,1 MiB", 10},
		{"over TLS", 4},
		{"10,000 locations", 2},
		{"idle 10,000 conns", 1},
	} {
		rows, err := selectRows(c.words)
		if err != nil || len(rows) != c.want {
			t.Errorf("%q: got %d rows, %v, want %d", c.words, len(rows), err, c.want)
		}
	}
	if _, err := selectRows("no such row"); err == nil {
		t.Error("an unknown row was accepted")
	}
}

func TestRowNamesAreUnique(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range allRows() {
		if seen[r.Name] {
			t.Errorf("two rows are called %q", r.Name)
		}
		seen[r.Name] = true
	}
}

func TestRatioIsTheMedianOfTheRounds(t *testing.T) {
	rounds := func(us ...float64) (out []genResult) {
		for _, v := range us {
			out = append(out, genResult{CPU: v})
		}
		return out
	}
	res := result{Proxies: []measured{
		{Proxy: "nginx", Rounds: rounds(10, 20, 10)},
		{Proxy: "pingap", Rounds: rounds(8, 10, 9)},
	}}
	summarise(&res)
	if got := res.Proxies[1].Ratio; got != 0.8 {
		t.Errorf("ratio %v, want the median of 0.8, 0.5, 0.9", got)
	}
	if got := res.Proxies[0].Ratio; got != 1 {
		t.Errorf("nginx's own ratio is %v", got)
	}
	res.Proxies[0].Failed = "yes"
	summarise(&res)
	if got := res.Proxies[1].Ratio; got != 0 {
		t.Errorf("ratio %v to a reference that failed", got)
	}
}

func TestHalfLoadIsThatOfTheReference(t *testing.T) {
	nginx, fast := measured{Proxy: "nginx", Median: genResult{RPS: 1000}}, measured{Proxy: "pingap", Median: genResult{RPS: 3000}}
	failed := measured{Proxy: "nginx", Median: genResult{RPS: 10}, Failed: "yes"}
	slow := measured{Proxy: "caddy", Median: genResult{RPS: 400}}
	for want, proxies := range map[int][]measured{500: {slow, nginx, fast}, 200: {failed, fast, slow}, 0: {failed}} {
		if got := halfRate(proxies); got != want {
			t.Errorf("got %d, want %d", got, want)
		}
	}
}

func TestTableShowsHalfLoad(t *testing.T) {
	res := []result{{Row: row{Name: "work"}, Proxies: []measured{{Proxy: "pingap", Half: &genResult{RPS: 1234, P99: 321}}, {Proxy: "caddy"}}}}
	var out strings.Builder
	printHalf(&out, res)
	if !strings.Contains(out.String(), "1234  pingap") || !strings.Contains(out.String(), "321") || strings.Contains(out.String(), "caddy") {
		t.Errorf("got:\n%s", out.String())
	}
	out.Reset()
	printHalf(&out, []result{{Proxies: []measured{{Proxy: "pingap"}}}})
	if out.Len() > 0 {
		t.Errorf("nothing measured, printed %q", out.String())
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1, 5}, 5}, {[]float64{4, 1, 3, 2}, 2.5}} {
		if got := median(c.values); got != c.want {
			t.Errorf("median(%v) = %v, want %v", c.values, got, c.want)
		}
	}
}

func TestTableMarksUnsaturatedAndFailedRows(t *testing.T) {
	r := row{Name: "work", Threads: 1, Conns: 64}
	res := []result{{Row: r, Proxies: []measured{
		{Proxy: "nginx", Median: genResult{CPU: 20, ProxyCores: 0.99}, Ratio: 1},
		{Proxy: "pingap", Median: genResult{CPU: 16, ProxyCores: 0.5}, Ratio: 0.8},
		{Proxy: "caddy", Failed: "3 errors"},
	}}}
	var out strings.Builder
	printTables(&out, description{}, res)
	for _, want := range []string{"20.0 µs ", "0.80 (16.0 µs*)", "FAILED: work, caddy: 3 errors", "62500"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in:\n%s", want, out.String())
		}
	}
}

// Each configuration names the ports, and the rich one all locations.
func TestConfigurationsAreComplete(t *testing.T) {
	for _, p := range knownProxies(options{original: "x"}, t.TempDir()) {
		for _, v := range []variant{variantPlain, variantLocations} {
			if !p.serves(v) {
				continue
			}
			s := setup{dir: t.TempDir(), variant: v, threads: 2, port: 4001, upstream: 4002}
			args, _, err := p.command(s)
			if err != nil {
				t.Fatal(err)
			}
			text := strings.Join(args, " ") + readAll(t, s.dir)
			wants := []string{"127.0.0.1", "4001", "127.0.0.1:4002", directBody()}
			if v == variantLocations {
				wants = append(wants, locationPrefix(0), locationPrefix(locations-1))
			}
			for _, want := range wants {
				if !strings.Contains(text, want) {
					t.Errorf("%s, %s: no %q", p.name, v, strconv.Quote(want))
				}
			}
		}
	}
}

// The rows for TLS, HTTP/2 and gRPC are the same work for all.
func TestConfigurationsSpeakTheProtocols(t *testing.T) {
	wants := map[variant]map[string][]string{
		variantTLS: {"nginx": {"ssl http2", "TLSv1.3", "/certs/cert.pem"}, "haproxy": {"alpn h2,http/1.1", "/certs/both.pem"},
			"pingap": {"global_certificates = true", "enabled_h2 = true", "/certs/key.pem"}},
		variantH2C:  {"nginx": {" http2;", "keepalive 512;"}, "haproxy": {" proto h2", "pool-max-conn 512"}, "pingap": {"enabled_h2 = true", "upstream_keepalive_pool_size = 512"}},
		variantGRPC: {"nginx": {"grpc_pass grpc://gen"}, "haproxy": {"server gen 127.0.0.1:4002 pool-max-conn 128 proto h2"}, "pingap": {`alpn = "h2"`}},
		variantH2Up: {"haproxy": {" proto h2"}, "pingap": {`alpn = "h2"`}, "go": {"-upstream 127.0.0.1:4002"}},
	}
	for v, proxies := range wants {
		for _, p := range knownProxies(options{}, t.TempDir()) {
			if _, wanted := proxies[p.name]; wanted != p.serves(v) {
				t.Errorf("%s, %s: compared: %v", p.name, v, p.serves(v))
			}
			if !p.serves(v) {
				continue
			}
			s := setup{dir: t.TempDir(), variant: v, threads: 1, port: 4001, upstream: 4002, certs: "/certs"}
			args, _, err := p.command(s)
			if err != nil {
				t.Fatal(err)
			}
			text := strings.Join(args, " ") + readAll(t, s.dir)
			for _, want := range proxies[p.name] {
				if !strings.Contains(text, want) {
					t.Errorf("%s, %s: no %q in:\n%s", p.name, v, want, text)
				}
			}
		}
	}
}

// A proxy that cannot do a row has no figure and no failure there; one that fails has both, and the others go on.
func TestAbsentIsNoFailure(t *testing.T) {
	r := row{Name: "work", Variant: variantH2Up, Threads: 1, Conns: 64}
	res := result{Row: r, Proxies: []measured{
		{Proxy: "nginx", Absent: true, Failed: "not compared"},
		{Proxy: "go", Rounds: []genResult{{CPU: 100, ProxyCores: 1}}},
		{Proxy: "pingap", Rounds: []genResult{{CPU: 40, ProxyCores: 1}}},
		{Proxy: "haproxy", Failed: "does not listen"},
	}}
	summarise(&res)
	var out strings.Builder
	printTables(&out, description{}, []result{res})
	for _, want := range []string{"0.40 (40.0 µs)", "FAILED: work, haproxy: does not listen"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in:\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "not compared") {
		t.Errorf("an absent proxy was called failed:\n%s", out.String())
	}
}

// A number of large requests is compared by its rate.
func TestUploadsAreComparedByRate(t *testing.T) {
	res := result{Row: row{Total: 5, Conns: 1}, Proxies: []measured{
		{Proxy: "nginx", Rounds: []genResult{{CPU: 10, MiBPerSecond: 100}}}, {Proxy: "pingap", Rounds: []genResult{{CPU: 20, MiBPerSecond: 90}}}}}
	summarise(&res)
	if got := cell(res.Row, res.Proxies[1]); got != "0.90 (90 MiB/s)" {
		t.Errorf("got %q", got)
	}
}

func readAll(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, e := range entries {
		text, err := os.ReadFile(dir + "/" + e.Name())
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}

func TestFlagsAreChecked(t *testing.T) {
	for _, args := range [][]string{{"-rounds", "0"}, {"-seconds", "1h"}, {"-nginx", "fast"}, {"extra"}} {
		if _, err := parseFlags(args, &strings.Builder{}); err == nil {
			t.Errorf("%q was accepted", args)
		}
	}
	o, err := parseFlags([]string{"-quick", "-proxies", "pingap,nginx"}, &strings.Builder{})
	if err != nil || len(o.proxies) != 2 || o.rows == "" {
		t.Errorf("got %+v, %v", o, err)
	}
}

func TestGrowthIsALeakBeyondTheUsual(t *testing.T) {
	first := usage{kib: 50_000, files: 100, threads: 20}
	if err := first.compare(usage{kib: 60_000, files: 110, threads: 22}); err != nil {
		t.Error(err)
	}
	for _, last := range []usage{{kib: 150_000}, {files: 1_000}, {threads: 200}} {
		if first.compare(last) == nil {
			t.Errorf("%+v after %+v is no leak", last, first)
		}
	}
	u, err := measureUsage([]int{os.Getpid()})
	if err != nil || u.kib == 0 || u.files == 0 || u.threads == 0 {
		t.Errorf("own usage %+v, %v", u, err)
	}
}
