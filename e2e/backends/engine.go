package backends

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Container is one of a fake engine, as GET /containers/json lists it.
type Container struct {
	ID              string `json:"Id"`
	Names           []string
	State           string
	Labels          map[string]string
	Ports           []Port
	NetworkSettings Settings
}

// Port is one that a container exposes; PublicPort 0 is not published.
type Port struct {
	IP          string `json:",omitempty"`
	PrivatePort int
	PublicPort  int `json:",omitempty"`
	Type        string
}

// Settings are where the API has the networks of a container.
type Settings struct{ Networks map[string]Network }

// Network is one that a container is in.
type Network struct {
	IPAddress, Gateway             string
	GlobalIPv6Address, IPv6Gateway string
}

// Engine is a docker engine with containers that exist only in its lists.
type Engine struct {
	Socket string

	mu         sync.Mutex
	server     *http.Server
	containers map[string]*Container
	watchers   map[chan message]bool
	list       http.HandlerFunc // in place of the right answer
	events     http.HandlerFunc
	lists      int
}

// message is an event, as GET /events has it.
type message struct {
	Type, Action string
	Actor        struct {
		ID         string
		Attributes map[string]string `json:",omitempty"`
	}
	Time     int64 `json:"time"`
	TimeNano int64 `json:"timeNano"`
	raw      string
}

// NewEngine makes one that is not up yet, for what is no test.
func NewEngine(socket string) *Engine {
	return &Engine{Socket: socket, containers: map[string]*Container{}, watchers: map[chan message]bool{}}
}

// StartEngine starts one on a socket, which ends with the test.
func StartEngine(t testing.TB, socket string) *Engine {
	t.Helper()
	e := NewEngine(socket)
	if err := e.Up(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Down)
	return e
}

// Up has the engine answer again.
func (e *Engine) Up() error {
	ln, err := net.Listen("unix", e.Socket)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /containers/json", e.serveList)
	mux.HandleFunc("GET /events", e.serveEvents)
	s := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	e.mu.Lock()
	e.server = s
	e.mu.Unlock()
	go s.Serve(ln) // ends with Down
	return nil
}

// Down ends the engine: its socket is gone, its connections are closed. What runs goes on running.
func (e *Engine) Down() {
	e.mu.Lock()
	s := e.server
	e.server = nil
	e.mu.Unlock()
	if s != nil {
		s.Close()
		os.Remove(e.Socket)
	}
}

// Run starts a container, new or known, and tells it.
func (e *Engine) Run(c Container) {
	c.State = "running"
	e.change(c.ID, "start", func() { e.containers[c.ID] = &c })
}

// Stop ends a container, and tells it as the engine does: kill, die, stop.
func (e *Engine) Stop(id string) {
	e.Tell("container", "kill", id)
	e.change(id, "die", func() { e.set(id, "exited") })
	e.Tell("container", "stop", id)
}

// Restart stops and starts one.
func (e *Engine) Restart(id string) {
	e.Stop(id)
	e.change(id, "start", func() { e.set(id, "running") })
}

// Pause halts one, Unpause lets it go on.
func (e *Engine) Pause(id string) { e.change(id, "pause", func() { e.set(id, "paused") }) }

// Unpause lets a container go on.
func (e *Engine) Unpause(id string) { e.change(id, "unpause", func() { e.set(id, "running") }) }

// Lose takes a container out of the lists, or with no ids all of them, and tells nothing.
func (e *Engine) Lose(ids ...string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(ids) == 0 {
		clear(e.containers)
	}
	for _, id := range ids {
		delete(e.containers, id)
	}
}

// Add runs a container and tells nothing.
func (e *Engine) Add(c Container) {
	c.State = "running"
	e.mu.Lock()
	defer e.mu.Unlock()
	e.containers[c.ID] = &c
}

// Lists is how often the list was asked for.
func (e *Engine) Lists() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.lists
}

// Watchers is how many read the events.
func (e *Engine) Watchers() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.watchers)
}

// Replace has other answers in place of the right ones; nil is the right one.
func (e *Engine) Replace(list, events http.HandlerFunc) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list, e.events = list, events
}

// Tell sends an event and changes nothing.
func (e *Engine) Tell(kind, action, id string) {
	m := message{Type: kind, Action: action, Time: time.Now().Unix(), TimeNano: time.Now().UnixNano()}
	m.Actor.ID = id
	e.send(m)
}

// TellRaw sends bytes to all who read the events.
func (e *Engine) TellRaw(text string) { e.send(message{raw: text}) }

func (e *Engine) send(m message) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for w := range e.watchers {
		select {
		case w <- m:
		default: // too slow to read: the engine drops these as well
		}
	}
}

func (e *Engine) change(id, action string, fn func()) {
	e.mu.Lock()
	fn()
	e.mu.Unlock()
	e.Tell("container", action, id)
}

func (e *Engine) set(id, state string) {
	if c := e.containers[id]; c != nil {
		c.State = state
	}
}

// filters reads the parameter of that name: a map of lists, of which one element has to fit each.
func filters(r *http.Request) (map[string][]string, error) {
	out := map[string][]string{}
	if text := r.URL.Query().Get("filters"); text != "" {
		if err := json.Unmarshal([]byte(text), &out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (e *Engine) serveList(w http.ResponseWriter, r *http.Request) {
	f, err := filters(r)
	if err != nil {
		http.Error(w, fmt.Sprintf(`{"message":%q}`, err), http.StatusBadRequest)
		return
	}
	e.mu.Lock()
	e.lists++
	other := e.list
	all := []Container{}
	for _, c := range e.containers {
		if c.fits(f) {
			all = append(all, *c)
		}
	}
	e.mu.Unlock()
	if other != nil {
		other(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(all)
}

// fits knows the filters status, one of which has to be the container's, and label, all of which.
func (c *Container) fits(f map[string][]string) bool {
	if len(f["status"]) > 0 && !slices.Contains(f["status"], c.State) {
		return false
	}
	for _, label := range f["label"] {
		key, want, valued := strings.Cut(label, "=")
		if value, has := c.Labels[key]; !has || valued && value != want {
			return false
		}
	}
	return true
}

func (e *Engine) serveEvents(w http.ResponseWriter, r *http.Request) {
	f, err := filters(r)
	if err != nil {
		http.Error(w, fmt.Sprintf(`{"message":%q}`, err), http.StatusBadRequest)
		return
	}
	news := make(chan message, 1024)
	e.mu.Lock()
	other := e.events
	if other == nil {
		e.watchers[news] = true
	}
	e.mu.Unlock()
	if other != nil {
		other(w, r)
		return
	}
	defer func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.watchers, news)
	}()
	w.Header().Set("Content-Type", "application/json")
	out := http.NewResponseController(w)
	out.Flush()
	for {
		select {
		case m := <-news:
			if m.write(w, f) != nil || out.Flush() != nil {
				return
			}
		case <-r.Context().Done():
			return
		}
	}
}

// write writes what the filters type and event let through.
func (m message) write(w http.ResponseWriter, f map[string][]string) error {
	if m.raw != "" {
		_, err := w.Write([]byte(m.raw))
		return err
	}
	kind, _, _ := strings.Cut(m.Action, ":")
	if len(f["type"]) > 0 && !slices.Contains(f["type"], m.Type) || len(f["event"]) > 0 && !slices.Contains(f["event"], kind) {
		return nil
	}
	return json.NewEncoder(w).Encode(m)
}
