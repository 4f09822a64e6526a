package control

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"pingap/config"
	"pingap/control/source"
	"pingap/ipc"
)

// patience bounds every wait; it is never reached in a good run.
const patience = 30 * time.Second

// TestMain lets the test binary be the validate child. Its plugin checker does
// what a configuration must not be able to do to control.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "validate" {
		err := Validate(context.Background(), os.Stdin, config.Options{PluginChecker: misbehave})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	// A child built with -race would sleep a second before it ends.
	if err := os.Setenv("GORACE", "atexit_sleep_ms=0"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func misbehave(_, category, _ string, _ map[string]any) []config.PluginProblem {
	switch category {
	case "memory":
		var all [][]byte
		for {
			block := make([]byte, 1<<20)
			for i := 0; i < len(block); i += 4096 {
				block[i] = 1
			}
			all = append(all, block)
			runtime.KeepAlive(all)
		}
	case "slow":
		time.Sleep(time.Hour) // stands for a check that never ends
	case "crash":
		panic("the check has a bug")
	case "priority":
		return reportPriority()
	case "hurried":
		return reportHurry()
	case "warn":
		return []config.PluginProblem{{Message: "a warning", Warning: true}}
	}
	return nil
}

// rig runs control with a test in place of the supervisor.
type rig struct {
	t    *testing.T
	sup  *ipc.Conn
	conf string // path of the configuration
	sock string // of the control socket
	err  error  // of Run, once ended is closed

	items map[string]ipc.StateItem // of backends, as told; by kind and key

	ended chan struct{}
}

const base = `
[servers.web]
addr = "127.0.0.1:6199"
locations = ["l"]
access_log = "logs/web.log combined"
[locations.l]
path = "/"
upstream = "u"
[upstreams.u]
addrs = ["127.0.0.1:9"]
health_check = "http://nobody.test/?check_frequency=1h&failure=1000"
`

type rigOptions struct {
	watch  Watch
	become func(uid, gid int) error
	beat   time.Duration
	limits Limits
	start  *ipc.ControlStart // what is live; nil at boot
	live   []byte            // its snapshot
	state  string            // the state directory; none where empty
	conf   string            // path of the configuration; an empty text leaves it as it is
	items  []ipc.StateItem   // of backends, that the supervisor has
	log    *zap.Logger       // nil for none
	admin  *net.UnixListener // of the admin interface; nil for none
}

// newRig starts control on a configuration; text is its first content.
func newRig(t *testing.T, text string, o rigOptions) *rig {
	t.Helper()
	dir, err := os.MkdirTemp("", "pingap-control") // short: sockets have 108 bytes
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, conf: filepath.Join(dir, "p.toml"), sock: filepath.Join(dir, "s"), ended: make(chan struct{}), items: map[string]ipc.StateItem{}}
	for _, i := range o.items {
		r.items[i.Kind+" "+i.Key] = i
	}
	if o.conf != "" {
		r.conf = o.conf
	}
	if text != "" {
		r.write(text)
	}
	ours, theirs, err := ipc.Pair()
	if err != nil {
		t.Fatal(err)
	}
	r.sup = ours
	listener, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: r.sock, Net: "unixpacket"})
	if err != nil {
		t.Fatal(err)
	}
	listener.SetUnlinkOnClose(false)
	if o.log == nil {
		o.log = zap.NewNop()
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(r.ended)
		r.err = Run(context.Background(), Options{
			Conn: theirs, Watch: o.watch, Become: o.become, Beat: o.beat, Limits: o.limits, Log: o.log,
			Job: Job{Location: source.Location{Path: r.conf}, Threads: -1, Workers: -1, Dir: dir},
		})
	})
	t.Cleanup(func() {
		ours.Close()
		wg.Wait()
		listener.Close()
		os.RemoveAll(dir)
	})
	r.greet(listener, o)
	return r
}

// greet is the supervisor's side of the handshake.
func (r *rig) greet(listener *net.UnixListener, o rigOptions) {
	r.t.Helper()
	if h := expect[*ipc.Hello](r); h.Role != ipc.RoleControl || h.PID != os.Getpid() {
		r.t.Fatalf("hello %+v", h)
	}
	file, err := listener.File()
	if err != nil {
		r.t.Fatal(err)
	}
	defer file.Close()
	start := ipc.ControlStart{}
	if o.start != nil {
		start = *o.start
	}
	start.StateDir = o.state
	var fds ipc.FDs
	start.Listener = fds.Add(int(file.Fd()))
	if o.admin != nil {
		own, err := o.admin.File()
		if err != nil {
			r.t.Fatal(err)
		}
		defer own.Close()
		start.Admin = fds.Add(int(own.Fd()))
	}
	if o.live != nil {
		fd, err := ipc.SealedMemfd("live", o.live)
		if err != nil {
			r.t.Fatal(err)
		}
		defer unix.Close(fd)
		start.Snapshot = fds.Add(fd)
	}
	r.send(0, start, fds...)
	expect[*ipc.Ready](r)
}

func (r *rig) write(text string) {
	r.t.Helper()
	tmp := r.conf + ".new"
	if err := os.WriteFile(tmp, []byte(text), 0o644); err != nil {
		r.t.Fatal(err)
	}
	if err := os.Rename(tmp, r.conf); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) send(txn uint32, body ipc.Body, fds ...int) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := r.sup.Send(ctx, txn, body, fds...); err != nil {
		r.t.Fatal(err)
	}
}

// receive takes the next message that is not a sign of life.
func (r *rig) receive() *ipc.Message {
	r.t.Helper()
	for begun := time.Now(); ; {
		if time.Since(begun) > patience {
			r.t.Fatal("nothing but signs of life")
		}
		m := r.receiveAny()
		if _, beat := m.Body.(*ipc.Status); !beat {
			return m
		}
		m.Close()
	}
}

// aboutBackends answers a message about items of backends as a supervisor does whose workers all have them.
func (r *rig) aboutBackends(m *ipc.Message) bool {
	r.t.Helper()
	switch b := m.Body.(type) {
	case *ipc.StateRequest:
		var answer ipc.State
		for _, i := range r.items {
			if i.Kind == b.Kind {
				answer.Items = append(answer.Items, i)
			}
		}
		r.send(m.Txn, answer)
		return true
	case *ipc.State:
		if len(b.Items) == 0 || b.Items[0].Kind != ipc.StateEndpoints && b.Items[0].Kind != ipc.StateWishes {
			return false
		}
		for _, i := range b.Items {
			if r.items[i.Kind+" "+i.Key] = i; i.Gone {
				delete(r.items, i.Kind+" "+i.Key)
			}
		}
		r.send(m.Txn, ipc.StateTaken{Workers: 2})
		return true
	}
	return false
}

// receiveAny takes the next message, but for those about backends, which are answered.
func (r *rig) receiveAny() *ipc.Message {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		m, err := r.sup.Receive(ctx)
		if err != nil {
			r.t.Fatal(err)
		}
		if !r.aboutBackends(m) {
			return m
		}
		m.Close()
	}
}

// receiveSoon takes the next message, nil if none comes for a moment.
func (r *rig) receiveSoon() *ipc.Message {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	m, err := r.sup.Receive(ctx)
	if err != nil && ctx.Err() == nil {
		r.t.Fatal(err)
	}
	return m
}

// expect takes the next message to the supervisor, which must be a T.
func expect[T ipc.Body](r *rig) T {
	r.t.Helper()
	m := r.receive()
	m.Close()
	return as[T](r.t, m.Body)
}

func as[T ipc.Body](t *testing.T, body ipc.Body) T {
	t.Helper()
	b, ok := body.(T)
	if !ok {
		t.Fatalf("got %T %+v, want %T", body, body, b)
	}
	return b
}

// proposal is a Propose with what came with it.
type proposal struct {
	*ipc.Propose
	txn      uint32
	snapshot []byte
}

// expectProposal takes the next message, which must be a proposal with a
// sealed snapshot.
func (r *rig) expectProposal() proposal {
	r.t.Helper()
	m := r.receive()
	defer m.Close()
	p := proposal{Propose: as[*ipc.Propose](r.t, m.Body), txn: m.Txn}
	fd, err := m.Take(p.Snapshot)
	if err != nil {
		r.t.Fatal(err)
	}
	defer unix.Close(fd)
	if p.snapshot, err = ipc.ReadMemfd(fd, 1<<20); err != nil {
		r.t.Fatal(err)
	}
	return p
}

// apply answers a proposal as a supervisor does that made it live.
func (r *rig) apply(p proposal, version uint64) {
	r.t.Helper()
	r.send(p.txn, ipc.Applied{Version: version, SHA: p.SHA, Workers: 2, Changes: p.Changes})
}

// boot takes and applies the first proposal.
func (r *rig) boot() proposal {
	r.t.Helper()
	p := r.expectProposal()
	r.apply(p, 1)
	return p
}

// wait returns Run's error.
func (r *rig) wait() error {
	r.t.Helper()
	select {
	case <-r.ended:
		return r.err
	case <-time.After(patience):
		r.t.Fatal("control did not end")
		return nil
	}
}

// user is a client of the control socket.
type user struct {
	t    *testing.T
	conn *ipc.Conn
	txn  uint32
}

func (r *rig) dial() *user {
	r.t.Helper()
	conn, err := ipc.Dial(context.Background(), r.sock)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { conn.Close() })
	return &user{t: r.t, conn: conn}
}

func (u *user) send(body ipc.Body) {
	u.t.Helper()
	u.txn++
	if err := u.conn.Send(context.Background(), u.txn, body); err != nil {
		u.t.Fatal(err)
	}
}

func (u *user) receive() ipc.Body {
	u.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	m, err := u.conn.Receive(ctx)
	if err != nil {
		u.t.Fatal(err)
	}
	m.Close()
	if m.Txn != u.txn {
		u.t.Fatalf("answer to %d, want %d", m.Txn, u.txn)
	}
	return m.Body
}

func (u *user) ask(body ipc.Body) ipc.Body {
	u.t.Helper()
	u.send(body)
	return u.receive()
}
