package worker

import (
	"encoding/json"
	"io"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"pingap/config"
	"pingap/ipc"
	"pingap/plugins"
	"pingap/worker/explain"
)

// ask asks a worker as the supervisor does.
func (b *boss) ask(what string, question any) (*ipc.Explained, []byte) {
	b.t.Helper()
	body, err := json.Marshal(question)
	if err != nil {
		b.t.Fatal(err)
	}
	fd, err := unix.MemfdCreate("answer", unix.MFD_CLOEXEC)
	if err != nil {
		b.t.Fatal(err)
	}
	room := os.NewFile(uintptr(fd), "answer")
	defer room.Close()
	var fds ipc.FDs
	slot := fds.Add(fd)
	b.send(ipc.Explain{What: what, Body: body, Answer: slot}, fds...)
	answer := receive[*ipc.Explained](b)
	data, err := io.ReadAll(room)
	if err != nil || len(data) != answer.Length {
		b.t.Fatalf("%d bytes, %v, announced were %d", len(data), err, answer.Length)
	}
	return answer, data
}

func TestAWorkerExplainsWhatItServes(t *testing.T) {
	up := newBackend(t)
	b := hire(t, config1(up.addr), nil)
	answer, data := b.ask(ipc.ExplainRequest, explain.Question{URL: "http://" + b.addr + "/"})
	var e explain.Explanation
	if answer.Status != 200 || json.Unmarshal(data, &e) != nil {
		t.Fatalf("%+v %s", answer, data)
	}
	if e.Server != "s" || e.Location == "" || e.Version == 0 {
		t.Errorf("%s", data)
	}
	answer, data = b.ask(ipc.ExplainRoutes, "s")
	var routes explain.Routes
	if answer.Status != 200 || json.Unmarshal(data, &routes) != nil || len(routes.Locations) == 0 {
		t.Errorf("%+v %s", answer, data)
	}
	for question, status := range map[any]int{"none": 404, 7: 400} {
		if answer, _ := b.ask(ipc.ExplainRoutes, question); answer.Status != status || answer.Problem == "" {
			t.Errorf("%v: %+v", question, answer)
		}
	}
	if answer, _ := b.ask(ipc.ExplainRequest, map[string]string{"url": "http://a/", "what": "x"}); answer.Status != 400 || !strings.Contains(answer.Problem, "what") {
		t.Errorf("an unknown key: %+v", answer)
	}
}

// What is built to be looked at opens nothing.
func TestAStillSiteOpensNothing(t *testing.T) {
	dir := t.TempDir()
	cfg, report := config.Load([]config.Document{{Name: "c.toml", Data: []byte(`
[servers.web]
addr = "127.0.0.1:6101"
locations = ["l"]
access_log = "` + dir + `/access.log combined"
otlp_exporter = "http://127.0.0.1:6102"
prometheus_metrics = "/metrics"
[locations.l]
path = "/"
upstream = "u"
max_processing = 5
[upstreams.u]
addrs = ["name.test:80", "127.0.0.1:6103"]
`)}}, config.Options{})
	if len(report.Errors) > 0 {
		t.Fatal(report.Errors)
	}
	data, _ := config.Encode(cfg)
	site, err := Still(data, []ipc.Listener{{Address: "127.0.0.1:6101", Server: "web"}}, []plugins.Factory{}, os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	e, err := site.Explain(&explain.Question{URL: "http://127.0.0.1:6101/x"})
	if err != nil || e.Upstream == nil || len(e.Upstream.Backends) != 2 || e.Upstream.Chosen != "name.test:80" || e.Upstream.Backends[0].State != "unknown" {
		t.Errorf("%v %+v", err, e)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("%v %v", left, err)
	}
}
