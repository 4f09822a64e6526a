package supervisor

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pingap/arena"
	"pingap/ipc"
)

// TestMain is also the image of the children: a control that hands its socket to the test, and a worker that behaves
// as files in FAKE_DIR say.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		var err error
		switch os.Args[1] {
		case ipc.RoleControl:
			err = fakeControl()
		case ipc.RoleWorker:
			err = fakeWorker()
		default:
			os.Exit(m.Run())
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, os.Args[0], err)
			os.Exit(3)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// fakeControl passes descriptor 3 to the test, which speaks as control, and lives until its end or told to exit.
func fakeControl() error {
	conn, err := net.Dial("unixpacket", os.Getenv("FAKE_CONTROL"))
	if err != nil {
		return err
	}
	hello := fmt.Appendf(nil, "%d", os.Getpid())
	if _, _, err := conn.(*net.UnixConn).WriteMsgUnix(hello, unix.UnixRights(3), nil); err != nil {
		return err
	}
	unix.Close(3)
	_, err = io.ReadAll(conn) // until the test closes its end
	return err
}

// worker is the fake worker process.
type worker struct {
	dir   string
	slot  int
	mu    sync.Mutex // guards conn, state, sha, env, keys, items, had and holds
	conn  *ipc.Conn
	state string
	sha   string
	next  string
	logs  map[string]*os.File
	env   map[string]string // as told
	lns   map[string]int    // listening descriptors by id
	fresh map[string]int    // of a Prepare
	keep  map[string]bool   // after it
	stops map[string]func() // end accepting
	hello ipc.Hello
	arena *arena.Arena
	held  *arena.Counter
	had   int          // parts, at the last Start or Prepare
	holds map[int]bool // rows of records

	ignored int // messages
	keys    ipc.TicketKeys
	start   *ipc.Start
	snap    int               // snapshot of start
	await   *ipc.Acceptor     // rescue socket
	items   map[string]string // bodies by kind and key
	number  uint64            // of the last State
}

// behaviour returns what the file for this slot and message says, "" for well-behaved.
func (w *worker) behaviour(message string) string {
	for _, name := range []string{fmt.Sprintf("worker%d.%s", w.slot, message), "worker." + message} {
		if data, err := os.ReadFile(filepath.Join(w.dir, name)); err == nil {
			return string(data)
		}
	}
	return ""
}

func fakeWorker() error {
	conn, err := ipc.FromFD(3)
	if err != nil {
		return err
	}
	w := &worker{conn: conn, dir: os.Getenv("FAKE_DIR"), state: ipc.StateStarting, logs: map[string]*os.File{}, holds: map[int]bool{},
		lns: map[string]int{}, stops: map[string]func(){}}
	if _, err := fmt.Sscanf(os.Args[0], "pingap: worker %d", &w.slot); err != nil {
		return err
	}
	ctx := context.Background()
	hello := ipc.Hello{PID: os.Getpid(), ProtoMin: 1, ProtoMax: 1, Role: ipc.RoleWorker, Slot: w.slot}
	if _, after, ok := strings.Cut(os.Args[0], " gen "); ok {
		hello.Generation, _ = strconv.Atoi(after)
	}
	w.hello = hello
	switch w.behaviour("hello") {
	case "die":
		os.Exit(7)
	case "proto":
		hello.ProtoMin, hello.ProtoMax = 7, 9
	case "hang":
		time.Sleep(time.Hour)
	case "late":
		os.WriteFile(filepath.Join(w.dir, "sent"), nil, 0o644)
		time.Sleep(20 * time.Millisecond)
	}
	if err := conn.Send(ctx, 0, hello); err != nil {
		return err
	}
	go w.beat()
	for {
		m, err := conn.Receive(ctx)
		if err == io.EOF || errors.Is(err, unix.ECONNRESET) { // with something unread
			if conn, err = w.rescued(ctx); err != nil {
				return nil
			}
			continue
		}
		if err != nil {
			return err
		}
		if err := w.handle(ctx, m); err != nil {
			return err
		}
		m.Close()
	}
}

// rescued waits for the next supervisor, and shows it everything.
func (w *worker) rescued(ctx context.Context) (*ipc.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if w.await == nil {
		return nil, io.EOF
	}
	conn, err := w.await.Accept(ctx)
	if err != nil {
		return nil, err
	}
	conn.TakeFDs()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.conn = conn
	var fds ipc.FDs
	o := ipc.Orphan{Hello: w.hello, Status: ipc.Status{State: w.state, SHA: w.sha}, Column: w.start.Column, Tickets: w.keys}
	o.Hello.SHA, o.Snapshot = w.sha, fds.Add(w.snap)
	o.Arena = fds.Add(w.arena.FD())
	for _, fd := range w.arena.Parts() {
		o.Parts = append(o.Parts, fds.Add(fd))
	}
	for _, l := range w.start.Listeners {
		l.FD = fds.Add(w.lns[l.ID])
		o.Listeners = append(o.Listeners, l)
	}
	if fd, err := w.told(); err != nil {
		return nil, err
	} else if fd >= 0 {
		defer unix.Close(fd)
		o.Items, o.Number = fds.Add(fd), w.number
	}
	return conn, conn.Send(ctx, 0, o, fds...)
}

// told is the memory file of an orphan with what it was told, -1 for none.
func (w *worker) told() (int, error) {
	var items []ipc.StateItem
	for key, body := range w.items {
		if kind, key, _ := strings.Cut(key, " "); kind == ipc.StateEndpoints {
			items = append(items, ipc.StateItem{Kind: kind, Key: key, Body: ipc.Secret(body)})
		}
	}
	switch w.behaviour("orphan") {
	case "older build":
		return -1, nil
	case "garbage":
		return ipc.SealedMemfd("garbage", []byte("{"))
	case "forger":
		items = append(items, ipc.StateItem{Kind: ipc.StateCertificate, Key: "x", Body: ipc.Secret("forged")})
	case "too long":
		items = append(items, ipc.StateItem{Kind: ipc.StateEndpoints, Key: strings.Repeat("k", ipc.MaxStateKey+1)})
	}
	return ipc.SealItems(items)
}

func (w *worker) line() *ipc.Conn {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.conn
}

func (w *worker) beat() {
	for range time.Tick(20 * time.Millisecond) {
		how, conn := w.behaviour("beat"), w.line()
		if typ, ok := strings.CutPrefix(how, "type "); ok {
			n, _ := strconv.Atoi(typ)
			packet := []byte{0x47, 0x50, 1, 0, byte(n), 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, '{', '}'}
			unix.Sendmsg(int(conn.File().Fd()), packet, nil, nil, 0)
			os.WriteFile(filepath.Join(w.dir, "sent"), []byte(typ), 0o644)
		}
		switch how {
		case "silent":
			continue
		case "garbage":
			unix.Sendmsg(int(conn.File().Fd()), []byte("garbage"), nil, nil, 0)
		case "foreign":
			conn.Send(context.Background(), 0, ipc.Stop{})
		case "mute":
			unix.Shutdown(int(conn.File().Fd()), unix.SHUT_WR)
			os.WriteFile(filepath.Join(w.dir, "sent"), []byte(how), 0o644)
			continue
		case "speak":
			conn.Send(context.Background(), 77, ipc.Announce{Topic: "topic", Body: []byte("of a worker")})
		case "leaving":
			w.set(ipc.StateDraining, w.sha)
		case "unknown":
			unix.Sendmsg(int(conn.File().Fd()), []byte("GP\x01\x00\x0f\x27\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), nil, nil, 0)
		}
		w.mu.Lock()
		status := ipc.Status{State: w.state, SHA: w.sha, Requests: 5}
		w.mu.Unlock()
		conn.Send(context.Background(), 0, status)
	}
}

func (w *worker) set(state, sha string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.state, w.sha = state, sha
}

func (w *worker) handle(ctx context.Context, m *ipc.Message) error {
	conn := w.line()
	reply := func(body ipc.Body) error { return conn.Send(ctx, m.Txn, body) }
	name := strings.ToLower(m.Body.Type().String())
	switch w.behaviour(name) {
	case "hang":
		time.Sleep(time.Hour)
	case "die":
		os.Exit(9)
	case "nack":
		return reply(ipc.Nack{Code: ipc.CodeInvalid, Path: "upstreams.api", Message: "no\nway"})
	case "ignore":
		w.ignored++
		return os.WriteFile(filepath.Join(w.dir, fmt.Sprintf("worker%d.ignored", w.slot)), make([]byte, w.ignored), 0o644)
	}
	switch b := m.Body.(type) {
	case *ipc.Start:
		return w.begin(m, b, reply)
	case *ipc.Activate:
		for id, fd := range w.lns {
			w.listen(id, fd)
		}
		w.set(ipc.StateActive, w.sha)
		return reply(ipc.Active{})
	case *ipc.ArenaPart:
		return w.addPart(m, b.FD)
	case *ipc.Prepare:
		w.next = b.SHA
		w.countParts()
		w.tell(b.Env)
		w.takeLogs(m, b.Logs)
		w.fresh, w.keep = map[string]int{}, map[string]bool{}
		for _, l := range b.Listeners {
			w.keep[l.ID] = true
			if l.FD != 0 {
				fd, err := m.Take(l.FD)
				if err != nil {
					return err
				}
				w.fresh[l.ID] = fd
			}
		}
		if w.behaviour(name) == "lie" {
			return reply(ipc.Prepared{SHA: "another"})
		}
		return reply(ipc.Prepared{SHA: b.SHA})
	case *ipc.Commit:
		w.set(ipc.StateActive, w.next)
		for id, fd := range w.fresh {
			w.listen(id, fd)
		}
		for id, stop := range w.stops {
			if !w.keep[id] {
				stop()
				delete(w.stops, id)
			}
		}
		if w.behaviour(name) == "lie" {
			return reply(ipc.Committed{SHA: "another"})
		}
		return reply(ipc.Committed{SHA: w.next})
	case *ipc.Resync:
		w.mu.Lock()
		defer w.mu.Unlock()
		return reply(ipc.Status{State: w.state, SHA: w.sha, Process: &w.hello})
	case *ipc.TicketKeys:
		w.mu.Lock()
		defer w.mu.Unlock()
		w.keys = *b
	case *ipc.State:
		w.takeState(b)
		return reply(ipc.StateTaken{})
	case *ipc.Announce:
		return w.hear(b, reply)
	case *ipc.Explain:
		return w.explain(m, b, reply)
	case *ipc.Announced:
		return w.note("said", fmt.Sprintf("%d %q", b.Workers, b.Missing))
	case *ipc.Refused:
		return w.note("said", b.Code)
	case *ipc.Abort:
		return reply(ipc.Aborted{})
	case *ipc.LogFDs:
		w.takeLogs(m, b.Logs)
		return reply(ipc.LogsTaken{})
	case *ipc.Drain:
		reply(ipc.Draining{})
		w.set(ipc.StateDraining, w.sha)
		reply(ipc.Gone{Requests: 5})
		os.Exit(0)
	case *ipc.Stop:
		os.Exit(0)
	}
	return nil
}

func (w *worker) begin(m *ipc.Message, b *ipc.Start, reply func(ipc.Body) error) error {
	fd, err := m.Take(b.Snapshot)
	if err != nil {
		return err
	}
	if _, err := ipc.ReadMemfd(fd, 1<<20); err != nil {
		return err
	}
	if w.behaviour("rescue") != "wait" {
		unix.Close(fd)
	} else {
		w.start, w.snap = b, fd
		if fd, err = m.Take(b.Rescue); err == nil {
			w.await, err = ipc.AcceptorFromFD(fd)
		}
		if err != nil {
			return err
		}
	}
	if fd, err = m.Take(b.Arena); err != nil {
		return err
	}
	a, err := arena.Map(fd, b.Column)
	if err != nil {
		return err
	}
	w.arena = a
	for _, slot := range b.Parts {
		if err := w.addPart(m, slot); err != nil {
			return err
		}
	}
	w.countParts()
	held, err := a.Counter("held")
	if err != nil {
		return err
	}
	held.Add(1)
	w.hello.Build = b.Build // of the same image
	w.held = held
	for _, l := range b.Listeners {
		if fd, err = m.Take(l.FD); err != nil {
			return err
		}
		w.lns[l.ID] = fd
	}
	w.takeLogs(m, b.Logs)
	w.tell(b.Env)
	if w.behaviour("start-"+b.SHA) == "die" {
		os.Exit(9)
	}
	w.set(ipc.StateReady, b.SHA)
	if w.behaviour("ready") == "hang" {
		return nil
	}
	return reply(ipc.Ready{SHA: b.SHA})
}

func (w *worker) addPart(m *ipc.Message, slot ipc.Slot) error {
	fd, err := m.Take(slot)
	if err == nil {
		err = w.arena.AddPart(fd)
	}
	return err
}

func (w *worker) countParts() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.had = len(w.arena.Parts())
}

// recordID is whom the record that tests use belongs to.
const recordID = 7

// hold has this worker hold one of a record, once, and tells of it.
func (w *worker) hold(a *answer) {
	w.mu.Lock()
	defer w.mu.Unlock()
	a.Parts, a.Had, a.Record = len(w.arena.Parts()), w.had, -1
	row, _ := strconv.Atoi(w.behaviour("record"))
	r := w.arena.Record(row, recordID)
	if r == nil {
		return
	}
	if !w.holds[row] {
		w.holds[row] = true
		r.Held().Add(1)
	}
	a.Record, a.Word = r.Held().Load(), r.Word(0).Load()
}

func (w *worker) tell(env map[string]string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.env = env
}

func (w *worker) takeState(b *ipc.State) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.number = b.Number; w.items == nil {
		w.items = map[string]string{}
	}
	maps.DeleteFunc(w.items, func(key, _ string) bool {
		kind, _, _ := strings.Cut(key, " ")
		return b.Replaces(kind)
	})
	for _, i := range b.Items {
		if i.Gone {
			delete(w.items, i.Kind+" "+i.Key)
			continue
		}
		w.items[i.Kind+" "+i.Key] = string(i.Body)
	}
}

// digests tells keys apart without telling what they are.
func digests(t ipc.TicketKeys) (all []string) {
	for _, k := range t.Keys {
		sum := sha256.Sum256(k)
		all = append(all, hex.EncodeToString(sum[:]))
	}
	return all
}

func (w *worker) takeLogs(m *ipc.Message, logs []ipc.LogTarget) {
	for _, l := range logs {
		fd, err := m.Take(l.FD)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(3)
		}
		if old := w.logs[l.ID]; old != nil {
			old.Close()
		}
		w.logs[l.ID] = os.NewFile(uintptr(fd), l.Path)
		fmt.Fprintf(w.logs[l.ID], "worker %d\n", w.slot)
	}
}

// answer is what a fake worker tells each client.
type answer struct {
	Slot, PID, UID int
	Held           int64
	SHA            string
	Nonblock       bool
	FDs            []string // links of /proc/self/fd from 3 on
	NoNewPrivs     bool
	Env            []string          // of the process
	Told           map[string]string // by Start or Prepare
	Keys           []string          // digests of the ticket keys
	Items          map[string]string // by State
	Parts, Had     int               // of the arena: now, and when a configuration was built
	Record         int64             // held of the record in file "worker.record" by all workers, -1 where there is none
	Word           uint64            // its first word
}

// listen accepts on a socket until stopped.
func (w *worker) listen(id string, fd int) {
	f := os.NewFile(uintptr(fd), "listener")
	l, err := net.FileListener(f)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
	w.stops[id] = func() { l.Close(); f.Close() }
	go w.accept(l, fd)
}

func (w *worker) accept(l net.Listener, fd int) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		flags, _ := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
		w.mu.Lock()
		sha, told, keys, items := w.sha, w.env, digests(w.keys), maps.Clone(w.items)
		w.mu.Unlock()
		a := answer{Slot: w.slot, PID: os.Getpid(), UID: os.Getuid(), Held: w.held.Load(), SHA: sha,
			Nonblock: flags&unix.O_NONBLOCK != 0, FDs: links(), Env: os.Environ(), Told: told, Keys: keys, Items: items}
		w.hold(&a)
		nnp, _ := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)
		a.NoNewPrivs = nnp == 1
		json.NewEncoder(c).Encode(a)
		c.Close()
	}
}

func links() []string {
	var all []string
	entries, _ := os.ReadDir("/proc/self/fd")
	for _, e := range entries {
		if n, _ := strconv.Atoi(e.Name()); n < 3 {
			continue
		}
		if to, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil {
			all = append(all, to)
		}
	}
	return all
}
