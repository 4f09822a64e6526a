package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

const (
	welcome = "Welcome to pingap"
	own     = "the administrator was here"
)

// Each part boots a system of its own.
func TestPackage(t *testing.T) {
	needBox(t)
	dir := packages(t)
	t.Run("deb", func(t *testing.T) { packageDeb(t, dir) })
	t.Run("rpm", func(t *testing.T) { packageRPM(t, dir) })
	t.Run("port taken", func(t *testing.T) { packagePortTaken(t, dir) })
	t.Run("socket unit", func(t *testing.T) { packageSocketUnit(t, dir) })
	t.Run("panel", func(t *testing.T) { packagePanel(t, dir) })
	t.Run("leftovers", func(t *testing.T) { packageLeftovers(t, dir) })
}

// packages builds two versions for this machine, the second of another build.
func packages(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for _, version := range []string{"1.0.0", "1.0.1"} {
		cmd := exec.Command("../packaging/build.sh", filepath.Join(dir, version))
		cmd.Env = append(os.Environ(), "PACKAGE_VERSION="+version, "PACKAGE_ARCHS="+runtime.GOARCH,
			"PACKAGE_LDFLAGS=-buildid=pingap-e2e-test-of-packages/"+version)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("build %s: %v\n%s", version, err, out)
		}
	}
	return dir
}

// dropIn changes the unit in the box.
func (b *box) dropIn(name, lines string) {
	b.t.Helper()
	b.run("mkdir -p /etc/systemd/system/pingap.service.d && printf '[Service]\n" + strings.ReplaceAll(lines, "\n", `\n`) +
		"\n' >/etc/systemd/system/pingap.service.d/" + name + ".conf && systemctl daemon-reload")
}

func (b *box) answers(text string) {
	b.t.Helper()
	c := boxClient(b.net, false)
	err := within(patience, func() error {
		status, body, err := boxGet(c, "http://127.0.0.1/")
		if err == nil && (status != 200 || !strings.Contains(body, text)) {
			err = fmt.Errorf("%d %q, want %q", status, body, text)
		}
		return err
	})
	if err != nil {
		b.t.Fatalf("%v\n%s", err, b.try("systemctl status pingap --no-pager -n 30").stdout)
	}
}

// The life of the Debian package, from a fresh installation to the purge.
func packageDeb(t *testing.T, dir string) {
	b := newBox(t, dir)
	b.run("dpkg -i /packages/1.0.0/pingap_*.deb")
	b.answers(welcome)
	if text := b.run("systemctl status pingap --no-pager"); !strings.Contains(text, "\n     Status: ") {
		t.Errorf("systemctl status has no line of ours:\n%s", text)
	}
	if text := b.run("systemctl is-enabled pingap; systemctl is-active pingap"); text != "enabled\nactive" {
		t.Errorf("after the installation the service is %q", text)
	}
	b.unitIsTight()
	b.rootSpeaksToIt()
	b.adminIsAtItsSocketOnly()
	b.reloadTells()
	b.logsRotate()

	b.run("sed -i 's/" + welcome + "/" + own + "/' /etc/pingap/pingap.toml && systemctl reload pingap")
	b.answers(own)
	b.oneWorker()
	b.underLoad("systemctl restart pingap")
	if out := b.underLoad("dpkg -i /packages/1.0.1/pingap_*.deb"); !strings.Contains(out, "upgraded: ") || !strings.Contains(out, "LONGEST WAIT") {
		t.Errorf("the upgrade does not print what it did: %s", out)
	}
	b.runs("1.0.1")
	b.answers(own)
	b.crashWhileUnpacked()

	b.run("dpkg -r pingap")
	b.nothingRuns()
	b.run("test -e /etc/pingap/pingap.toml -a -d /var/log/pingap -a ! -e /usr/bin/pingap && logrotate -f /etc/logrotate.d/pingap")
	b.run("dpkg -i /packages/1.0.1/pingap_*.deb")
	b.answers(own)
	b.run("dpkg -P pingap")
	b.nothingRuns()
	b.run("for p in /etc/pingap /var/lib/pingap /var/log/pingap /var/cache/pingap /run/pingap /etc/logrotate.d/pingap; do test ! -e $p || exit 1; done")
	b.run("getent passwd pingap && ! systemctl cat pingap 2>/dev/null")
}

// The rpm, with Debian's rpm: its scripts are what is tested.
func packageRPM(t *testing.T, dir string) {
	b := newBox(t, dir)
	b.run("rpm -i --nodeps /packages/1.0.0/pingap-*.rpm")
	b.answers(welcome)
	if text := b.run("stat -c '%U:%G %a' /etc/pingap/pingap.toml; systemctl is-enabled pingap"); text != "root:pingap 640\nenabled" {
		t.Errorf("configuration and service are %q", text)
	}
	b.run("rpm -V --nodeps pingap")
	b.run("sed -i 's/" + welcome + "/" + own + "/' /etc/pingap/pingap.toml && systemctl reload pingap")
	b.underLoad("rpm -U --nodeps /packages/1.0.1/pingap-*.rpm")
	b.runs("1.0.1")
	b.answers(own)
	b.run("rpm -e pingap")
	b.nothingRuns()
	b.run("test -e /etc/pingap/pingap.toml.rpmsave -a -d /var/log/pingap -a ! -e /var/cache/pingap")
}

// A port that somebody else has does not leave the package half installed, and the reason is said.
func packagePortTaken(t *testing.T, dir string) {
	b := newBox(t, dir)
	// A socket unit holds the port; what it would start is of no interest.
	b.run(`cd /etc/systemd/system && printf '[Socket]\nListenStream=0.0.0.0:80\n' >taken.socket && printf '[Service]\nExecStart=/bin/sleep 1h\n' >taken.service
systemctl daemon-reload && systemctl start taken.socket`)
	if out := b.run("dpkg -i /packages/1.0.0/pingap_*.deb; dpkg -s pingap | grep ^Status"); !strings.Contains(out, "Status: install ok installed") {
		t.Error(out)
	}
	b.run("systemctl stop taken.socket")
	b.answers(welcome) // it is tried again
}

// With the socket unit the service serves a low port without any capability, and connections wait while it is away.
func packageSocketUnit(t *testing.T, dir string) {
	b := newBox(t, dir)
	b.dropIn("socket", "AmbientCapabilities=\nCapabilityBoundingSet=\n[Unit]\nRequires=pingap.socket\nAfter=pingap.socket")
	b.run("dpkg -i /packages/1.0.0/pingap_*.deb")
	b.answers(welcome)
	if caps := b.run("grep CapBnd /proc/$(cat /run/pingap/pingap.pid)/status"); !strings.HasSuffix(caps, "0000000000000000") {
		t.Errorf("the supervisor may have %s", caps)
	}
	socket := "ss -Hltn 'sport = :80' | wc -l; ss -Hltne 'sport = :80' | grep -o 'ino:[0-9]*'"
	before := b.run(socket)
	b.underLoad("systemctl stop pingap.service; systemctl start pingap.service")
	b.answers(welcome)
	b.run("systemctl restart pingap.service; pingap upgrade --wait") // its successors know whose socket it is
	b.underLoad("systemctl stop pingap.service; systemctl start pingap.service")
	b.answers(welcome)
	if now := b.run(socket); now != before {
		t.Errorf("the socket is %q, it was %q", now, before)
	}
	b.run("systemctl disable --now pingap.socket && systemctl stop pingap.service")
	b.nothingRuns()
}

// After a stop nothing is left, even of a supervisor that hung; after its crash the workers are.
func packageLeftovers(t *testing.T, dir string) {
	b := newBox(t, dir)
	// The supervisor never hears of a stop, as if it hung.
	b.dropIn("short", "TimeoutStopSec=2\nRestartSec=1h\nKillSignal=SIGCONT")
	b.run("dpkg -i /packages/1.0.0/pingap_*.deb")
	b.answers(welcome)
	b.oneWorker()
	b.run("systemctl stop pingap")
	b.nothingRuns()
	if log := b.run("journalctl -u pingap --no-pager -o cat"); !strings.Contains(log, "ending what was left: ") {
		t.Errorf("the workers ended by themselves:\n%s", log)
	}

	b.run("systemctl reset-failed pingap; systemctl start pingap")
	b.answers(welcome)
	worker := b.worker()
	b.run("kill -KILL $(cat /run/pingap/pingap.pid)")
	b.eventually("systemctl show -p ActiveState --value pingap | grep -q activating")
	if now := b.worker(); now != worker {
		t.Errorf("after the crash the worker is %q, it was %q", now, worker)
	}
	b.answers(welcome)
	b.run("systemctl stop pingap")
}

// unitIsTight checks what systemd says of the unit, and what the processes may do.
func (b *box) unitIsTight() {
	b.t.Helper()
	if out := b.run("systemd-analyze verify --man=no pingap.service pingap.socket 2>&1"); out != "" {
		b.t.Errorf("systemd-analyze verify: %s", out)
	}
	out := b.run("systemd-analyze security --no-pager pingap.service | tail -n 1")
	m := regexp.MustCompile(`exposure level for pingap\.service: ([0-9.]+)`).FindStringSubmatch(out)
	if len(m) == 0 {
		b.t.Fatalf("systemd-analyze security: %s", out)
	}
	if level, err := strconv.ParseFloat(m[1], 64); err != nil || level > 2.0 {
		b.t.Errorf("exposure level %s, want at most 2.0", m[1])
	}
	if out := b.run("ss -Hltn 'sport = :80' | awk '{print $3}'"); out != "4096" {
		b.t.Errorf("the queue of the listening socket is %q: /proc/sys is hidden", out)
	}
	out = b.run("for p in $(pgrep -f '^pingap: worker'); do grep -h '^CapEff\\|^CapPrm\\|^CapAmb' /proc/$p/status; done | awk '{print $2}' | sort -u")
	if out != "0000000000000000" {
		b.t.Errorf("workers have capabilities %q", out)
	}
}

// rootSpeaksToIt finds the instance of another user without being told where it is.
func (b *box) rootSpeaksToIt() {
	b.t.Helper()
	if out := b.run("pingap status"); !strings.Contains(out, "pingap is running") {
		b.t.Error(out)
	}
	b.run("useradd member && usermod -aG pingap member && useradd stranger")
	b.run("setpriv --reuid member --regid member --init-groups pingap status")
	if r := b.try("setpriv --reuid stranger --regid stranger --init-groups pingap status"); r.code == 0 {
		b.t.Error("a user outside of the group was answered")
	}
}

// adminIsAtItsSocketOnly finds the admin interface where root and the group have it, and nowhere else. It comes behind rootSpeaksToIt.
func (b *box) adminIsAtItsSocketOnly() {
	b.t.Helper()
	const socket = "/run/pingap/admin.sock"
	mode, err := strconv.ParseUint(b.run("stat -c %a "+socket), 8, 32)
	if owner := b.run("stat -c '%F of %U:%G' " + socket); err != nil || mode&^0o660 != 0 || owner != "socket of pingap:pingap" && owner != "socket of root:pingap" {
		b.t.Errorf("%s is a %s with mode %o, %v", socket, owner, mode, err)
	}
	if out := b.run("pingap explain GET http://127.0.0.1/"); !strings.Contains(out, "answers 200") || !strings.Contains(out, "200, made here") {
		b.t.Errorf("explain: %s", out)
	}
	ask := "curl -s --unix-socket " + socket + " http://pingap/api/session"
	as := func(user string) string { return "setpriv --reuid " + user + " --regid " + user + " --init-groups " }
	for _, line := range []string{ask, as("member") + ask} {
		if out := b.run(line); !strings.Contains(out, `"how":"socket"`) {
			b.t.Errorf("%s: %s", line, out)
		}
	}
	if r := b.try(as("stranger") + ask); r.code == 0 {
		b.t.Errorf("a user outside of the group was answered: %s", r.all())
	}
	// Over TCP there is the one port of the configuration, and a request for the API there is one for the site.
	if out := b.run("ss -Hltnp | grep -v ':80 ' | grep pingap || true"); out != "" {
		b.t.Errorf("it listens on other ports as well: %s", out)
	}
	status, body, err := boxGet(boxClient(b.net, false), "http://127.0.0.1/api/session")
	if err != nil || strings.Contains(body, `"how"`) || status == 401 {
		b.t.Errorf("the API over TCP: %d %s, %v", status, body, err)
	}
}

// reloadTells is systemctl reload of a good and of a bad configuration.
func (b *box) reloadTells() {
	b.t.Helper()
	b.run("systemctl reload pingap")
	b.run("cp -p /etc/pingap/pingap.toml /root/good && echo nonsense >>/etc/pingap/pingap.toml")
	if r := b.try("systemctl reload pingap"); r.code == 0 {
		b.t.Error("systemctl reload of a broken configuration succeeded")
	}
	b.run("systemctl is-active pingap && cp -p /root/good /etc/pingap/pingap.toml && systemctl reload pingap")
	b.answers(welcome)
}

// logsRotate finds each line in the file of its time.
func (b *box) logsRotate() {
	b.t.Helper()
	c := boxClient(b.net, false)
	for i, path := range []string{"/before", "/after"} {
		if _, _, err := boxGet(c, "http://127.0.0.1"+path); err != nil {
			b.t.Fatal(err)
		}
		b.eventually("grep -q 'GET " + path + " ' /var/log/pingap/access.log")
		if i == 0 {
			b.run("logrotate -f /etc/logrotate.d/pingap")
		}
	}
	b.run("grep -q 'GET /before ' /var/log/pingap/access.log.1 && ! grep -q 'GET /before ' /var/log/pingap/access.log")
}

// crashWhileUnpacked kills a worker after the package has replaced the file and before anybody was told: it comes back as the build
// that runs, not as the one that lies there.
func (b *box) crashWhileUnpacked() {
	b.t.Helper()
	b.run("dpkg --unpack /packages/1.0.0/pingap_*.deb")
	worker := b.worker()
	b.run("kill -KILL " + worker)
	b.eventually("! test -e /proc/" + worker)
	b.answers(own)
	if exe := b.run("readlink /proc/" + b.worker() + "/exe"); !strings.HasSuffix(exe, " (deleted)") {
		b.t.Errorf("the worker executes %s", exe)
	}
	b.runs("1.0.1")
	b.run("dpkg --configure pingap")
	b.runs("1.0.0")
	b.answers(own)
}

// worker is the process id of the only worker, once there is only one; oneWorker sees to it on larger machines.
func (b *box) worker() string {
	b.t.Helper()
	b.eventually("test $(pgrep -fc '^pingap: worker') = 1")
	return b.run("pgrep -f '^pingap: worker'")
}

// oneWorker is for tests that look at it.
func (b *box) oneWorker() {
	b.t.Helper()
	b.run("printf '\\n[basic]\\nworkers = 1\\n' >>/etc/pingap/pingap.toml && pingap reload --wait")
}

// runs says which build the instance must be, and that systemd knows its process.
func (b *box) runs(version string) {
	b.t.Helper()
	b.eventually("pingap status --json | grep -q '\"build\": \"pingap-e2e-test-of-packages/" + version + "\"'")
	b.eventually("test $(systemctl show -p MainPID --value pingap) = $(cat /run/pingap/pingap.pid) && systemctl is-active pingap")
}

// underLoad runs a line while requests go on, of which none may fail, and returns its output.
func (b *box) underLoad(line string) string {
	b.t.Helper()
	stop := make(chan struct{})
	var wg sync.WaitGroup
	var served atomic.Int64
	failures := make(chan error, 1)
	for i := range 4 {
		wg.Go(func() { // ends with stop
			for c := boxClient(b.net, i%2 == 0); ; served.Add(1) {
				select {
				case <-stop:
					return
				default:
				}
				status, _, err := boxGet(c, "http://127.0.0.1/")
				if err == nil && status != 200 {
					err = fmt.Errorf("status %d", status)
				}
				if err != nil {
					select {
					case failures <- err:
					default:
					}
				}
			}
		})
	}
	if err := within(patience, func() error {
		if served.Load() < 100 {
			return errors.New("no load")
		}
		return nil
	}); err != nil {
		b.t.Fatal(err)
	}
	out := b.run(line)
	close(stop)
	wg.Wait()
	b.t.Logf("%s: %d requests; %s", line, served.Load(), out)
	select {
	case err := <-failures:
		b.t.Errorf("%s: %v", line, err)
	default:
	}
	return out
}

// nothingRuns is what a removal must leave.
func (b *box) nothingRuns() {
	b.t.Helper()
	if r := b.try("pgrep -a pingap"); r.code != 1 {
		b.t.Errorf("left running: %s", r.all())
	}
	if _, _, err := boxGet(boxClient(b.net, false), "http://127.0.0.1/"); err == nil {
		b.t.Error("somebody still answers")
	}
}
