package worker

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pingap/arena"
	"pingap/config"
	"pingap/ipc"
	"pingap/plugins"
	"pingap/telemetry"
)

// patience bounds every wait of a test; it is never waited for in full unless something is broken.
const patience = 20 * time.Second

// answering is a plugin for tests: it answers with a text, and tells when it is closed.
type answering struct {
	answer *plugins.Answer
	closed func(text string)
	text   string
}

func (a *answering) Decide(*plugins.Exchange) plugins.Decision {
	return plugins.Respond(a.answer, "test")
}

func (a *answering) Close() error {
	a.closed(a.text)
	return nil
}

// boss plays the supervisor for one worker.
type boss struct {
	t      *testing.T
	conn   *ipc.Conn
	front  *net.TCPListener
	addr   string
	arena  *arena.Arena
	sha    string
	rescue int // listening socket, 0 for none
	txn    uint32
	in     chan *ipc.Message
	ended  chan error // what Run returned
	stop   context.CancelFunc
	signal chan os.Signal

	over   sync.Once
	mu     sync.Mutex
	closed []string // plugins
}

// hire starts a worker on a configuration and activates it.
func hire(t *testing.T, cfg string, change func(*Options)) *boss {
	t.Helper()
	b := newBoss(t, change)
	b.start(cfg, nil)
	b.activate()
	return b
}

// newBoss runs a worker in this process and has its Hello.
func newBoss(t *testing.T, change func(*Options)) *boss {
	t.Helper()
	ours, theirs, err := ipc.Pair()
	if err != nil {
		t.Fatal(err)
	}
	front, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	shared, err := arena.Create(arena.Options{Columns: 2, Rows: 64})
	if err != nil {
		t.Fatal(err)
	}
	b := &boss{t: t, conn: ours, front: front.(*net.TCPListener), addr: front.Addr().String(), arena: shared,
		in: make(chan *ipc.Message, 1024), ended: make(chan error, 1), signal: make(chan os.Signal, 2)}
	o := Options{Conn: theirs, Slot: 1, Generation: 2, Version: "test", Signals: b.signal, Log: telemetry.Options{File: discard(t)},
		Plugins: []plugins.Factory{{
			Category: "answer", Summary: "Answers with a text.", Steps: []plugins.Step{plugins.Request},
			Params: []plugins.Param{{Name: "text", Type: plugins.String, Required: true, Help: "The text."}},
			New: func(p *plugins.Parameters) (plugins.Plugin, error) {
				text := p.String("text")
				if text == "broken" {
					return nil, &plugins.Error{Key: "text", Message: "is broken"}
				}
				return &answering{answer: plugins.Text(200, text), closed: b.pluginClosed, text: text}, nil
			},
		}}}
	if change != nil {
		change(&o)
	}
	ctx, cancel := context.WithCancel(context.Background())
	b.stop = cancel
	go func() { b.ended <- Run(ctx, o) }() // waited for by finish
	go b.receive()                         // ends with the connection
	t.Cleanup(b.finish)
	hello := receive[*ipc.Hello](b)
	if hello.PID != os.Getpid() || hello.Slot != 1 || hello.Generation != 2 || hello.Role != ipc.RoleWorker || hello.StartTime == 0 {
		t.Fatalf("hello %+v", hello)
	}
	return b
}

func discard(t *testing.T) *os.File {
	f, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func (b *boss) pluginClosed(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = append(b.closed, text)
}

func (b *boss) receive() {
	for {
		m, err := b.conn.Receive(context.Background())
		if err != nil {
			close(b.in)
			return
		}
		b.in <- m
	}
}

// finish ends the worker, if it has not ended, and waits for everything.
func (b *boss) finish() { b.over.Do(b.end) }

func (b *boss) end() {
	b.stop()
	b.conn.Close()
	b.front.Close()
	if err, open := <-b.ended; open && err != nil && !errors.Is(err, context.Canceled) {
		b.t.Errorf("worker: %v", err)
	}
	for range b.in { // until the receiver has ended
	}
	b.arena.Close()
}

// outcome waits for the worker's end.
func (b *boss) outcome() error {
	b.t.Helper()
	select {
	case err := <-b.ended:
		close(b.ended)
		return err
	case <-time.After(patience):
		b.t.Fatal("the worker does not end")
		return nil
	}
}

// load turns TOML into a snapshot. LISTEN and other words are replaced first.
func (b *boss) load(text string) *config.Config {
	b.t.Helper()
	text = strings.ReplaceAll(text, "LISTEN", b.addr)
	cfg, report := config.Load([]config.Document{{Name: "test.toml", Data: []byte(text)}}, config.Options{})
	if len(report.Errors) > 0 {
		b.t.Fatalf("%v", report.Errors)
	}
	return cfg
}

func (b *boss) send(body ipc.Body, fds ...int) uint32 {
	b.t.Helper()
	b.txn++
	if err := b.conn.Send(b.t.Context(), b.txn, body, fds...); err != nil {
		b.t.Fatal(err)
	}
	return b.txn
}

// start sends Start and waits for Ready.
func (b *boss) start(cfg string, logs map[string]*os.File) {
	b.t.Helper()
	b.sendStart(b.load(cfg), logs)
	if ready := receive[*ipc.Ready](b); ready.SHA != b.sha {
		b.t.Fatalf("ready with %q, want %q", ready.SHA, b.sha)
	}
}

func (b *boss) sendStart(cfg *config.Config, logs map[string]*os.File) {
	b.t.Helper()
	memfd, sha := b.snapshot(cfg)
	defer unix.Close(memfd)
	b.sha = sha
	var fds ipc.FDs
	s := ipc.Start{Slot: 1, Slots: 2, Version: 1, SHA: sha, Column: 1}
	s.Snapshot = fds.Add(memfd)
	s.Arena = fds.Add(b.arena.FD())
	for _, fd := range b.arena.Parts() {
		s.Parts = append(s.Parts, fds.Add(fd))
	}
	front := socketFile(b.t, b.front)
	defer front.Close()
	for _, server := range cfg.Servers {
		s.Listeners = append(s.Listeners, ipc.Listener{ID: "l-" + b.addr, Network: "tcp", Address: b.addr, Server: server.Name, FD: fds.Add(int(front.Fd()))})
		break
	}
	s.Logs = targets(logs, &fds)
	if s.Owner = os.Getuid(); b.rescue > 0 {
		s.Rescue = fds.Add(b.rescue)
	}
	b.send(s, fds...)
}

// socketFile is the listener's socket as the supervisor has it: non-blocking.
func socketFile(t *testing.T, l *net.TCPListener) *os.File {
	t.Helper()
	raw, err := l.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	fd := -1
	if err := raw.Control(func(s uintptr) { fd, err = unix.FcntlInt(s, unix.F_DUPFD_CLOEXEC, 0) }); err != nil || fd < 0 {
		t.Fatal(err)
	}
	return os.NewFile(uintptr(fd), "front")
}

func targets(logs map[string]*os.File, fds *ipc.FDs) []ipc.LogTarget {
	var list []ipc.LogTarget
	for path, f := range logs {
		t := ipc.LogTarget{Path: path, Rolling: "never"}
		t.ID = ipc.LogTargetID(t)
		t.FD = fds.Add(int(f.Fd()))
		list = append(list, t)
	}
	return list
}

func (b *boss) snapshot(cfg *config.Config) (memfd int, sha string) {
	b.t.Helper()
	data, sum := config.Encode(cfg)
	fd, err := ipc.SealedMemfd("test", data)
	if err != nil {
		b.t.Fatal(err)
	}
	return fd, sum.String()
}

func (b *boss) activate() {
	b.t.Helper()
	b.send(ipc.Activate{})
	receive[*ipc.Active](b)
}

// prepare sends Prepare and returns the transaction and the sha.
func (b *boss) prepare(cfg *config.Config) (txn uint32, sha string) {
	b.t.Helper()
	fd, sha := b.snapshot(cfg)
	defer unix.Close(fd)
	var fds ipc.FDs
	p := ipc.Prepare{Version: 2, Base: b.sha, SHA: sha, Snapshot: fds.Add(fd)}
	return b.send(p, fds...), sha
}

// apply makes a configuration live.
func (b *boss) apply(cfg *config.Config) {
	b.t.Helper()
	txn, sha := b.prepare(cfg)
	if got := receive[*ipc.Prepared](b); got.SHA != sha {
		b.t.Fatalf("prepared %q, want %q", got.SHA, sha)
	}
	b.commit(txn, sha)
}

func (b *boss) commit(txn uint32, sha string) {
	b.t.Helper()
	if err := b.conn.Send(b.t.Context(), txn, ipc.Commit{}); err != nil {
		b.t.Fatal(err)
	}
	if got := receive[*ipc.Committed](b); got.SHA != sha {
		b.t.Fatalf("committed %q, want %q", got.SHA, sha)
	}
	b.sha = sha
}

// receive returns the next message of a type. Heartbeats in between are passed over.
func receive[B ipc.Body](b *boss) B {
	b.t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case m, open := <-b.in:
			if !open {
				b.t.Fatalf("the worker is gone; want %T", *new(B))
			}
			m.Close()
			if body, ok := m.Body.(B); ok {
				return body
			}
			if _, beat := m.Body.(*ipc.Status); !beat {
				b.t.Fatalf("%s %+v, want %T", m.Body.Type(), m.Body, *new(B))
			}
		case <-deadline:
			b.t.Fatalf("no %T", *new(B))
		}
	}
}

// client is a connection to the worker.
type client struct {
	t *testing.T
	net.Conn
	in *bufio.Reader
}

// served waits until n requests are counted and logged, which they are after their clients have the answer.
func (b *boss) served(n uint64) {
	b.t.Helper()
	for deadline := time.Now().Add(patience); ; {
		b.send(ipc.StatusRequest{})
		if s := receive[*ipc.Status](b); s.Requests >= n {
			return
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("%d requests were not served", n)
		}
	}
}

func (b *boss) dial() *client { return b.dialTo(b.addr) }

func (b *boss) dialTo(addr string) *client {
	b.t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		b.t.Fatal(err)
	}
	return &client{b.t, c, bufio.NewReader(c)}
}

// send sends a request without waiting for the answer.
func (c *client) send(path string) {
	c.t.Helper()
	if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: test\r\n\r\n", path); err != nil {
		c.t.Fatal(err)
	}
}

// answer reads an answer, with its body and whether the connection ends after it.
func (c *client) answer() (status int, body string, last bool) {
	c.t.Helper()
	r, err := http.ReadResponse(c.in, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return r.StatusCode, string(text), r.Close
}

func (c *client) get(path string) string {
	c.t.Helper()
	c.send(path)
	status, body, _ := c.answer()
	return fmt.Sprintf("%d %s", status, body)
}

// ends reads to the end of the connection.
func (c *client) ends() {
	c.t.Helper()
	if rest, err := io.ReadAll(c.in); err != nil || len(rest) > 0 {
		c.t.Fatalf("got %q, %v; want the end", rest, err)
	}
}

// backend is an upstream whose requests wait until they are let go.
type backend struct {
	addr    string
	arrived chan struct{}
	letGo   chan struct{}
}

func newBackend(t *testing.T) *backend {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &backend{addr: l.Addr().String(), arrived: make(chan struct{}, 100), letGo: make(chan struct{}, 100)}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			b.arrived <- struct{}{}
			<-b.letGo
		}
		fmt.Fprint(w, "from backend")
	})}
	go s.Serve(l) // ends with Close
	t.Cleanup(func() { s.Close() })
	return b
}
