package e2e

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const (
	adminUser  = "alice:wonderland"
	adminToken = "a-token-for-tests-only"
)

// adminConf has the panel below /adm of a server.
func adminConf(addr string) string {
	return fmt.Sprintf(`
[servers.web]
addr = %q
locations = ["adm", "all"]
enabled_h2 = true
[locations.adm]
path = "/adm"
plugins = ["panel"]
[locations.all]
plugins = ["pingap:ping"]
[plugins.panel]
category = "admin"
path = "/adm"
authorizations = [%q]
read_authorizations = ["bob:looks"]
ip_fail_limit = 3
[[plugins.panel.tokens]]
name = "deploy"
role = "write"
token = %q
`, addr, adminUser, adminToken)
}

// person is somebody with a browser.
type person struct {
	t    *testing.T
	base string
	http *http.Client
	csrf string
}

func newPerson(t *testing.T, base string, transport *http.Transport) *person {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &person{t: t, base: base, http: &http.Client{Jar: jar, Transport: transport, Timeout: patience}}
}

// do asks for something and returns status, text and answer. Fields are name and value by turns.
func (p *person) do(method, path, body string, fields ...string) (int, string, *http.Response) {
	p.t.Helper()
	r, err := http.NewRequest(method, p.base+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	if p.csrf != "" {
		r.Header.Set("X-CSRF-Token", p.csrf)
	}
	for i := 0; i < len(fields); i += 2 {
		r.Header.Set(fields[i], fields[i+1])
	}
	answer, err := p.http.Do(r)
	if err != nil {
		return 0, err.Error(), nil
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return 0, err.Error(), nil
	}
	return answer.StatusCode, string(text), answer
}

func (p *person) login(user, password string) int {
	p.t.Helper()
	status, text, _ := p.do("POST", "/api/login", fmt.Sprintf(`{"user":%q,"password":%q}`, user, password))
	var s struct{ CSRF string }
	if status == 200 && json.Unmarshal([]byte(text), &s) == nil {
		p.csrf = s.CSRF
	}
	return status
}

// eventually waits for a status of a path.
func (p *person) eventually(path string, want int) {
	p.t.Helper()
	err := within(patience, func() error {
		if status, text, _ := p.do("GET", path, ""); status != want {
			return fmt.Errorf("%d %s", status, text)
		}
		return nil
	})
	if err != nil {
		p.t.Fatalf("%s: %v", path, err)
	}
}

func unixTransport(path string) *http.Transport {
	return &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}}
}

func TestPeopleLogInOverEveryTransport(t *testing.T) {
	t.Parallel()
	addr, secure := freePort(t), freePort(t)
	site := newIdentity(t, nil, "localhost")
	i := start(t, adminConf(addr)+fmt.Sprintf("[servers.tls]\naddr = %q\nlocations = [\"adm\"]\nenabled_h2 = true\nglobal_certificates = true\n"+
		"[certificates.a]\nis_default = true\ntls_cert = '''%s'''\ntls_key = '''%s'''\n", secure, site.cert, site.pem))
	var h1, h2, h2c http.Protocols
	h1.SetHTTP1(true)
	h2.SetHTTP2(true)
	h2c.SetUnencryptedHTTP2(true)
	trust := &tls.Config{InsecureSkipVerify: true} // a certificate of this test
	for name, c := range map[string]struct {
		base      string
		transport *http.Transport
	}{
		"h1": {"http://" + addr, &http.Transport{Protocols: &h1}}, "h2c": {"http://" + addr, &http.Transport{Protocols: &h2c}},
		"TLS h1": {"https://" + secure, &http.Transport{Protocols: &h1, TLSClientConfig: trust}}, "TLS h2": {"https://" + secure, &http.Transport{Protocols: &h2, TLSClientConfig: trust}},
	} {
		p := newPerson(t, c.base+"/adm", c.transport)
		p.eventually("/api/session", 401)
		if status, text, _ := p.do("GET", "/api/session?optional", ""); status != 200 || !strings.Contains(text, `{"user":"","role":"none"`) {
			t.Errorf("%s: nobody: %d %s", name, status, text)
		}
		if status, text, _ := p.do("GET", "/", ""); status != 200 || !strings.Contains(text, "<html") {
			t.Errorf("%s: the panel: %d %.200s", name, status, text)
		}
		if status := p.login("alice", "wonderland"); status != 200 {
			t.Errorf("%s: login: %d", name, status)
			continue
		}
		if status, text, _ := p.do("GET", "/api/status", ""); status != 200 || !strings.Contains(text, `"state":"running"`) {
			t.Errorf("%s: %d %.200s", name, status, text)
		}
		if status, text, _ := p.do("POST", "/api/logout", ""); status != 204 {
			t.Errorf("%s: logout: %d %s", name, status, text)
		}
		if status, _, _ := p.do("GET", "/api/status", ""); status != 401 {
			t.Errorf("%s: after the logout: %d", name, status)
		}
	}
	local := newPerson(t, "http://pingap", unixTransport(filepath.Join(i.runDir, "admin.sock")))
	if status, text, _ := local.do("GET", "/api/session", ""); status != 200 || !strings.Contains(text, fmt.Sprintf(`"user":"uid %d","role":"write"`, os.Getuid())) {
		t.Errorf("by the socket: %d %s", status, text)
	}
	info, err := os.Stat(filepath.Join(i.runDir, "admin.sock"))
	if err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("%v %v", info, err)
	}
}

func TestWhoMayNotIsRefused(t *testing.T) {
	t.Parallel()
	addr := freePort(t)
	i := start(t, adminConf(addr))
	base := "http://" + addr + "/adm"
	writer, reader, nobody := newPerson(t, base, &http.Transport{}), newPerson(t, base, &http.Transport{}), newPerson(t, base, &http.Transport{})
	nobody.eventually("/api/session", 401)
	if w, r := writer.login("alice", "wonderland"), reader.login("bob", "looks"); w != 200 || r != 200 {
		t.Fatalf("%d %d", w, r)
	}
	const write = "/api/configs/upstream/made?dry_run"
	for _, c := range []struct {
		name   string
		who    *person
		fields []string
		status int
	}{
		{"nobody", nobody, nil, 401},
		{"a reader", reader, nil, 403},
		{"without the proof", writer, []string{"X-CSRF-Token", ""}, 403},
		{"with that of another", writer, []string{"X-CSRF-Token", reader.csrf}, 403},
		{"from another site", writer, []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"a wrong token", nobody, []string{"Authorization", "Bearer " + adminToken + "x"}, 401},
		{"who says to be the worker", nobody, []string{"X-Pingap-Token", "00", "X-Pingap-Client", "127.0.0.9"}, 401},
	} {
		if status, text, _ := c.who.do("POST", write, `{"addrs":["127.0.0.1:1"]}`, c.fields...); status != c.status {
			t.Errorf("%s: %d %s", c.name, status, text)
		}
	}
	if status, text, _ := nobody.do("POST", write, `{"addrs":["127.0.0.1:1"]}`, "Authorization", "Bearer "+adminToken); status != 200 {
		t.Errorf("a token: %d %s", status, text)
	}
	if one, two, three := nobody.login("alice", "x"), nobody.login("alice", "x"), nobody.login("alice", "wonderland"); one != 401 || two != 401 || three != 403 {
		t.Errorf("logins after a failure: %d %d, and the right one: %d", one, two, three)
	}
	if status, _, _ := writer.do("GET", "/api/status", ""); status != 200 {
		t.Errorf("who is in: %d", status)
	}
	status, text, _ := writer.do("GET", "/api/audit", "")
	for _, want := range []string{`"user":"bob"`, `locked out`, `"what":"log in"`} {
		if !strings.Contains(text, want) {
			t.Errorf("%d: the audit log lacks %s: %s", status, want, text)
		}
	}
	if log := read(t, filepath.Join(i.dir, "state", "admin", "audit.log")); strings.Contains(log, "wonderland") || !strings.Contains(log, `"user":"alice"`) {
		t.Errorf("the file: %s", log)
	}
}

func TestASessionOutlastsControlAndUpgrade(t *testing.T) {
	t.Parallel()
	addr := freePort(t)
	i := start(t, adminConf(addr))
	p := newPerson(t, "http://"+addr+"/adm", &http.Transport{})
	p.eventually("/api/session", 401)
	if status := p.login("alice", "wonderland"); status != 200 {
		t.Fatal(status)
	}
	local := newPerson(t, "http://pingap", unixTransport(filepath.Join(i.runDir, "admin.sock")))
	sessions := filepath.Join(i.dir, "state", "admin", "sessions")
	i.eventually("the session is kept", func() error {
		_, err := os.Stat(sessions)
		return err
	})
	before := i.status().of("control")[0].PID
	signalPID(t, before, syscall.SIGKILL)
	local.eventually("/api/session", 200) // waits in the socket's queue
	p.eventually("/api/session", 200)
	if i.status().of("control")[0].PID == before {
		t.Error("control was not killed")
	}
	i.later = true
	if r := i.verb("upgrade", "--wait"); r.code != 0 {
		t.Fatalf("%d %s", r.code, r.all())
	}
	p.eventually("/api/session", 200)
	local.eventually("/api/session", 200)
	if status, text, _ := p.do("POST", "/api/configs/upstream/made?dry_run", `{"addrs":["127.0.0.1:1"]}`); status != 200 {
		t.Errorf("a write after all that: %d %s", status, text)
	}
}

// withAdmin starts with --admin in the environment.
func withAdmin(t *testing.T, value, conf string, flags ...string) *instance {
	t.Helper()
	dir := workDir(t)
	path := filepath.Join(dir, "pingap.toml")
	write(t, path, conf)
	i := launchAs(t, dir, func(cmd *exec.Cmd) {
		cmd.Env = append(os.Environ(), "PINGAP_ADMIN_ADDR="+value, "PINGAP_ADMIN_USER=alice", "PINGAP_ADMIN_PASSWORD=wonderland")
	}, append([]string{"-c", path}, flags...)...)
	i.conf = path
	i.waitRunning()
	return i
}

func TestAdminServesAtItsAddressAndRepairsWhatCannotBeLoaded(t *testing.T) {
	t.Parallel()
	addr, admin := freePort(t), freePort(t)
	i := withAdmin(t, admin+"/pingap", "[servers.web\n")
	p := newPerson(t, "http://"+admin+"/pingap", &http.Transport{})
	p.eventually("/api/session", 401)
	if status := p.login("alice", "wonderland"); status != 200 {
		t.Fatal(status)
	}
	if status, text, _ := p.do("GET", "/api/status", ""); status != 200 || !strings.Contains(text, "could not be loaded") {
		t.Errorf("%d %.500s", status, text)
	}
	i.change(mockConf(addr, "repaired"))
	if err := want(addr, "/", "repaired"); err != nil {
		t.Error(err)
	}
	if status, _, _ := p.do("GET", "/api/session", ""); status != 200 {
		t.Errorf("after the repair: %d", status)
	}
	shown := i.verb("config", "show")
	if strings.Contains(shown.all(), "pingap:admin") || strings.Contains(shown.all(), "wonderland") {
		t.Errorf("what --admin adds is shown: %s", shown.all())
	}
	for _, pid := range append(i.status().pids(), i.status().of("control")[0].PID) {
		line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err != nil || strings.Contains(string(line), "wonderland") {
			t.Errorf("process %d shows the password: %q %v", pid, line, err)
		}
	}
}

func TestAdminAtTheAddressOfAServerIsMountedThere(t *testing.T) {
	t.Parallel()
	addr := freePort(t)
	i := withAdmin(t, addr+"/pingap", mockConf(addr, "site"))
	p := newPerson(t, "http://"+addr+"/pingap", &http.Transport{})
	p.eventually("/api/session", 401)
	for target, body := range map[string]string{"/": "site", "/pingapx": "site", "/api/session": "site"} {
		if err := want(addr, target, body); err != nil {
			t.Error(err)
		}
	}
	if n := len(i.status().Listeners); n != 1 {
		t.Errorf("%d listeners", n)
	}
}

func TestControlPanelOnlyServesNothingElse(t *testing.T) {
	t.Parallel()
	addr, admin := freePort(t), freePort(t)
	i := withAdmin(t, admin, mockConf(addr, "site"), "--cp")
	p := newPerson(t, "http://"+admin, &http.Transport{})
	p.eventually("/api/session", 401)
	if status := p.login("alice", "wonderland"); status != 200 {
		t.Fatal(status)
	}
	if status, text, _ := p.do("GET", "/api/configs", ""); status != 200 || !strings.Contains(text, addr) {
		t.Errorf("the configuration it is the panel of: %d %.300s", status, text)
	}
	if status, text, _ := p.do("GET", "/api/objects?brief", ""); status != 200 || !strings.Contains(text, `"panel_only":true,"writable":"","objects":[]`) {
		t.Errorf("what holds for all objects: %d %s", status, text)
	}
	if _, err := net.Dial("tcp", addr); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("it serves: %v", err)
	}
	if status, text, _ := p.do("POST", "/api/configs/upstream/made", `{"addrs":["127.0.0.1:1"]}`); status != 204 || !strings.Contains(read(t, i.conf), "[upstreams.made]") {
		t.Errorf("a write: %d %s", status, text)
	}
	if status, text, _ := p.do("POST", "/api/configs/location/made", `{"upstream":"missing"}`); status != 422 {
		t.Errorf("a write that makes no sense: %d %s", status, text)
	}
	i.reload()
	if _, err := net.Dial("tcp", addr); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("it serves after a reload: %v", err)
	}
}

func TestAdminWithoutSomebodyIsRefused(t *testing.T) {
	t.Parallel()
	dir := workDir(t)
	write(t, filepath.Join(dir, "a.toml"), "[plugins.p]\ncategory = \"admin\"\n[locations.l]\nplugins = [\"p\"]\n")
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"-t", "-c", "a.toml"}, 1, "nobody could be told from anybody"},
		{[]string{"-t", "-c", "a.toml", "--admin=127.0.0.1:1"}, 2, "no user is named"},
		{[]string{"-t", "-c", "a.toml", "--admin=unix:/tmp/x"}, 2, "admin.sock"},
		{[]string{"--cp", "-c", "a.toml"}, 2, "--cp needs --admin"},
	} {
		r := command(t, dir, c.args...)
		if r.code != c.code || !strings.Contains(r.all(), c.want) {
			t.Errorf("%q: exit code %d: %s", c.args, r.code, r.all())
		}
	}
}
