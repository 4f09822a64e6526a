package e2e

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"pingap/e2e/etcd"
	"pingap/e2e/pebble"
)

const (
	acmeSecret = "the-secret-of-the-nodes-0123456789abcdef"
	// lockTime is far more than the lock outlives its holder (15 s), and what comes after that.
	lockTime = 90 * time.Second
)

// issuers are nodes that get certificates together, and the CA with what stands between it and them.
type issuers struct {
	*nodes
	etcd   *etcd.Server
	ca     *pebble.CA
	secure string // address of the nodes for TLS

	mu    sync.Mutex
	gate  chan struct{} // closed: the CA comes through
	asked int           // connections of the CA
}

// newIssuers starts nodes. Each listens on the same addresses: who a connection comes to is the kernel's choice.
func newIssuers(t *testing.T, count int, opt pebble.Options, certificates map[string]string) *issuers {
	t.Helper()
	f := &issuers{etcd: newEtcd(t), secure: freePort(t), nodes: &nodes{t: t, addr: freePort(t)}, gate: make(chan struct{})}
	close(f.gate)
	ctl(t, f.etcd, "role", "grant-permission", "node", "--prefix=true", "readwrite", "/pingap-state/")
	opt.HTTPPort, opt.TLSPort = f.front(), 1
	f.ca = pebble.Start(t, opt)
	put(t, f.etcd, "basic.toml", "[basic]\nacme_http_addr = ''\n")
	putAll(t, f.etcd, f.addr, "x")
	put(t, f.etcd, "servers/secure.toml", fmt.Sprintf("[servers.secure]\naddr = %q\nlocations = [\"all\"]\nreuse_port = true\nglobal_certificates = true\n", f.secure))
	for name, domains := range certificates {
		f.want(name, domains)
	}
	for range count {
		f.all = append(f.all, node(t, workDir(t), nodeConf(f.etcd.Address)+"&acme_secret="+acmeSecret))
	}
	for _, i := range f.all {
		i.waitRunning()
	}
	return f
}

// want puts a certificate into the configuration.
func (f *issuers) want(name, domains string) {
	f.t.Helper()
	put(f.t, f.etcd, "certificates/"+name+".toml", fmt.Sprintf("[certificates.%s]\nacme = %q\nacme_ca_file = '''%s'''\ndomains = %q\n", name, f.ca.Directory, f.ca.PEM, domains))
}

// front is a port that passes connections on to the nodes, once the gate is open.
func (f *issuers) front() (port int) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { l.Close() })
	go func() { // ends with the listener
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			f.mu.Lock()
			f.asked++
			gate := f.gate
			f.mu.Unlock()
			go func() { // ends with either side
				<-gate
				defer in.Close()
				out, err := net.Dial("tcp4", f.addr)
				if err != nil {
					return
				}
				defer out.Close()
				go func() { _, _ = io.Copy(out, in) }()
				_, _ = io.Copy(in, out)
			}()
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}

// hold closes the gate until the function is called.
func (f *issuers) hold() (release func()) {
	gate := make(chan struct{})
	f.mu.Lock()
	defer f.mu.Unlock()
	f.gate = gate
	return sync.OnceFunc(func() { close(gate) })
}

func (f *issuers) challenges() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked
}

// holder returns the node that gets certificates, and the others, when all of them agree that there is one.
func (f *issuers) holder() (holder *instance, others []*instance) {
	f.t.Helper()
	err := within(lockTime, func() error {
		holder, others = nil, nil
		for _, i := range f.all {
			var l struct {
				Problem, Holder string
				Leading         bool
			}
			if err := json.Unmarshal([]byte(i.mustVerb("cert", "list", "--json").stdout), &l); err != nil {
				return err
			}
			switch {
			case l.Holder == "" || l.Problem != "":
				return fmt.Errorf("%+v", l)
			case l.Leading:
				holder = i
			default:
				others = append(others, i)
			}
		}
		if holder == nil || len(others) != len(f.all)-1 {
			return errors.New("not one")
		}
		return nil
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return holder, others
}

// same waits until all nodes have the same certificate, and looks at what clients are shown.
func (f *issuers) same(name, domain string) {
	f.t.Helper()
	ends := map[time.Time]bool{}
	for _, i := range f.all {
		err := within(lockTime, func() error {
			list, problem := i.certificates()
			for _, c := range list {
				if c.Name == name && !c.NotAfter.IsZero() {
					ends[c.NotAfter] = true
					return nil
				}
			}
			return fmt.Errorf("%+v, %s", list, problem)
		})
		if err != nil {
			f.t.Fatal(err)
		}
	}
	if len(ends) != 1 {
		f.t.Errorf("certificates of %s end at %v", name, ends)
	}
	serials := map[string]bool{}
	for range 8 * len(f.all) {
		_, _, state, err := browse(f.secure, anyCertificate(domain))
		if err != nil {
			f.t.Fatal(err)
		}
		serials[state.PeerCertificates[0].SerialNumber.String()] = true
	}
	if len(serials) != 1 {
		f.t.Errorf("clients of %s see %d certificates", domain, len(serials))
	}
}

// kill ends all processes of a node at once.
func (f *issuers) kill(i *instance) {
	f.t.Helper()
	processes := i.status().Processes
	for _, kind := range []string{"supervisor", "control", "worker"} { // nobody starts another one
		for _, p := range processes {
			if p.Kind == kind {
				signalPID(f.t, p.PID, syscall.SIGKILL)
			}
		}
	}
	var left []*instance
	for _, other := range f.all {
		if other != i {
			left = append(left, other)
		}
	}
	f.all = left
}

// hidesKeys looks for keys and the secret in etcd, and where people look.
func (f *issuers) hidesKeys() {
	f.t.Helper()
	var answer struct {
		Kvs []struct{ Key, Value string }
	}
	if err := json.Unmarshal([]byte(ctl(f.t, f.etcd, "get", "", "--prefix", "-w", "json")), &answer); err != nil {
		f.t.Fatal(err)
	}
	sealed := 0
	for _, kv := range answer.Kvs {
		key, _ := base64.StdEncoding.DecodeString(kv.Key)
		value, err := base64.StdEncoding.DecodeString(kv.Value)
		if err != nil {
			f.t.Fatal(err)
		}
		if strings.HasPrefix(string(key), "/pingap-state/acme/files/") {
			sealed++
		}
		if strings.Contains(string(value), "PRIVATE KEY") || strings.Contains(string(value), acmeSecret) {
			f.t.Errorf("%s holds a key in clear", key)
		}
	}
	if sealed < 3 { // an account, a certificate, the budget
		f.t.Errorf("%d files in etcd", sealed)
	}
	for _, i := range f.all {
		for _, p := range i.status().Processes {
			if strings.Contains(cmdline(p.PID), acmeSecret) {
				f.t.Errorf("the secret is in the arguments of %s", p.Kind)
			}
		}
		for _, r := range []result{i.verb("status", "--json"), i.verb("config", "show"), i.verb("cert", "list", "--json"), i.verb("history", "--json")} {
			if strings.Contains(r.all(), acmeSecret) {
				f.t.Errorf("the secret is in %s", r.all())
			}
		}
		if text := i.printed(); strings.Contains(text, acmeSecret) || strings.Contains(text, "PRIVATE KEY") {
			f.t.Error("a secret is in the log")
		}
		if strings.Contains(i.printed(), "each node requests its own certificates") {
			f.t.Error("it warns of what is not so")
		}
	}
}

func TestNodesGetCertificatesTogetherWhoeverOfThemDies(t *testing.T) {
	t.Parallel()
	f := newIssuers(t, 3, pebble.Options{}, map[string]string{"one": "a.test, b.test, c.test, d.test, e.test, f.test"})
	f.same("one", "a.test")
	holder, others := f.holder()
	if n := f.ca.Orders(); n != 1 {
		t.Errorf("%d orders for one certificate", n)
	}
	contains(t, others[0].verb("cert", "list").stdout, "certificates are requested by ")
	contains(t, holder.verb("cert", "list").stdout, "which is this node")
	f.hidesKeys()

	// Killed in the middle of an order.
	release, before := f.hold(), f.challenges()
	defer release()
	f.want("two", "two.test")
	holder.eventually("the CA asks", func() error {
		if f.challenges() == before {
			return errors.New("not yet")
		}
		return nil
	})
	f.kill(holder)
	release()
	f.same("two", "two.test")
	f.holder()
	if n := f.ca.Orders(); n != 3 {
		t.Errorf("%d orders for two certificates, one of which was begun twice", n)
	}
	for _, i := range f.all {
		if kept, err := filepath.Glob(filepath.Join(i.dir, "state", "acme", "certificates", "*.json")); err != nil || len(kept) != 2 {
			t.Errorf("copies of a node: %q, %v", kept, err)
		}
	}
}

func TestNodesServeAndAskNothingOfTheCAWhileEtcdIsAway(t *testing.T) {
	t.Parallel()
	f := newIssuers(t, 2, pebble.Options{}, map[string]string{"one": "a.test"})
	f.same("one", "a.test")
	f.holder()
	release, before := f.hold(), f.challenges()
	defer release()
	f.want("two", "two.test")
	f.all[0].eventually("the CA asks", func() error {
		if f.challenges() == before {
			return errors.New("not yet")
		}
		return nil
	})
	if err := f.etcd.Pause(); err != nil {
		t.Fatal(err)
	}
	for _, i := range f.all {
		i.eventually("the loss is said", func() error {
			if list := i.verb("cert", "list").stdout; !strings.Contains(list, "certificates cannot be requested: etcd://") {
				return errors.New(list)
			}
			return nil
		})
	}
	orders := f.ca.Orders()
	release()
	f.same("one", "a.test")
	time.Sleep(3 * time.Second) // for something that must not happen
	if n := f.ca.Orders(); n != orders {
		t.Errorf("%d orders without etcd", n-orders)
	}

	// A node that starts meanwhile has its own copies.
	last := f.all[1]
	last.end()
	f.all[1] = node(t, last.dir, nodeConf(f.etcd.Address)+"&acme_secret="+acmeSecret)
	f.all[1].waitRunning()
	f.same("one", "a.test")

	if err := f.etcd.Resume(); err != nil {
		t.Fatal(err)
	}
	f.same("two", "two.test")
	f.holder()
}

func TestAnotherNodeRenewsWhatTheFirstWasIssued(t *testing.T) {
	t.Parallel()
	f := newIssuers(t, 2, pebble.Options{Validity: 90 * time.Second}, map[string]string{"one": "a.test"})
	f.same("one", "a.test")
	holder, others := f.holder()
	first := others[0].issued("one").NotAfter
	f.kill(holder)
	err := within(2*lockTime, func() error {
		if c := others[0].issued("one"); !c.NotAfter.After(first) {
			return fmt.Errorf("%+v", c)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	f.same("one", "a.test")
}
