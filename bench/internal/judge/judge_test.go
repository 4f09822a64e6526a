package judge

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const said = `starting benchmark...
Main benchmark duration is started for thread #0.
TLS Protocol: TLSv1.3
Application protocol: h2
Main benchmark duration is over for thread #0. Stopping all clients.

finished in 1.51s, 1996.00 req/s, 38.37MB/s
requests: 2000 total, 2000 started, 2000 done, 2000 succeeded, 0 failed, 0 errored, 0 timeout
status codes: 2000 2xx, 0 3xx, 0 4xx, 0 5xx
traffic: 38.37MB (40232956) total, 367.50KB (376320) headers (space savings 33.33%), 400.00KB (400000) data
`

func TestFiguresOfARun(t *testing.T) {
	w := Work{TLS: true, H2: true, Length: 200, PIDs: []int{os.Getpid()}}
	r := watch(strings.NewReader(said), w)
	if !r.ended {
		t.Fatal("its end was not seen")
	}
	r.end, r.to = r.begin.Add(2*time.Second), r.from+time.Second
	f, err := r.figures(w)
	if err != nil || f.Requests != 2000 || f.RPS != 1000 || f.CPU != 500 || f.Cores != 0.5 {
		t.Errorf("%+v, %v", f, err)
	}
}

// Whatever is not as it should be must fail the run: figures of errors are worth nothing.
func TestABadRunFails(t *testing.T) {
	w := Work{TLS: true, H2: true, Length: 200}
	for _, c := range []struct{ old, new, want string }{
		{"2000 succeeded, 0 failed", "1999 succeeded, 1 failed", "1 failed"},
		{"0 errored", "3 errored", "3 errored"},
		{"0 timeout", "2 timeout", "2 timed out"},
		{"0 5xx", "7 5xx", "7 5xx"},
		{"TLSv1.3", "TLSv1.2", "not TLS 1.3"},
		{"protocol: h2", "protocol: http/1.1", "not HTTP/2"},
		{"(400000) data", "(1000) data", "too short"},
		{"2000 succeeded", "0 succeeded", "0 requests"},
		{"Main benchmark duration is over", "", "told nothing"},
		{"status codes", "", "told nothing"},
	} {
		r := watch(strings.NewReader(strings.Replace(said, c.old, c.new, 1)), w)
		if _, err := r.figures(w); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q in place of %q: %v", c.new, c.old, err)
		}
	}
	w.Total = 2001
	if _, err := watch(strings.NewReader(said), w).figures(w); err == nil {
		t.Error("a missing request was not noticed")
	}
}

func TestTheProgramIsRunAsAsked(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "h2load")
	script := "#!/bin/sh\necho \"$@\" >" + dir + "/args\ncat <<END\n" + said + "END\n"
	if err := os.WriteFile(program, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	w := Work{Program: program, Dir: dir, Address: "127.0.0.1:1", Path: "/small", TLS: true, H2: true, Conns: 8, Streams: 32, Length: 200,
		Body: 1000, Counted: time.Second, Warmup: 250 * time.Millisecond}
	if _, err := H2load(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	args, err := os.ReadFile(dir + "/args")
	if err != nil {
		t.Fatal(err)
	}
	want := "-c 8 -m 32 -H User-Agent: h2load/bench -d " + dir + "/body -D 1000ms --warm-up-time 250ms https://127.0.0.1:1/small\n"
	if string(args) != want {
		t.Errorf("got  %swant %s", args, want)
	}
	if info, err := os.Stat(dir + "/body"); err != nil || info.Size() != 1000 {
		t.Errorf("the body: %v", err)
	}
}

func TestGHZMustHaveOnlyGoodCalls(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "ghz")
	w := Work{Program: program, Dir: dir, Address: "127.0.0.1:1", Conns: 2, Streams: 2, Counted: time.Second}
	for _, c := range []struct {
		json string
		good bool
	}{
		{`{"count":1000,"total":1000000000,"statusCodeDistribution":{"OK":1000}}`, true},
		{`{"count":1000,"total":1000000000,"statusCodeDistribution":{"OK":999,"Unavailable":1}}`, false},
		{`{"count":0,"total":1000000000,"statusCodeDistribution":{}}`, false},
		{`nonsense`, false},
	} {
		if err := os.WriteFile(program, []byte("#!/bin/sh\necho '"+c.json+"'\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		f, err := GHZ(t.Context(), w)
		if (err == nil) != c.good || c.good && (f.Requests != 1000 || f.RPS != 1000) {
			t.Errorf("%s: %+v, %v", c.json, f, err)
		}
	}
}

func TestCertificateIsOne(t *testing.T) {
	dir := t.TempDir()
	if err := WriteCertificate(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := tls.LoadX509KeyPair(filepath.Join(dir, CertFile), filepath.Join(dir, KeyFile)); err != nil {
		t.Error(err)
	}
	if _, err := tls.LoadX509KeyPair(filepath.Join(dir, BothFile), filepath.Join(dir, BothFile)); err != nil {
		t.Error(err)
	}
}

func TestCPUOfThisProcessGrows(t *testing.T) {
	pids := []int{os.Getpid()}
	before := CPUOf(pids)
	sum := 0
	for i := 0; CPUOf(pids) == before && i < 1_000_000; i++ {
		sum += i
	}
	if CPUOf(pids) <= before || before == 0 {
		t.Errorf("%v, then %v (%d)", before, CPUOf(pids), sum)
	}
}
