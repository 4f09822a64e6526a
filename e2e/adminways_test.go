package e2e

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A panel at a unix socket asks for a login as one at a port does, and is there after all that replaces processes.
func TestAdminAtAUnixSocketStaysThere(t *testing.T) {
	t.Parallel()
	addr, socket := freePort(t), filepath.Join(workDir(t), "panel.sock")
	i := withAdmin(t, "unix:"+socket+"?max_age=1h", mockConf(addr, "site"))
	p := newPerson(t, "http://localhost", unixTransport(socket))
	i.hand(i.conf)
	p.eventually("/api/session", 401)
	if status := p.login("alice", "wrong"); status == 200 {
		t.Error("anybody may log in")
	}
	if status := p.login("alice", "wonderland"); status != 200 {
		t.Fatal(status)
	}
	if status, text, _ := p.do("GET", "/", ""); status != 200 || !strings.Contains(text, "<html") {
		t.Errorf("the panel: %d %.200s", status, text)
	}
	if status, text, _ := p.do("POST", "/api/configs/upstream/made", `{"addrs":["127.0.0.1:1"]}`); status != 204 || !strings.Contains(read(t, i.conf), "[upstreams.made]") {
		t.Errorf("a write: %d %s", status, text)
	}
	if err := want(addr, "/api/session", "site"); err != nil {
		t.Errorf("the API at the port of the site: %v", err)
	}
	if text := i.verb("status").stdout; !strings.Contains(text, "listening: "+socket+" (pingap:admin)") {
		t.Errorf("status: %s", text)
	}
	i.later = true // supervisors come after the first
	for _, verb := range [][]string{{"reload"}, {"roll"}, {"upgrade", "--wait"}} {
		if r := i.verb(verb[0], verb[1:]...); r.code != 0 {
			t.Fatalf("%s: %s", verb, r.all())
		}
		p.eventually("/api/session", 200)
		if n := len(i.status().Listeners); n != 2 {
			t.Errorf("after %s there are %d listeners", verb, n)
		}
	}
	if r := i.verb("stop"); r.code != 0 {
		t.Fatal(r.all())
	}
	if _, err := os.Lstat(socket); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket is left behind: %v", err)
	}
}

// A socket that a killed instance left is taken over; one that another process listens on is not.
func TestAdminTakesASocketOnlyWhereNobodyListens(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(workDir(t), "panel.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	dir := workDir(t)
	write(t, filepath.Join(dir, "pingap.toml"), mockConf(freePort(t), "site"))
	r := command(t, dir, "-c", "pingap.toml", "--admin=a:wonderland@unix:"+socket, "--run-dir", dir, "--state-dir", dir)
	if r.code != 1 || !strings.Contains(r.stderr, socket) || strings.Contains(r.all(), "wonderland") {
		t.Errorf("exit code %d: %s", r.code, r.all())
	}
	l.Close()
	withAdmin(t, "unix:"+socket, mockConf(freePort(t), "site"))
	newPerson(t, "http://localhost", unixTransport(socket)).eventually("/api/session", 401)
}

// panelOf starts --cp for a configuration in etcd.
func panelOf(t *testing.T, conf, admin string) (*instance, *person) {
	t.Helper()
	i := launchAs(t, workDir(t), func(cmd *exec.Cmd) {
		cmd.Env = append(os.Environ(), "PINGAP_CONF="+conf, "PINGAP_ADMIN_ADDR="+admin, "PINGAP_ADMIN_USER=alice", "PINGAP_ADMIN_PASSWORD=wonderland", "PINGAP_CP=1")
	})
	i.waitRunning()
	p := newPerson(t, "http://"+admin, &http.Transport{})
	p.eventually("/api/session", 401)
	if status := p.login("alice", "wonderland"); status != 200 {
		t.Fatal(status)
	}
	return i, p
}

// The panel of a configuration in etcd serves nothing of it: it is where it is written, nodes take it from there.
func TestControlPanelOnlyWritesWhatNodesTakeFromEtcd(t *testing.T) {
	t.Parallel()
	s := newEtcd(t)
	addr := freePort(t)
	put(t, s, "servers/web.toml", "[servers.web\n") // broken, to begin with
	panel, p := panelOf(t, rootConf(s, "&enable_history=true"), freePort(t))
	putAll(t, s, addr, "text-1")
	if _, err := net.Dial("tcp", addr); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("it serves: %v", err)
	}
	i := node(t, workDir(t), nodeConf(s.Address))
	i.waitRunning()
	if err := want(addr, "/", "text-1"); err != nil {
		t.Fatal(err)
	}
	panel.eventually("the panel shows what is in etcd now", func() error {
		if status, text, _ := p.do("GET", "/api/configs", ""); status != 200 || !strings.Contains(text, "text-1") || !strings.Contains(text, addr) {
			return fmt.Errorf("%d %.300s", status, text)
		}
		return nil
	})
	change := func(text string) string {
		return fmt.Sprintf(`{"set":{"plugin":{"text":{"category":"mock","status":200,"data":%q}}}}`, text)
	}
	if status, text, _ := p.do("POST", "/api/changes?dry_run", change("text-2")); status != 200 || !strings.Contains(text, "text-2") {
		t.Errorf("a preview: %d %s", status, text)
	}
	if status, text, _ := p.do("POST", "/api/changes", change("text-2")); status != 200 {
		t.Errorf("a write: %d %s", status, text)
	}
	i.eventually("what the panel wrote is live on the node", func() error { return want(addr, "/", "text-2") })
	if status, text, _ := p.do("POST", "/api/changes", `{"set":{"location":{"all":{"path":"/","plugins":["gone"]}}}}`); status != 422 || !strings.Contains(text, "gone") {
		t.Errorf("a write that makes no sense: %d %s", status, text)
	}
	for _, shown := range []string{panel.verb("status").all(), panel.printed()} {
		if strings.Contains(shown, "master") {
			t.Errorf("the password of etcd is shown: %s", tail(shown, 1000))
		}
	}

	// Without etcd the panel is there, and says what is the matter; a start needs none either.
	s.Kill()
	if status, text, _ := p.do("POST", "/api/changes", change("text-3")); status != 503 || !strings.Contains(text, s.Address) {
		t.Errorf("a write without etcd: %d %s", status, text)
	}
	_, late := panelOf(t, rootConf(s, "&timeout=2s&connect_timeout=1s"), freePort(t))
	if status, text, _ := late.do("GET", "/api/status", ""); status != 200 || !strings.Contains(text, "etcd") {
		t.Errorf("started without etcd: %d %.500s", status, text)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	panel.eventually("the panel writes again", func() error {
		if status, text, _ := p.do("POST", "/api/changes", change("text-4")); status != 200 {
			return fmt.Errorf("%d %s", status, text)
		}
		return nil
	})
	i.eventually("what was written then is live on the node", func() error { return want(addr, "/", "text-4") })
	panel.eventually("the panel that was started without etcd shows it", func() error {
		if status, text, _ := late.do("GET", "/api/configs", ""); status != 200 || !strings.Contains(text, "text-4") {
			return fmt.Errorf("%d %.300s", status, text)
		}
		return nil
	})
}
