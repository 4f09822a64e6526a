package discovery

import (
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pingap/config"
	"pingap/e2e/backends"
)

func TestBackendsOfARealNameServer(t *testing.T) {
	t.Parallel()
	d := backends.StartDNS(t)
	d.Set("a.test", "5 A 127.0.0.1")
	d.Set("_x._tcp.test", "5 SRV 0 3 8080 a.test.", "5 SRV 9 0 8081 b.test.")
	d.Set("b.test", "5 A 127.0.0.2")
	u := &config.Upstream{Addrs: []string{"a.test:81", "_x._tcp", "127.0.0.9"}, Discovery: "dns", DNSServer: d.Addr.String(), DNSSearch: "test"}
	w := start(t, New(Options{}), u)
	defer w.end()
	up := w.becomes(t, "127.0.0.1:81 127.0.0.1:8080*3 +127.0.0.2:8081 127.0.0.9:80")
	if !up.Complete || len(up.Problems) > 0 {
		t.Errorf("%+v", up)
	}
	d.Set("a.test", "5 A 127.0.0.3")
	w.becomes(t, "127.0.0.1:81 127.0.0.3:81 127.0.0.1:8080*3 127.0.0.3:8080*3 +127.0.0.2:8081 127.0.0.9:80")
	d.Fail("", backends.ServFail)
	w.until(t, "problems", func(u Update) bool { return len(u.Problems) == 2 && strings.Contains(u.Problems[0], "failed") })
	d.Fail("", backends.Healthy)
	w.until(t, "no problems", func(u Update) bool { return len(u.Problems) == 0 })
}

// engine starts a fake one, and a watch of the containers that have label app=web.
func engine(t *testing.T, addrs ...string) (*backends.Engine, *watch) {
	t.Helper()
	e := backends.StartEngine(t, filepath.Join(t.TempDir(), "docker.sock"))
	e.Add(box("a", "web"))
	e.Add(box("x", "other"))
	return e, follow(t, e, addrs...)
}

func follow(t *testing.T, e *backends.Engine, addrs ...string) *watch {
	t.Helper()
	if len(addrs) == 0 {
		addrs = []string{"app=web:80"}
	}
	w := start(t, New(Options{DockerSocket: e.Socket}), &config.Upstream{Addrs: addrs, Discovery: "docker"})
	t.Cleanup(w.end)
	return w
}

// box is a container at 10.0.0.<its letter>.
func box(id, app string) backends.Container {
	return backends.Container{
		ID: id, Names: []string{"/" + id}, Labels: map[string]string{"app": app, "tier": "front"},
		Ports: []backends.Port{{PrivatePort: 3000, Type: "tcp"}},
		NetworkSettings: backends.Settings{Networks: map[string]backends.Network{
			"net": {IPAddress: fmt.Sprintf("10.0.0.%d", id[0]-'a'+1), Gateway: "10.0.0.254"}}},
	}
}

func TestContainersComeAndGo(t *testing.T) {
	t.Parallel()
	e, w := engine(t, "app=web:80 3", "app=other backup", "tier:9")
	w.becomes(t, "10.0.0.1:80*3 +10.0.0.24:3000 10.0.0.1:9 10.0.0.24:9")
	e.Run(box("b", "web"))
	w.becomes(t, "10.0.0.1:80*3 10.0.0.2:80*3 +10.0.0.24:3000 10.0.0.1:9 10.0.0.2:9 10.0.0.24:9")
	e.Stop("a")
	e.Pause("x")
	up := w.becomes(t, "10.0.0.2:80*3 10.0.0.2:9")
	if !up.Complete || !slices.Equal(up.Problems, []string{"app=other backup: no container that runs has this label"}) {
		t.Errorf("%+v", up)
	}
	e.Unpause("x")
	w.becomes(t, "10.0.0.2:80*3 +10.0.0.24:3000 10.0.0.2:9 10.0.0.24:9")
	e.Stop("b")
	e.Stop("x")
	if up := w.becomes(t, ""); !up.Complete {
		t.Errorf("%+v", up)
	}
}

func TestAStoppedContainerGoesBeforeTheListIsAskedFor(t *testing.T) {
	t.Parallel()
	e, w := engine(t)
	e.Run(box("b", "web"))
	w.becomes(t, "10.0.0.1:80 10.0.0.2:80")
	e.Replace(func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, nil) // no list any more
	e.Stop("a")
	w.becomes(t, "10.0.0.2:80")
}

func TestManyEventsAreFewQuestions(t *testing.T) {
	t.Parallel()
	e, w := engine(t)
	w.becomes(t, "10.0.0.1:80")
	waitFor(t, "events", func() bool { return e.Watchers() == 1 })
	before := e.Lists()
	for range 500 {
		e.Tell("container", "health_status: healthy", "a")
		e.Tell("network", "connect", "net")
	}
	e.Run(box("b", "web"))
	w.becomes(t, "10.0.0.1:80 10.0.0.2:80")
	if n := e.Lists() - before; n > 5 {
		t.Errorf("%d lists", n)
	}
}

func waitFor(t *testing.T, what string, fn func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !fn(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waiting for %s", what)
		}
	}
}

func TestAnEngineThatIsDownKeepsWhatWasKnown(t *testing.T) {
	t.Parallel()
	e, w := engine(t)
	w.becomes(t, "10.0.0.1:80")
	e.Down()
	up := w.until(t, "a problem", func(u Update) bool { return len(u.Problems) > 0 })
	if up.text() != "10.0.0.1:80" || !strings.Contains(up.Problems[0], e.Socket) || !strings.Contains(up.Problems[0], "kept (1)") {
		t.Errorf("%+v", up)
	}
	e.Add(box("b", "web")) // unseen
	if err := e.Up(); err != nil {
		t.Fatal(err)
	}
	if up = w.becomes(t, "10.0.0.1:80 10.0.0.2:80"); len(up.Problems) > 0 {
		t.Errorf("%+v", up)
	}
	waitFor(t, "events", func() bool { return e.Watchers() == 1 })
	e.Stop("b")
	w.becomes(t, "10.0.0.1:80")
}

func TestAnEngineThatIsDownIsToldWhereNoContainerWasFound(t *testing.T) {
	t.Parallel()
	e, w := engine(t, "app=none:80")
	w.until(t, "a problem", func(u Update) bool { return u.Complete && len(u.Problems) == 1 })
	e.Down()
	w.until(t, "another", func(u Update) bool { return len(u.Problems) == 1 && strings.Contains(u.Problems[0], e.Socket) })
}

func TestAnEngineThatComesLate(t *testing.T) {
	t.Parallel()
	e := backends.StartEngine(t, filepath.Join(t.TempDir(), "docker.sock"))
	e.Add(box("a", "web"))
	e.Down()
	w := follow(t, e)
	up := w.until(t, "a problem", func(u Update) bool { return len(u.Problems) > 0 })
	if !up.Tried || up.Complete {
		t.Errorf("%+v", up)
	}
	if err := e.Up(); err != nil {
		t.Fatal(err)
	}
	if up = w.becomes(t, "10.0.0.1:80"); !up.Complete || len(up.Problems) > 0 {
		t.Errorf("%+v", up)
	}
}

func TestAnEngineThatAnswersNonsense(t *testing.T) {
	write := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { w.Write([]byte(text)) }
	}
	for name, list := range map[string]http.HandlerFunc{
		"no JSON":       write("<html>"),
		"an object":     write(`{"message":"no"}`),
		"other types":   write(`[{"Id":1}]`),
		"no ID":         write(`[{}]`),
		"cut":           write(`[{"Id":"a"},`),
		"nothing":       write(""),
		"a status":      func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusForbidden) },
		"a redirection": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) },
		"a huge body": func(w http.ResponseWriter, r *http.Request) {
			w.Write([]byte(`[{"Id":"`))
			for range 80 {
				if _, err := w.Write([]byte(strings.Repeat("a", 1<<20))); err != nil {
					return
				}
			}
		},
		"too many": func(w http.ResponseWriter, r *http.Request) {
			w.Write([]byte("["))
			for range 20000 {
				fmt.Fprint(w, `{"Id":"x"},`)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, w := engine(t)
			w.becomes(t, "10.0.0.1:80")
			e.Replace(list, nil)
			e.Run(box("b", "web")) // has the list asked for
			up := w.until(t, "a problem", func(u Update) bool { return len(u.Problems) > 0 })
			if up.text() != "10.0.0.1:80" {
				t.Errorf("%+v", up)
			}
			e.Replace(nil, nil)
			w.becomes(t, "10.0.0.1:80 10.0.0.2:80")
		})
	}
}

func TestEventsThatAreNonsenseAreReadAnew(t *testing.T) {
	for name, text := range map[string]string{"no JSON": "<html>\n", "other types": `{"Type":1}`, "a huge one": `{"Type":"` + strings.Repeat("a", 1<<20)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, w := engine(t)
			w.becomes(t, "10.0.0.1:80")
			waitFor(t, "events", func() bool { return e.Watchers() == 1 })
			e.TellRaw(text)
			waitFor(t, "their end", func() bool { return e.Watchers() == 0 })
			e.Add(box("b", "web")) // unseen, before they are read again
			w.becomes(t, "10.0.0.1:80 10.0.0.2:80")
			waitFor(t, "events", func() bool { return e.Watchers() == 1 })
		})
	}
}

func TestWithoutEventsTheEngineIsAsked(t *testing.T) {
	t.Parallel()
	e := backends.StartEngine(t, filepath.Join(t.TempDir(), "docker.sock"))
	e.Replace(nil, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusForbidden) })
	e.Add(box("a", "web"))
	u := &config.Upstream{Addrs: []string{"app=web:80"}, Discovery: "docker", UpdateFrequency: config.Duration(time.Second)} // 5 s it is
	w := start(t, New(Options{DockerSocket: e.Socket}), u)
	defer w.end()
	w.becomes(t, "10.0.0.1:80")
	e.Add(box("b", "web"))
	w.becomes(t, "10.0.0.1:80 10.0.0.2:80")
}

// An engine that has just started may list nothing, though the containers run.
func TestAnEmptyListIsNotBelievedAtOnce(t *testing.T) {
	t.Parallel()
	e, w := engine(t)
	w.becomes(t, "10.0.0.1:80")
	before := w.count()
	waitFor(t, "events", func() bool { return e.Watchers() == 1 })
	e.Lose()
	lists := e.Lists()
	e.Tell("network", "connect", "net")
	waitFor(t, "a list", func() bool { return e.Lists() > lists })
	e.Add(box("a", "web"))
	lists = e.Lists()
	waitFor(t, "another list", func() bool { return e.Lists() > lists })
	if w.count() != before {
		t.Errorf("backends changed: %+v", w.last())
	}
	e.Lose("a")
	e.Tell("network", "connect", "net")
	w.becomes(t, "")
}

func TestAContainerInALoopOfRestartsIsLeftOut(t *testing.T) {
	t.Parallel()
	e, w := engine(t)
	e.Run(box("b", "web"))
	w.becomes(t, "10.0.0.1:80 10.0.0.2:80")
	waitFor(t, "events", func() bool { return e.Watchers() == 1 })
	for range 4 {
		e.Restart("b")
	}
	w.becomes(t, "10.0.0.1:80")
	began := time.Now()
	w.becomes(t, "10.0.0.1:80 10.0.0.2:80")
	if d := time.Since(began); d < 3*time.Second {
		t.Errorf("it is back after %v", d)
	}
}

func TestOneClientServesManyUpstreams(t *testing.T) {
	t.Parallel()
	e := backends.StartEngine(t, filepath.Join(t.TempDir(), "docker.sock"))
	e.Add(box("a", "web"))
	f := New(Options{DockerSocket: e.Socket})
	var all []*watch
	for range 100 {
		all = append(all, start(t, f, &config.Upstream{Addrs: []string{"app=web:80"}, Discovery: "docker"}))
	}
	for _, w := range all {
		w.becomes(t, "10.0.0.1:80")
	}
	e.Run(box("b", "web"))
	for _, w := range all {
		w.becomes(t, "10.0.0.1:80 10.0.0.2:80")
	}
	if n, lists := e.Watchers(), e.Lists(); n != 1 || lists > 5 {
		t.Errorf("%d read the events, %d lists", n, lists)
	}
	for _, w := range all {
		w.end()
	}
	waitFor(t, "the end of the client", func() bool { return e.Watchers() == 0 })
	w := start(t, f, &config.Upstream{Addrs: []string{"app=web:80"}, Discovery: "docker"})
	defer w.end()
	w.becomes(t, "10.0.0.1:80 10.0.0.2:80")
}

func TestTheSocketOfTheEnvironment(t *testing.T) {
	for host, want := range map[string]string{"": "", "unix:///run/podman/podman.sock": "/run/podman/podman.sock",
		"unix://": "error", "tcp://10.0.0.1:2375": "error", "/run/docker.sock": "error", "unix://run/docker.sock": "error"} {
		got, err := Socket(host)
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("%q: %q, want %q", host, got, want)
		}
	}
}
