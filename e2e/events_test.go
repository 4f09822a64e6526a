package e2e

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// told is an event as the receiver of a webhook got it.
type told struct {
	Name, Level, Hostname, IP, Category, Message string

	raw    string
	header http.Header
}

// hook receives events.
type hook struct {
	*httptest.Server
	mu  sync.Mutex // guards what follows
	got []told
}

func newHook(t *testing.T) *hook {
	h := &hook{}
	h.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		e := told{raw: string(body), header: r.Header}
		_ = json.Unmarshal(body, &e)
		h.mu.Lock()
		defer h.mu.Unlock()
		h.got = append(h.got, e)
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *hook) all() []told {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]told(nil), h.got...)
}

// await waits for an event of a category whose message holds a text.
func (i *instance) await(h *hook, category, text string) (e told) {
	i.t.Helper()
	i.eventually(category+" with "+text, func() error {
		var seen []string
		for _, e = range h.all() {
			if e.Category == category && strings.Contains(e.Message, text) {
				return nil
			}
			seen = append(seen, e.Category+": "+e.Message)
		}
		return fmt.Errorf("told of %q", seen)
	})
	return e
}

const allEvents = `["backend_status", "upstream_status", "service_discover_fail", "tls_validity", "parse_certificate_fail", "lets_encrypt", "diff_config",
"reload_config", "reload_config_fail", "restart", "restart_fail", "worker_exit", "rollback", "upgrade"]`

func hooked(conf, url string, more ...string) string {
	return conf + "\n[basic]\nwebhook = \"" + url + "/hook?token=hidden\"\nwebhook_notifications = " + allEvents + "\n" + strings.Join(more, "\n") + "\n"
}

func TestAWebhookIsToldOfChangesAndTheirRefusals(t *testing.T) {
	t.Parallel()
	addr, b, h := freePort(t), newBackend(t, "app"), newHook(t)
	conf := func(algo string) string {
		return hooked(insert(proxyConf(addr, b.addr), "upstreams.app", fmt.Sprintf("algo = %q", algo)), h.URL, `webhook_secret = "hidden-key"`)
	}
	i := start(t, conf("round_robin"))
	first := i.versions().Live
	if got := h.all(); len(got) > 0 {
		t.Errorf("told of the start: %q", got)
	}
	i.change(conf("hash:path"))
	e := i.await(h, "reload_config", "Upstream(app) is modified")
	if e.Name != "pingap" || e.Level != "info" || e.Hostname == "" {
		t.Errorf("%+v", e)
	}
	checkSignature(t, e, "hidden-key")
	if e = i.await(h, "diff_config", `+ algo = "hash:path"`); !strings.HasPrefix(e.Message, "[MODIFIED] upstream:app\n") {
		t.Errorf("the difference: %q", e.Message)
	}

	i.change(strings.Replace(conf("hash:path"), "hidden-key", "hidden-new", 1))
	e = i.await(h, "diff_config", "webhook_secret")
	checkSignature(t, e, "hidden-new")

	write(t, i.conf, strings.Replace(conf("hash:path"), `path = "/"`, `path = "~("`, 1))
	if r := i.verb("reload"); r.code == 0 {
		t.Fatal("a bad configuration was applied")
	}
	e = i.await(h, "reload_config_fail", "locations.all.path")
	if e.Level != "error" {
		t.Errorf("%+v", e)
	}

	i.mustVerb("rollback", fmt.Sprint(first))
	i.await(h, "rollback", fmt.Sprintf("a copy of version %d", first))
	for _, e := range h.all() {
		if strings.Contains(e.raw, "hidden") {
			t.Errorf("a secret was told: %s", e.raw)
		}
	}
	if strings.Contains(i.printed(), "hidden") {
		t.Error("a secret was logged")
	}
}

func checkSignature(t *testing.T, e told, secret string) {
	t.Helper()
	at, sum, _ := strings.Cut(strings.TrimPrefix(e.header.Get("Pingap-Signature"), "t="), ",v1=")
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(at + "." + e.raw))
	if sum != hex.EncodeToString(mac.Sum(nil)) {
		t.Errorf("signature %q of %s", e.header.Get("Pingap-Signature"), e.raw)
	}
}

func TestAWebhookIsToldOfTheEndOfProcesses(t *testing.T) {
	t.Parallel()
	addr, b, h := freePort(t), newBackend(t, "app"), newHook(t)
	i := start(t, hooked(proxyConf(addr, b.addr), h.URL))
	victim := i.status().workers()[0]
	if err := syscall.Kill(victim.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	e := i.await(h, "worker_exit", fmt.Sprintf("pid %d", victim.PID))
	if e.Level != "error" || !strings.HasPrefix(e.Message, "worker 0 (pid ") || !strings.Contains(e.Message, "killed") {
		t.Errorf("%+v", e)
	}
	i.mustVerb("roll")
	i.await(h, "restart", fmt.Sprintf("Restart now, pid:%d", i.cmd.Process.Pid))

	// Control that comes back tells what happened meanwhile.
	var control int
	for _, p := range i.status().Processes {
		if p.Kind == "control" {
			control = p.PID
		}
	}
	victim = i.status().workers()[1]
	for _, pid := range []int{control, victim.PID} {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	i.await(h, "worker_exit", fmt.Sprintf("pid %d", victim.PID))
}

func TestAWebhookIsToldOfBackends(t *testing.T) {
	t.Parallel()
	addr, h, f := freePort(t), newHook(t), newFleet(t, 2)
	conf := healConf(addr, f, `health_check = "http://backend/health?check_frequency=1s&failure=1&success=1"`, "")
	i := start(t, hooked(conf, h.URL))
	f[0].has(trouble{sick: 500})
	e := i.await(h, "backend_status", fmt.Sprintf("upstream app(%s) becomes unhealthy", f[0].addr))
	if e.Level != "error" {
		t.Errorf("%+v", e)
	}
	f[1].die()
	if e = i.await(h, "upstream_status", "app"); e.Level != "error" {
		t.Errorf("%+v", e)
	}
	f[0].has(trouble{})
	if e = i.await(h, "backend_status", fmt.Sprintf("upstream app(%s) becomes healthy", f[0].addr)); e.Level != "info" {
		t.Errorf("%+v", e)
	}
	i.eventually("the upstream is up", func() error {
		for _, e := range h.all() {
			if e.Category == "upstream_status" && e.Level == "info" {
				return nil
			}
		}
		return fmt.Errorf("not told")
	})
	i.change(hooked(conf, h.URL, `name = "x"`) + "\n[upstreams.other]\naddrs = [\"nobody.invalid:80\"]\ndiscovery = \"dns\"\n")
	i.await(h, "service_discover_fail", "nobody.invalid")
}

func TestAWebhookIsToldOfCertificates(t *testing.T) {
	t.Parallel()
	addr, h := freePort(t), newHook(t)
	dir := workDir(t)
	id := newIdentity(t, nil, "short.test") // for a day
	cert, key := filepath.Join(dir, "c.pem"), filepath.Join(dir, "k.pem")
	write(t, cert, id.cert)
	write(t, key, id.pem)
	conf := hooked(fmt.Sprintf("[servers.web]\naddr = %q\nlocations = [\"l\"]\nglobal_certificates = true\n[locations.l]\nplugins = [\"pingap:ping\"]\n[certificates.short]\ntls_cert = %q\ntls_key = %q\n",
		addr, cert, key), h.URL)
	path := filepath.Join(dir, "pingap.toml")
	write(t, path, conf)
	i := startIn(t, dir, path)
	if e := i.await(h, "tls_validity", "short.test"); e.Message != "certificate short.test will be expired" || e.Level != "warn" {
		t.Errorf("%+v", e)
	}
	write(t, cert+".new", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
	if err := os.Rename(cert+".new", cert); err != nil {
		t.Fatal(err)
	}
	if e := i.await(h, "parse_certificate_fail", "(short)"); e.Level != "error" {
		t.Errorf("%+v", e)
	}
}

func TestADeadWebhookHoldsNothingUp(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	addr, b := freePort(t), newBackend(t, "app")
	conf := func(algo string) string {
		return hooked(insert(proxyConf(addr, b.addr), "upstreams.app", fmt.Sprintf("algo = %q", algo)), "http://"+l.Addr().String(), "webhook_queue = 1")
	}
	i := start(t, conf("round_robin"))
	for n := range 6 {
		i.change(conf([]string{"hash:path", "round_robin"}[n%2]))
	}
	i.eventually("drops in status", func() error {
		if out := i.mustVerb("status").stdout; !strings.Contains(out, "events were dropped") {
			return fmt.Errorf("%s", out)
		}
		return nil
	})
	begun := time.Now()
	i.mustVerb("stop")
	if !i.endsWithin(patience) || time.Since(begun) > 15*time.Second {
		t.Errorf("the stop took %v", time.Since(begun))
	}
}
