package supervisor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"
	"golang.org/x/sys/unix"

	"pingap/arena"
	"pingap/ipc"
)

// patience bounds waits for what must happen; reaching it is a failure.
const patience = 30 * time.Second

// instance is a supervisor under test, with the test as its control.
type instance struct {
	t       *testing.T
	dir     string
	signals chan os.Signal
	cancel  context.CancelFunc
	ended   chan error
	ready   chan struct{}
	dials   *net.UnixListener // where control processes hand over their socket
	ctx     context.Context

	control *ipc.Conn // of the present control
	life    net.Conn  // closing it ends the control process
	start   *ipc.ControlStart
	pid     int // of the control process
	txn     uint32
	address string
	seen    map[ipc.Type]int // messages received so far
	arena   *arena.Arena     // as control has it
}

func launch(t *testing.T, change func(*Options)) *instance {
	t.Helper()
	dir := t.TempDir()
	dials, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: filepath.Join(dir, "fake.sock"), Net: "unixpacket"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancelAll := context.WithTimeout(context.Background(), patience)
	runCtx, cancel := context.WithCancel(context.Background())
	i := &instance{t: t, dir: dir, signals: make(chan os.Signal, 100), cancel: cancel, ended: make(chan error, 1),
		ready: make(chan struct{}, 1), dials: dials, ctx: ctx, seen: map[ipc.Type]int{}, address: freeAddress(t)}
	o := Options{
		Executable: "/proc/self/exe", RunDir: filepath.Join(dir, "run"), Workers: 2, Signals: i.signals,
		ControlEnv: append(os.Environ(), "FAKE_CONTROL="+dials.Addr().String()),
		WorkerEnv:  []string{"FAKE_DIR=" + dir},
		LookUpUser: lookUpUser,
		OnReady:    func() { i.ready <- struct{}{} },
		Log:        zaptest.NewLogger(t, zaptest.WrapOptions(zap.AddCaller())),
		Timings: Timings{Grace: 10 * time.Second, BackoffStep: time.Millisecond, BackoffMax: 20 * time.Millisecond,
			ReloadInterval: time.Millisecond, StopFast: 200 * time.Millisecond},
	}
	if change != nil {
		change(&o)
	}
	go func() { i.ended <- Run(runCtx, o) }()
	t.Cleanup(func() {
		i.signals <- unix.SIGTERM
		i.signals <- unix.SIGTERM
		select {
		case <-i.ended:
		case <-time.After(patience):
			t.Error("the supervisor did not end")
		}
		cancelAll()
		cancel()
		dials.Close()
	})
	return i
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// takeControl waits for a control process and becomes it, up to Ready.
func (i *instance) takeControl() {
	i.t.Helper()
	i.acceptControl()
	i.greet()
}

func (i *instance) acceptControl() {
	i.t.Helper()
	if i.control != nil { // that of a predecessor
		i.control.Close()
		i.life.Close()
	}
	i.dials.SetDeadline(time.Now().Add(patience))
	c, err := i.dials.AcceptUnix()
	if err != nil {
		i.t.Fatal(err)
	}
	buf, oob := make([]byte, 100), make([]byte, 100)
	n, oobn, _, _, err := c.ReadMsgUnix(buf, oob)
	if err != nil {
		i.t.Fatal(err)
	}
	msgs, _ := unix.ParseSocketControlMessage(oob[:oobn])
	fds, err := unix.ParseUnixRights(&msgs[0])
	if err != nil {
		i.t.Fatal(err)
	}
	if i.control, err = ipc.FromFD(fds[0]); err != nil {
		i.t.Fatal(err)
	}
	conn := i.control
	i.t.Cleanup(func() { conn.Close(); c.Close() })
	i.life = c
	i.pid, _ = strconv.Atoi(string(buf[:n]))
}

func (i *instance) greet() {
	i.t.Helper()
	i.send(ipc.Hello{PID: i.pid, ProtoMin: 1, ProtoMax: 1, Role: ipc.RoleControl})
	m := i.receive(ipc.TypeControlStart)
	i.start = m.Body.(*ipc.ControlStart)
	i.mapArena(m)
	m.Close()
	i.send(ipc.Ready{})
}

func (i *instance) send(body ipc.Body, fds ...int) uint32 {
	i.t.Helper()
	i.txn++
	if err := i.control.Send(i.ctx, i.txn, body, fds...); err != nil {
		i.t.Fatal(err)
	}
	return i.txn
}

// receive returns the next message of one of the types.
func (i *instance) receive(types ...ipc.Type) *ipc.Message {
	i.t.Helper()
	for {
		m, err := i.control.Receive(i.ctx)
		if err != nil {
			i.t.Fatalf("waiting for %v: %v", types, err)
		}
		i.seen[m.Body.Type()]++
		if part, ok := m.Body.(*ipc.ArenaPart); ok {
			i.addPart(m, part.FD)
		}
		for _, typ := range types {
			if m.Body.Type() == typ {
				return m
			}
		}
		m.Close()
	}
}

// proposal returns one that wants the instance's address; a TCP listener, and no drop of privileges.
func (i *instance) proposal(base, sha string) *ipc.Propose {
	return &ipc.Propose{
		Base: base, SHA: sha, Class: ipc.ClassHot, RequestedBy: "test",
		Listeners: []ipc.Listener{{Network: "tcp4", Address: i.address, Server: "web"}},
		Settings:  ipc.Settings{AllowRoot: true},
	}
}

// propose sends a proposal with its snapshot, and returns the verdict.
func (i *instance) propose(p *ipc.Propose) ipc.Body {
	i.t.Helper()
	i.sendProposal(p)
	return i.verdict()
}

func (i *instance) sendProposal(p *ipc.Propose) {
	i.t.Helper()
	fd, err := ipc.SealedMemfd("snapshot", []byte(p.SHA))
	if err != nil {
		i.t.Fatal(err)
	}
	defer unix.Close(fd)
	var fds ipc.FDs
	p.Snapshot = fds.Add(fd)
	i.send(p, fds...)
}

func (i *instance) verdict() ipc.Body {
	i.t.Helper()
	m := i.receive(ipc.TypeApplied, ipc.TypeRefused)
	m.Close()
	return m.Body
}

func (i *instance) mustApply(p *ipc.Propose) *ipc.Applied {
	i.t.Helper()
	a, ok := i.propose(p).(*ipc.Applied)
	if !ok {
		i.t.Fatalf("%s was not applied", p.SHA)
	}
	return a
}

func (i *instance) mustRefuse(p *ipc.Propose, code string) *ipc.Refused {
	i.t.Helper()
	r, ok := i.propose(p).(*ipc.Refused)
	if !ok || r.Code != code {
		i.t.Fatalf("%s: got %+v, want refusal %s", p.SHA, r, code)
	}
	return r
}

// boot brings the instance up on sha "one".
func boot(t *testing.T, change func(*Options)) *instance {
	t.Helper()
	i := launch(t, change)
	i.takeControl()
	i.mustApply(i.proposal("", "one"))
	return i
}

// behave makes workers behave so from now on; "" is well again.
func (i *instance) behave(name, how string) {
	i.t.Helper()
	path := filepath.Join(i.dir, name)
	err := os.Remove(path)
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	if how != "" {
		tmp := path + ".tmp"
		err = errors.Join(os.WriteFile(tmp, []byte(how), 0o644), os.Rename(tmp, path))
	}
	if err != nil {
		i.t.Fatal(err)
	}
}

// ask makes one connection to the listener and returns what the worker says.
func (i *instance) ask() answer {
	i.t.Helper()
	a, err := i.tryAsk()
	if err != nil {
		i.t.Fatal(err)
	}
	return a
}

func (i *instance) tryAsk() (answer, error) {
	var a answer
	c, err := net.DialTimeout("tcp4", i.address, patience)
	if err != nil {
		return a, err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	return a, json.NewDecoder(c).Decode(&a)
}

func (i *instance) status() *ipc.StatusAll {
	i.t.Helper()
	i.send(ipc.StatusRequest{})
	m := i.receive(ipc.TypeStatusAll)
	return m.Body.(*ipc.StatusAll)
}

// until asks for the status until it is as wanted. The supervisor answers from its loop, so each round waits for it.
func (i *instance) until(what string, ok func(*ipc.StatusAll) bool) *ipc.StatusAll {
	i.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		all := i.status()
		if ok(all) {
			return all
		}
		if time.Now().After(deadline) {
			i.t.Fatalf("never saw %s; last %+v", what, all)
		}
	}
}

func workersIn(all *ipc.StatusAll, state string) []ipc.Process {
	var found []ipc.Process
	for _, p := range all.Processes {
		if p.Kind == ipc.RoleWorker && p.State == state {
			found = append(found, p)
		}
	}
	return found
}

// twoActive is the healthy state, without the processes in without.
func twoActive(without ...int) func(*ipc.StatusAll) bool {
	return func(all *ipc.StatusAll) bool {
		active := workersIn(all, ipc.StateActive)
		for _, p := range active {
			for _, pid := range without {
				if p.PID == pid {
					return false
				}
			}
		}
		return len(active) == 2 && len(all.Degraded) == 0
	}
}

func pids(all *ipc.StatusAll) []int {
	var found []int
	for _, p := range workersIn(all, ipc.StateActive) {
		found = append(found, p.PID)
	}
	return found
}

// end waits for Run to return.
func (i *instance) end() error {
	i.t.Helper()
	select {
	case err := <-i.ended:
		i.ended <- err // for the clean-up
		return err
	case <-time.After(patience):
		i.t.Fatal("the supervisor did not end")
		return nil
	}
}

// dead reports whether no process has this pid any more (zombies are reaped by the supervisor).
func dead(pid int) bool {
	_, err := os.Stat(fmt.Sprintf("/proc/%d", pid))
	return errors.Is(err, os.ErrNotExist)
}

// lookUpUser knows nobody, who has the same number everywhere.
func lookUpUser(name, _ string) (ipc.Credential, error) {
	if name != "nobody" {
		return ipc.Credential{}, fmt.Errorf("user %s is not known", name)
	}
	return ipc.Credential{UID: 65534, GID: 65534}, nil
}
