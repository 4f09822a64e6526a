package control

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pingap/ipc"
)

// asker is a client of the admin interface.
type asker struct {
	t      *testing.T
	client *http.Client
}

// listenAdmin makes the socket of the admin interface, for the handshake.
func listenAdmin(t *testing.T) (*net.UnixListener, *asker) {
	t.Helper()
	dir, err := os.MkdirTemp("", "pgadmin")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		l.Close()
		os.RemoveAll(dir)
	})
	return l, &asker{t, &http.Client{Transport: transport, Timeout: patience}}
}

// answer is what came back.
type answer struct {
	status int
	body   string
}

func (a *asker) try(method, path, body string) answer {
	req, err := http.NewRequest(method, "http://localhost/api"+path, strings.NewReader(body))
	if err != nil {
		return answer{body: err.Error()}
	}
	resp, err := a.client.Do(req)
	if err != nil {
		return answer{body: err.Error()}
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, string(text)}
}

// begin asks, and gives the answer later.
func (a *asker) begin(method, path, body string) <-chan answer {
	ch := make(chan answer, 1)
	go func() { ch <- a.try(method, path, body) }() // ends with the client's time limit
	return ch
}

// workersAre answers the status request that follows an applied change.
func (r *rig) workersAre(version uint64) {
	r.t.Helper()
	m := r.receive()
	m.Close()
	as[*ipc.StatusRequest](r.t, m.Body)
	r.send(m.Txn, ipc.StatusAll{Processes: []ipc.Process{{Kind: ipc.RoleWorker, PID: 7, Slot: 1, Generation: 2, State: ipc.StateActive}}})
}

func changeTo(addr string) string {
	return fmt.Sprintf(`{"set":{"upstream":{"u":{"addrs":[%q],"health_check":"http://nobody.test/?check_frequency=1h&failure=1000"}}}}`, addr)
}

func TestAWriteIsJudgedWrittenAndProposedOnce(t *testing.T) {
	l, a := listenAdmin(t)
	r := newRig(t, base, rigOptions{watch: WatchAll, admin: l})
	r.boot()
	before, _ := os.ReadFile(r.conf)

	waiting := a.begin("POST", "/changes", changeTo("127.0.0.1:10"))
	p := r.expectProposal()
	if p.Who != "admin" || !strings.HasPrefix(p.RequestedBy, "admin by uid ") || p.Class != ipc.ClassHot {
		t.Errorf("proposal %+v", p.Propose)
	}
	if now, _ := os.ReadFile(r.conf); !bytes.Contains(now, []byte("127.0.0.1:10")) {
		t.Errorf("it is proposed, and not written:\n%s", now)
	}
	r.apply(p, 2)
	r.workersAre(2)
	got := <-waiting
	var done struct {
		Version uint64
		Workers []struct{ PID, Slot, Generation, Version int }
	}
	if err := json.Unmarshal([]byte(got.body), &done); err != nil || got.status != 200 || done.Version != 2 || len(done.Workers) != 1 || done.Workers[0].Version != 2 {
		t.Errorf("%+v, %v", got, err)
	}

	// What is refused is taken back, and the watcher finds nothing in either.
	waiting = a.begin("POST", "/changes", changeTo("127.0.0.1:11"))
	p = r.expectProposal()
	r.send(p.txn, ipc.Refused{Code: ipc.CodeInvalid, Worker: "worker 1 (pid 7)", Reason: "no room"})
	if got := <-waiting; got.status != 422 || !strings.Contains(got.body, "no room") {
		t.Errorf("%+v", got)
	}
	want := bytes.Replace(before, []byte("127.0.0.1:9"), []byte("127.0.0.1:10"), 1)
	if now, _ := os.ReadFile(r.conf); !bytes.Equal(now, want) {
		t.Errorf("the source holds\n%s\nwant\n%s", now, want)
	}
	for range 20 { // a watcher has to be given time to be wrong
		if m := r.receiveSoon(); m != nil {
			if _, beat := m.Body.(*ipc.Status); !beat && !r.aboutBackends(m) {
				t.Errorf("after all that came %+v", m.Body)
			}
			m.Close()
		}
	}
}

func TestAWriteThatMeansTheSameIsWrittenAndProposesNothing(t *testing.T) {
	l, a := listenAdmin(t)
	r := newRig(t, base, rigOptions{admin: l})
	r.boot()
	waiting := a.begin("POST", "/changes", strings.Replace(changeTo("127.0.0.1:9"), `"addrs"`, `"remark":"words","addrs"`, 1))
	r.workersAre(1)
	if got := <-waiting; got.status != 200 || !strings.Contains(got.body, `"version":1`) || !strings.Contains(got.body, `"class":"none"`) {
		t.Errorf("%+v", got)
	}
	if now, _ := os.ReadFile(r.conf); !strings.Contains(string(now), `remark = "words"`) {
		t.Errorf("not written:\n%s", now)
	}
}

func TestWritesThatCannotWaitAreTurnedAway(t *testing.T) {
	l, a := listenAdmin(t)
	r := newRig(t, base, rigOptions{admin: l})
	r.boot()
	first := a.begin("POST", "/changes", changeTo("127.0.0.1:10"))
	p := r.expectProposal() // and is not answered yet: all others wait
	const asked = maxWrites + 20
	answers := make(chan answer, asked)
	for n := range asked {
		go func() {
			answers <- a.try("POST", "/changes", fmt.Sprintf(`{"set":{"upstream":{"n%d":{"addrs":[]}}}}`, n))
		}() // ends with the client's time limit
	}
	if got := <-answers; got.status != 503 || !strings.Contains(got.body, "too many") {
		t.Errorf("%+v", got)
	}
	r.send(p.txn, ipc.Refused{Code: ipc.CodeBusy, Reason: "busy"})
	if got := <-first; got.status != 503 {
		t.Errorf("%+v", got)
	}
}

func TestWhatIsNoChangeIsRefused(t *testing.T) {
	l, a := listenAdmin(t)
	r := newRig(t, base, rigOptions{admin: l})
	r.boot()
	before, _ := os.ReadFile(r.conf)
	for _, c := range []struct {
		method, path, body string
		status             int
	}{
		{"POST", "/changes", ``, 400},
		{"POST", "/changes", `{}`, 400},
		{"POST", "/changes", `{"set":{"upstream":{"u":{}}}} {}`, 400},
		{"POST", "/changes", `{"set":{"upstream":{"u":[]}}}`, 400},
		{"POST", "/changes", `{"set":{"nothing":{"u":{}}}}`, 400},
		{"POST", "/changes", `{"set":{"upstream":{"a/b":{}}}}`, 400},
		{"POST", "/changes", `{"set":{"upstream":{"":{}}}}`, 400},
		{"POST", "/changes", `{"set":{"upstream":{"u":{}},"upstreams":{"u":{}}}}`, 400},
		{"POST", "/changes", `{"set":{"upstream":{"none":null}}}`, 404},
		{"POST", "/changes", `{"set":{"upstream":{"u":null}}}`, 409},
		{"POST", "/changes", `{"toml":{"upstream":{"u":"x = "}}}`, 422},
		{"POST", "/changes", `{"toml":{"upstream":{"u":"[upstreams.v]\n"}}}`, 422},
		{"POST", "/changes?dry_run", `{"set":{"upstream":{"u":{"addrs":7}}}}`, 422},
		{"POST", "/changes", `{"x":"` + strings.Repeat("x", 1<<20) + `"}`, 413},
		{"POST", "/configs/upstream/u", `null`, 400},
		{"POST", "/configs/nothing/u", `{}`, 404},
		{"POST", "/configs/import", `x`, 422},
		{"POST", "/configs/import", ``, 400},
		{"DELETE", "/configs/location/l", ``, 409},
		{"DELETE", "/configs/location/none", ``, 404},
		{"GET", "/objects/upstream/none", ``, 404},
		{"GET", "/objects/nothing/u", ``, 404},
		{"GET", "/versions/x", ``, 400},
		{"GET", "/versions/99", ``, 404},
		{"POST", "/versions/99/rollback", ``, 404},
		{"POST", "/upstreams/none/backends/127.0.0.1:9/drain", ``, 404},
		{"POST", "/upstreams/u/backends/127.0.0.1:9/explode", ``, 404},
		{"PUT", "/configs/upstream/u", ``, 405},
	} {
		got := a.try(c.method, c.path, c.body)
		if got.status != c.status || !strings.Contains(got.body, `"message"`) {
			t.Errorf("%s %s %.60s: %d %.300s, want %d", c.method, c.path, c.body, got.status, got.body, c.status)
		}
	}
	if now, _ := os.ReadFile(r.conf); !bytes.Equal(now, before) {
		t.Errorf("the source was changed:\n%s", now)
	}
}
