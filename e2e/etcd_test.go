package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"pingap/e2e/etcd"
)

const (
	// liveTime is far more than a change in etcd takes to be live, which is said by the test.
	liveTime     = 10 * time.Second
	nodePassword = "pw-of-the-nodes"
)

// newEtcd starts an etcd that knows the nodes' user, who may read what is below /pingap, and root.
func newEtcd(t *testing.T) *etcd.Server {
	t.Helper()
	if name := etcd.Missing(); name != "" {
		t.Skip("not installed: " + name)
	}
	s, err := etcd.New(workDir(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Kill)
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"user", "add", "root:master"}, {"user", "grant-role", "root", "root"}, {"role", "add", "node"},
		{"role", "grant-permission", "node", "--prefix=true", "read", "/pingap/"}, {"user", "add", "node:" + nodePassword},
		{"user", "grant-role", "node", "node"}, {"auth", "enable"}} {
		ctl(t, s, args...)
	}
	s.User = "root:master"
	return s
}

func ctl(t *testing.T, s *etcd.Server, args ...string) string {
	t.Helper()
	out, err := s.Ctl(args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// nodeConf is the value of -c by which nodes read.
func nodeConf(address string) string {
	return "etcd://" + address + "/pingap?connect_timeout=2s&timeout=5s&user=node&password=" + nodePassword
}

// rootConf is one by which everything may be done.
func rootConf(s *etcd.Server, more string) string {
	return "etcd://" + s.Address + "/pingap?user=root&password=master" + more
}

// put writes an object.
func put(t *testing.T, s *etcd.Server, key, text string) {
	t.Helper()
	ctl(t, s, "put", "/pingap/"+key, text)
}

func putText(t *testing.T, s *etcd.Server, text string) {
	t.Helper()
	put(t, s, "plugins/text.toml", fmt.Sprintf("[plugins.text]\ncategory = \"mock\"\nstatus = 200\ndata = %q\n", text))
}

func putAll(t *testing.T, s *etcd.Server, addr, text string) {
	t.Helper()
	put(t, s, "locations/all.toml", "[locations.all]\npath = \"/\"\nplugins = [\"text\"]\n")
	putText(t, s, text)
	put(t, s, "servers/web.toml", fmt.Sprintf("[servers.web]\naddr = %q\nlocations = [\"all\"]\nreuse_port = true\n", addr))
}

// node starts an instance whose configuration is in etcd. It does not wait.
func node(t *testing.T, dir, conf string) *instance {
	t.Helper()
	return launchAs(t, dir, func(cmd *exec.Cmd) { cmd.Env = append(os.Environ(), "PINGAP_CONF="+conf) }, "--workers", "1", "--threads", "1")
}

// nodes are instances that share a configuration, and the address that all of them listen on.
type nodes struct {
	t    *testing.T
	addr string
	all  []*instance
}

// live waits until all instances answer with a text: each has another version than at the last call, and one of them, whichever the kernel
// picked, says so.
func (f *nodes) live(what, text string, began time.Time) {
	f.t.Helper()
	deadline := began.Add(liveTime + patience)
	for _, i := range f.all {
		for !strings.Contains(i.shown(), text) {
			if time.Now().After(deadline) {
				f.t.Fatalf("%s: it is not live on all: %s", what, i.shown())
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	took := time.Since(began)
	f.t.Logf("%s: live on %d instances after %s", what, len(f.all), took.Round(time.Millisecond))
	if err := want(f.addr, "/", text); err != nil {
		f.t.Errorf("%s: %v", what, err)
	}
}

// shown is the configuration that is live.
func (i *instance) shown() string { return i.verb("config", "show").stdout }

func TestAConfigurationInEtcdIsLiveOnAllInstancesWhateverHappensToEtcd(t *testing.T) {
	t.Parallel()
	s := newEtcd(t)
	f := &nodes{t: t, addr: freePort(t)}
	putAll(t, s, f.addr, "text-1")
	for range 3 {
		f.all = append(f.all, node(t, workDir(t), nodeConf(s.Address)))
	}
	for _, i := range f.all {
		i.waitRunning()
	}
	f.live("start", "text-1", time.Now())

	for _, text := range []string{"text-2", "text-3", "text-4"} {
		began := time.Now()
		putText(t, s, text)
		f.live("a change", text, began)
	}
	if took := f.measure(s, "text-5"); took > liveTime {
		t.Errorf("a change took %s to be live on all", took)
	}

	put(t, s, "plugins/text.toml", "[plugins.text]\ncategory = \"nothing\"\n[[")
	for _, i := range f.all {
		i.eventually("a broken key is refused by its name", func() error {
			st, err := i.tryStatus()
			if err == nil && (st.Config.Source.Refused == "" || !strings.Contains(i.printed(), "etcd:/pingap/plugins/text.toml:3")) {
				err = errors.New("nothing said")
			}
			return err
		})
	}
	if err := want(f.addr, "/", "text-5"); err != nil {
		t.Error(err)
	}
	putText(t, s, "text-6")
	f.live("mended", "text-6", time.Now())
	f.outages(s)
	f.hidesThePassword()
}

// measure returns how long a change takes until the last instance has it, without what it takes to write it and to ask.
func (f *nodes) measure(s *etcd.Server, text string) time.Duration {
	f.t.Helper()
	putText(f.t, s, text)
	written := time.Now()
	f.live("a change, from its having been written", text, written)
	return time.Since(written)
}

// outages kills etcd, keeps it away while it changes, and brings it back with an older content.
func (f *nodes) outages(s *etcd.Server) {
	t := f.t
	t.Helper()
	if err := s.Snapshot(); err != nil {
		t.Fatal(err)
	}
	s.Kill()
	for _, i := range f.all {
		i.eventually("the loss is said", func() error {
			if !strings.Contains(i.verb("status").stdout, "no answer in time") {
				return errors.New("not in status")
			}
			return nil
		})
	}
	if err := want(f.addr, "/", "text-6"); err != nil {
		t.Error(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	putText(t, s, "text-7")
	f.live("killed, started and changed", "text-7", began)

	if err := s.Pause(); err != nil {
		t.Fatal(err)
	}
	for _, i := range f.all {
		i.eventually("the partition is noticed", func() error {
			if !strings.Contains(i.verb("status").stdout, "no answer in time") {
				return errors.New("not in status")
			}
			return nil
		})
	}
	if err := s.Resume(); err != nil {
		t.Fatal(err)
	}
	began = time.Now()
	putText(t, s, "text-8")
	var answer []struct {
		Status struct{ Header struct{ Revision int64 } }
	}
	if err := json.Unmarshal([]byte(ctl(t, s, "endpoint", "status", "-w", "json")), &answer); err != nil || len(answer) != 1 {
		t.Fatal(err)
	}
	ctl(t, s, "compact", fmt.Sprint(answer[0].Status.Header.Revision))
	f.live("changed and compacted while it was away", "text-8", began)

	if err := s.Restore(); err != nil {
		t.Fatal(err)
	}
	f.live("restored from a snapshot", "text-6", time.Now())
	began = time.Now()
	putText(t, s, "text-9")
	f.live("changed after that", "text-9", began)
}

// hidesThePassword looks for it wherever somebody may look.
func (f *nodes) hidesThePassword() {
	for _, i := range f.all {
		for _, p := range i.status().Processes {
			if strings.Contains(cmdline(p.PID), nodePassword) {
				f.t.Errorf("the password is in the arguments of %s", p.Kind)
			}
		}
		for _, r := range []result{i.verb("status", "--json"), i.verb("config", "show"), i.verb("config", "list", "--json"), i.verb("history", "--json")} {
			if strings.Contains(r.all(), nodePassword) {
				f.t.Errorf("the password is in %s", r.all())
			}
		}
		if strings.Contains(i.printed(), nodePassword) {
			f.t.Error("the password is in the log")
		}
	}
}

func TestAnInstanceStartsWithoutEtcdFromItsLastGoodCopy(t *testing.T) {
	t.Parallel()
	s := newEtcd(t)
	addr, dir := freePort(t), workDir(t)
	putAll(t, s, addr, "good")
	put(t, s, "basic.toml", "[basic]\nconfig_history = 0\n") // the last good copy is kept all the same
	i := node(t, dir, nodeConf(s.Address))
	i.waitRunning()
	i.end()
	s.Kill()

	i = node(t, dir, nodeConf(s.Address))
	i.waitRunning()
	if err := want(addr, "/", "good"); err != nil {
		t.Fatal(err)
	}
	contains(t, i.verb("status").stdout, "the start took the last good copy")
	if r := i.verb("reload"); r.code != 1 || !strings.Contains(r.all(), "no answer in time") {
		t.Errorf("reload without etcd: %d, %s", r.code, r.all())
	}
	if err := want(addr, "/", "good"); err != nil {
		t.Error(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	putText(t, s, "newer")
	i.eventually("it catches up", func() error { return want(addr, "/", "newer") })
	i.eventually("and says so", func() error {
		if text := i.verb("status").stdout; strings.Contains(text, "last good copy") {
			return errors.New(text)
		}
		return nil
	})

	// What is in etcd at a start may be broken: the same as if it were away.
	i.end()
	put(t, s, "plugins/text.toml", "[plugins.text]\ncategory = [")
	i = node(t, dir, nodeConf(s.Address))
	i.waitRunning()
	if err := want(addr, "/", "newer"); err != nil {
		t.Error(err)
	}
	if text := i.verb("status").stdout; !strings.Contains(text, "last good copy") || !strings.Contains(text, "etcd:/pingap/plugins/text.toml:2") {
		t.Error(text)
	}
	putText(t, s, "newest")
	i.eventually("it is mended", func() error { return want(addr, "/", "newest") })

	// What another place left is no good copy of this one.
	i.end()
	s.Kill()
	other := strings.Replace(nodeConf(s.Address), "/pingap?", "/other?", 1)
	if r := commandEnv(t, dir, []string{"PINGAP_CONF=" + other}, "--run-dir", filepath.Join(dir, "run"), "--state-dir", filepath.Join(dir, "state")); r.code != 1 ||
		!strings.Contains(r.stderr, "no answer in time") || strings.Contains(r.stderr, nodePassword) {
		t.Errorf("%d, %s", r.code, r.stderr)
	}
}

// A control process that dies leaves nothing behind that its successor does not find out, with etcd or without.
func TestAControlProcessThatDiesMissesNothingInEtcd(t *testing.T) {
	t.Parallel()
	s := newEtcd(t)
	addr := freePort(t)
	putAll(t, s, addr, "text-a")
	i := node(t, workDir(t), nodeConf(s.Address))
	i.waitRunning()
	another := func() {
		t.Helper()
		old := i.status().of("control")[0].PID
		signalPID(t, old, syscall.SIGKILL)
		i.eventually("another control", func() error {
			st, err := i.tryStatus()
			if err == nil && (len(st.of("control")) == 0 || st.of("control")[0].PID == old) {
				err = errors.New("not yet")
			}
			return err
		})
	}
	if err := s.Pause(); err != nil {
		t.Fatal(err)
	}
	another()
	if err := want(addr, "/", "text-a"); err != nil {
		t.Error(err)
	}
	if err := s.Resume(); err != nil {
		t.Fatal(err)
	}
	putText(t, s, "text-b")
	i.eventually("what was changed meanwhile is live", func() error { return want(addr, "/", "text-b") })

	// What was rolled back to stays, until etcd holds something else than it did then.
	if r := i.verb("rollback", "--wait"); r.code != 0 {
		t.Fatal(r.all())
	}
	another()
	putText(t, s, "text-c")
	i.eventually("what came later is live", func() error { return want(addr, "/", "text-c") })
	var list struct{ Versions []struct{ Number uint64 } }
	if err := json.Unmarshal([]byte(i.verb("config", "list", "--json").stdout), &list); err != nil || len(list.Versions) != 4 {
		t.Errorf("a, b, a, c became %s (%v)", i.verb("config", "list").stdout, err)
	}
}

// Without a flag a change that needs fresh workers waits for somebody who wants it; with --autorestart it does not.
func TestAHeavyChangeInEtcdWaitsUnlessAutorestartIsGiven(t *testing.T) {
	t.Parallel()
	s := newEtcd(t)
	addr := freePort(t)
	putAll(t, s, addr, "x")
	waits := node(t, workDir(t), nodeConf(s.Address))
	rolls := launchAs(t, workDir(t), func(cmd *exec.Cmd) { cmd.Env = append(os.Environ(), "PINGAP_CONF="+nodeConf(s.Address)) }, "-a", "--workers", "1")
	waits.waitRunning()
	rolls.waitRunning()
	before := waits.status().Config.Version
	put(t, s, "basic.toml", "[basic]\nthreads = 3\n")
	rolls.eventually("it is live with --autorestart", func() error {
		if !strings.Contains(rolls.shown(), "threads = 3") {
			return errors.New(rolls.shown())
		}
		return nil
	})
	waits.eventually("the other says that it differs", func() error {
		st, err := waits.tryStatus()
		if err == nil && (!st.Config.Source.Differs || st.Config.Source.Refused == "") {
			err = errors.New("it does not")
		}
		return err
	})
	if st := waits.status(); st.Config.Version != before {
		t.Errorf("version %d, was %d", st.Config.Version, before)
	}
	waits.reload()
	contains(t, waits.shown(), "threads = 3")
}

func TestAWrongPasswordOfEtcdEndsTheStartAndIsNotRepeated(t *testing.T) {
	t.Parallel()
	s := newEtcd(t)
	putAll(t, s, freePort(t), "x")
	dir := workDir(t)
	conf := strings.Replace(nodeConf(s.Address), nodePassword, "wrong-password", 1)
	r := commandEnv(t, dir, []string{"PINGAP_CONF=" + conf}, "--run-dir", filepath.Join(dir, "run"), "--state-dir", filepath.Join(dir, "state"))
	if r.code != 1 || !strings.Contains(r.stderr, "user or password is wrong") || strings.Contains(r.all(), "wrong-password") {
		t.Errorf("%d, %s", r.code, r.all())
	}
}

func TestConfigurationsAreCopiedIntoEtcdAndBack(t *testing.T) {
	t.Parallel()
	s := newEtcd(t)
	dir, addr := workDir(t), freePort(t)
	var text strings.Builder
	text.WriteString(mockConf(addr, "from a file"))
	const many = 3000
	for n := range many {
		fmt.Fprintf(&text, "[locations.l%d]\npath = \"/%d\"\nplugins = [\"text\"]\n", n, n)
	}
	file := filepath.Join(dir, "p.toml")
	write(t, file, text.String())
	to := rootConf(s, "&enable_history=true")
	began := time.Now()
	if r := command(t, dir, "-c", file, "--sync", to); r.code != 0 || !strings.Contains(r.stdout, fmt.Sprintf("%d written", many+3)) || strings.Contains(r.all(), "master") {
		t.Fatalf("%d, %s", r.code, tail(r.all(), 500))
	}
	t.Logf("%d keys written in %s", many+3, time.Since(began).Round(time.Millisecond))

	i := node(t, workDir(t), nodeConf(s.Address))
	i.waitRunning()
	if err := want(addr, "/", "from a file"); err != nil {
		t.Error(err)
	}
	// Exported, it is the same; imported, nothing is left to write.
	env := []string{"PINGAP_CONF=" + to}
	r := commandEnv(t, dir, env, "config", "export")
	if r.code != 0 {
		t.Fatal(r.stderr)
	}
	again := filepath.Join(dir, "again.toml")
	write(t, again, r.stdout)
	if r := commandEnv(t, dir, env, "config", "import", again); r.code != 0 || !strings.Contains(r.stdout, ": 0 written") {
		t.Errorf("%d, %s", r.code, tail(r.all(), 500))
	}
	// One object is imported, the others stay; what would not load is not written.
	one := filepath.Join(dir, "one.toml")
	write(t, one, "[plugins.text]\ncategory = \"mock\"\nstatus = 200\ndata = \"imported\"\n")
	began = time.Now()
	if r := commandEnv(t, dir, env, "config", "import", one); r.code != 0 || !strings.Contains(r.stdout, "written: plugins/text.toml") {
		t.Errorf("%d, %s", r.code, tail(r.all(), 500))
	}
	i.eventually("what was imported is live", func() error { return want(addr, "/", "imported") })
	t.Logf("imported, and live among %d locations after %s", many, time.Since(began).Round(time.Millisecond))
	write(t, one, "[locations.all]\npath = \"/\"\nplugins = [\"gone\"]\n")
	if r := commandEnv(t, dir, env, "config", "import", one); r.code != 1 || !strings.Contains(r.stderr, "locations/all.toml:") || !strings.Contains(r.stderr, "nothing was written") {
		t.Errorf("%d, %s", r.code, tail(r.all(), 500))
	}
	// What was there before comes back.
	r = commandEnv(t, dir, env, "config", "kept", "plugins/text.toml")
	id, _, _ := strings.Cut(r.stdout, "\t")
	if r := commandEnv(t, dir, env, "config", "restore", "plugins/text.toml", id); r.code != 0 {
		t.Fatalf("%q: %s", id, r.all())
	}
	i.eventually("what was restored is live", func() error { return want(addr, "/", "from a file") })

	// Back into a directory, an object a file.
	if r := commandEnv(t, dir, env, "--sync", "back?separation=true"); r.code != 0 {
		t.Fatal(r.stderr)
	}
	if r := command(t, dir, "-t", "-c", "back"); r.code != 0 {
		t.Error(r.stderr)
	}
	contains(t, read(t, filepath.Join(dir, "back", "plugins", "text.toml")), "from a file")
}

// A node loses its network without a word: packets are dropped, nothing is closed.
func TestANodeWithoutItsNetworkServesOnAndCatchesUp(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("not started as root")
	}
	s := newEtcd(t)
	name := fmt.Sprintf("pg%d", time.Now().UnixNano()%1_000_000)
	netns := name
	cable := func(args ...string) error {
		out, err := exec.Command("ip", args...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, out)
		}
		return nil
	}
	subnet := fmt.Sprintf("10.%d.%d", 200+os.Getpid()%50, time.Now().UnixNano()%250)
	if err := cable("netns", "add", netns); err != nil {
		t.Skipf("no network namespaces here: %v", err)
	}
	t.Cleanup(func() { _ = cable("netns", "del", netns) })
	for _, args := range [][]string{{"link", "add", name + "a", "type", "veth", "peer", "name", name + "b", "netns", netns},
		{"addr", "add", subnet + ".1/30", "dev", name + "a"}, {"link", "set", name + "a", "up"},
		{"-n", netns, "addr", "add", subnet + ".2/30", "dev", name + "b"}, {"-n", netns, "link", "set", name + "b", "up"},
		{"-n", netns, "link", "set", "lo", "up"}} {
		if err := cable(args...); err != nil {
			t.Skipf("no network namespaces here: %v", err)
		}
	}
	t.Cleanup(func() { _ = cable("link", "del", name+"a") })
	bridge(t, subnet+".1:0", s.Address, func(address string) {
		addr := freePort(t)
		putAll(t, s, addr, "before")
		i := launchAs(t, workDir(t), func(cmd *exec.Cmd) {
			cmd.Args = append([]string{"ip", "netns", "exec", netns}, cmd.Args...)
			cmd.Path, _ = exec.LookPath("ip")
			cmd.Env = append(os.Environ(), "PINGAP_CONF="+nodeConf(address))
		}, "--workers", "1")
		i.waitRunning()
		serves := func(text string) error {
			if shown := i.shown(); !strings.Contains(shown, text) {
				return errors.New(shown)
			}
			conn, err := dialIn(context.Background(), filepath.Join("/run/netns", netns), addr)
			if err == nil {
				conn.Close()
			}
			return err
		}
		i.eventually("it serves", func() error { return serves("before") })
		if err := cable("link", "set", name+"a", "down"); err != nil {
			t.Fatal(err)
		}
		putText(t, s, "meanwhile")
		i.eventually("the loss is said", func() error {
			if !strings.Contains(i.verb("status").stdout, "no answer in time") {
				return errors.New("not in status")
			}
			return serves("before")
		})
		if err := cable("link", "set", name+"a", "up"); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		i.eventually("it catches up", func() error { return serves("meanwhile") })
		t.Logf("caught up %s after the network was back", time.Since(began).Round(time.Millisecond))
	})
}

// bridge passes connections on from an address that a namespace reaches, as etcd listens on loopback only.
func bridge(t *testing.T, listen, to string, use func(address string)) {
	t.Helper()
	l, err := net.Listen("tcp4", listen)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() { // ends with the listener
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp4", to)
			if err != nil {
				in.Close()
				continue
			}
			pass := func(a, b net.Conn) { // ends with either
				defer a.Close()
				defer b.Close()
				buf := make([]byte, 32<<10)
				for {
					n, err := a.Read(buf)
					if _, werr := b.Write(buf[:n]); err != nil || werr != nil {
						return
					}
				}
			}
			go pass(in, out)
			go pass(out, in)
		}
	}()
	use(l.Addr().String())
}
