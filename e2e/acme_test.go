package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"pingap/e2e/pebble"
)

// certificate is what the tests need of `pingap cert list --json`.
type certificate struct {
	Name        string    `json:"name"`
	Domains     []string  `json:"domains"`
	Source      string    `json:"source"`
	NotAfter    time.Time `json:"not_after"`
	DaysLeft    int       `json:"days_left"`
	LastError   string    `json:"last_error"`
	NextAttempt time.Time `json:"next_attempt"`
}

func (i *instance) certificates() (list []certificate, problem string) {
	i.t.Helper()
	var l struct {
		Problem      string        `json:"problem"`
		Certificates []certificate `json:"certificates"`
	}
	if err := json.Unmarshal([]byte(i.mustVerb("cert", "list", "--json").stdout), &l); err != nil {
		i.t.Fatal(err)
	}
	return l.Certificates, l.Problem
}

// issued waits until a certificate is there, and returns it.
func (i *instance) issued(name string) (c certificate) {
	i.t.Helper()
	i.eventually("certificate "+name, func() error {
		list, problem := i.certificates()
		for _, c = range list {
			if c.Name == name && !c.NotAfter.IsZero() {
				return nil
			}
		}
		return fmt.Errorf("%+v, %s", list, problem)
	})
	return c
}

func portOf(t *testing.T, addr string) int {
	t.Helper()
	_, text, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// acmeConf wants certificates of a CA beside a server at addr.
func acmeConf(addr string, ca *pebble.CA, domains map[string]string) string {
	conf := mockConf(addr, "x")
	for name, list := range domains {
		conf += fmt.Sprintf("[certificates.%s]\nacme = %q\nacme_ca_file = '''%s'''\ndomains = %q\n", name, ca.Directory, ca.PEM, list)
	}
	return conf
}

// folderOf is what there is of certificates on the disk: names, modes and times of change.
func (i *instance) folderOf() string {
	i.t.Helper()
	var text strings.Builder
	err := filepath.Walk(filepath.Join(i.dir, "state", "acme", "certificates"), func(path string, info os.FileInfo, err error) error {
		if err == nil && !info.IsDir() {
			fmt.Fprintln(&text, path, info.Mode(), info.ModTime())
		}
		return err
	})
	if err != nil {
		i.t.Fatal(err)
	}
	return text.String()
}

func TestCertificatesComeByThemselvesAndStay(t *testing.T) {
	t.Parallel()
	addr := freePort(t)
	ca := pebble.Start(t, pebble.Options{HTTPPort: portOf(t, addr), TLSPort: 1})
	i := start(t, "[basic]\nacme_http_addr = ''\n"+acmeConf(addr, ca, map[string]string{"one": "a.test", "two": "b.test, c.test"}))
	one, two := i.issued("one"), i.issued("two")
	if one.Source != "acme" || one.LastError != "" || one.DaysLeft < 80 || len(two.Domains) != 2 || one.NextAttempt.Before(time.Now()) {
		t.Errorf("%+v, %+v", one, two)
	}
	before := i.folderOf()
	i.checkPrivate()

	control := i.status().of("control")[0].PID
	signalPID(t, control, syscall.SIGKILL)
	i.eventually("another control", func() error {
		if st, err := i.tryStatus(); err != nil || st.of("control")[0].PID == control {
			return errors.Join(err, errors.New("the old one"))
		}
		return nil
	})
	i.change(acmeConf(addr, ca, map[string]string{"one": "a.test", "two": "b.test, c.test", "three": "d.test"}))
	i.issued("three") // of a control process without root, where there is a root that it gave up
	i = i.stopAndStart()
	if again := i.issued("one"); !again.NotAfter.Equal(one.NotAfter) {
		t.Errorf("issued again: %+v, before %+v", again, one)
	}
	after := i.folderOf()
	for line := range strings.Lines(before) {
		if !strings.Contains(after, line) {
			t.Errorf("was written again: %s%s", line, after)
		}
	}
	if strings.Contains(read(t, i.output), "PRIVATE KEY") {
		t.Error("a key in the log")
	}
}

// checkPrivate looks whether keys are closed to everybody but who control runs as.
func (i *instance) checkPrivate() {
	i.t.Helper()
	uid := processField(i.t, i.status().of("control")[0].PID, "Uid:")
	err := filepath.Walk(filepath.Join(i.dir, "state", "acme"), func(path string, info os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o077 != 0 {
			i.t.Errorf("%s is %s", path, info.Mode())
		}
		if owner := info.Sys().(*syscall.Stat_t).Uid; fmt.Sprint(owner) != uid {
			i.t.Errorf("%s belongs to user %d, control is %s", path, owner, uid)
		}
		return nil
	})
	if err != nil {
		i.t.Error(err)
	}
}

func TestAServerForTheCAIsThereWhereNobodyListens(t *testing.T) {
	t.Parallel()
	addr, forCA := freePort(t), freePort(t)
	ca := pebble.Start(t, pebble.Options{HTTPPort: portOf(t, forCA), TLSPort: 1})
	i := start(t, fmt.Sprintf("[basic]\nacme_http_addr = %q\n", forCA)+acmeConf(addr, ca, map[string]string{"one": "a.test"}))
	i.issued("one")
	found := false
	for _, l := range i.status().Listeners {
		found = found || l.Address == forCA && l.Server == "lets encrypt"
	}
	if !found {
		t.Errorf("listeners %+v", i.status().Listeners)
	}
	if a, err := fetch(forCA, get("/")); err != nil || a.status != 404 {
		t.Errorf("it answers %+v to anything else, %v", a, err)
	}
}

func TestCertificatesAreNotRequestedWhereThatIsSwitchedOff(t *testing.T) {
	t.Parallel()
	addr, forCA, dir := freePort(t), freePort(t), workDir(t)
	ca := pebble.Start(t, pebble.Options{HTTPPort: portOf(t, forCA), TLSPort: 1})
	path := filepath.Join(dir, "pingap.toml")
	write(t, path, fmt.Sprintf("[basic]\nacme_http_addr = %q\n", forCA)+acmeConf(addr, ca, map[string]string{"one": "a.test"}))
	i := launchAs(t, dir, func(cmd *exec.Cmd) { cmd.Env = append(os.Environ(), "PINGAP_DISABLE_ACME=1") }, "-c", path, "--workers", "2")
	i.waitRunning()
	list, problem := i.certificates()
	if len(list) != 1 || !list[0].NotAfter.IsZero() || !strings.Contains(problem, "PINGAP_DISABLE_ACME") {
		t.Errorf("%+v, %q", list, problem)
	}
	if n := len(i.status().Listeners); n != 1 {
		t.Errorf("%d listeners", n)
	}
	if _, err := os.Stat(filepath.Join(dir, "state", "acme", "accounts")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("there is an account: %v", err)
	}
}
