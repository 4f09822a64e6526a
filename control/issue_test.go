package control

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"pingap/control/acme"
	"pingap/control/inventory"
	"pingap/ipc"
)

// wanting is a configuration with a certificate from a CA that nobody can reach.
const wanting = `
[basic]
acme_http_addr = ""
[certificates.site]
acme = "https://127.0.0.1:1/dir"
domains = "a.test"
` + base

// answerState answers the next message, which must be a State, as a supervisor does whose workers all have it.
func (r *rig) answerState() *ipc.State {
	r.t.Helper()
	m := r.receive()
	m.Close()
	r.send(m.Txn, ipc.StateTaken{Workers: 2})
	return as[*ipc.State](r.t, m.Body)
}

// statusOf asks for the status, and answers control's question as a supervisor.
func (r *rig) statusOf(u *user) ipc.Body {
	r.t.Helper()
	u.send(ipc.StatusRequest{})
	m := r.receive()
	m.Close()
	r.send(m.Txn, ipc.StatusAll{State: "running"})
	return u.receive()
}

func certificatesOf(t *testing.T, u *user) inventory.List {
	t.Helper()
	body := u.ask(ipc.ConfigRead{What: ipc.ConfigCertificates})
	for end := time.Now().Add(patience); time.Now().Before(end); body = u.ask(ipc.ConfigRead{What: ipc.ConfigCertificates}) {
		if r, early := body.(*ipc.Refused); !early || r.Reason != errNothingLive.Error() {
			break
		}
	}
	part := as[*ipc.ConfigPart](t, body)
	var l inventory.List
	if err := json.Unmarshal(part.Data, &l); err != nil {
		t.Fatal(err)
	}
	return l
}

func TestStoredCertificatesAreToldBeforeTheProposal(t *testing.T) {
	state := t.TempDir()
	r := newRig(t, wanting, rigOptions{state: state})
	first := r.answerState()
	if !first.All || len(first.Items) != 0 {
		t.Errorf("told %d items, all %t", len(first.Items), first.All)
	}
	r.boot()
	info, err := os.Stat(filepath.Join(state, acmeFolder))
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("folder: %v, %v", info, err)
	}
	u := r.dial()
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		l := certificatesOf(t, u)
		if len(l.Certificates) != 1 || l.Certificates[0].Source != inventory.SourceACME {
			t.Fatalf("%+v", l)
		}
		if c := l.Certificates[0]; c.LastError != "" && c.NextAttempt.After(time.Now()) {
			if all := as[*ipc.StatusAll](t, r.statusOf(u)); !strings.Contains(strings.Join(all.Notes, " "), "certificate site could not be issued yet: ") {
				t.Errorf("notes %q", all.Notes)
			}
			break // it has tried, and says when it will again
		}
		if time.Now().After(end) {
			t.Fatalf("no attempt: %+v", l)
		}
	}
}

func TestWithoutCertificatesOfACANothingIsToldAndNoFolderIsMade(t *testing.T) {
	state := t.TempDir()
	r := newRig(t, base, rigOptions{state: state})
	r.boot() // the first message is the proposal
	if _, err := os.Stat(filepath.Join(state, acmeFolder)); err == nil {
		t.Error("there is a folder")
	}
}

func TestItemsOfAControlProcessBeforeAreForgotten(t *testing.T) {
	r := newRig(t, base, rigOptions{start: &ipc.ControlStart{Items: 3}})
	if s := r.answerState(); !s.All || len(s.Items) > 0 {
		t.Errorf("%+v", s)
	}
	r.boot()
}

func TestWithoutAStateDirectoryTheListSaysWhy(t *testing.T) {
	r := newRig(t, wanting, rigOptions{})
	r.boot() // nothing is told: what the supervisor has may be better than what cannot be read
	u := r.dial()
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		l := certificatesOf(t, u)
		if strings.Contains(l.Problem, "no state directory") {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%+v", l)
		}
	}
}

func TestItemsAreDividedIntoMessages(t *testing.T) {
	var items []acme.Item
	for range 10 {
		items = append(items, acme.Item{Kind: acme.Certificate, Name: "x", Chain: []byte(strings.Repeat("c", 600<<10)), Key: []byte("k")})
	}
	translated, err := itemsOf(items, false)
	all := divided(translated)
	if err != nil || len(all) < 2 {
		t.Fatalf("%d messages, %v", len(all), err)
	}
	n := 0
	for _, m := range all {
		n += len(m.Items)
	}
	if n != len(items) {
		t.Errorf("%d items of %d", n, len(items))
	}
	gone, err := itemsOf([]acme.Item{{Kind: acme.ALPN, Name: "a.test", Chain: []byte("c"), Key: []byte("k")}}, true)
	if err != nil || len(gone) != 1 || len(gone[0].Body) > 0 || !gone[0].Gone {
		t.Errorf("%+v, %v", gone, err)
	}
}

func TestNotEverybodyHavingItIsAnError(t *testing.T) {
	for name, c := range map[string]struct {
		answer ipc.Body
		want   string
	}{
		"nobody answers": {nil, "did not answer"},
		"refused":        {&ipc.Refused{Code: ipc.CodeResources, Reason: "full"}, "full"},
		"one is missing": {&ipc.StateTaken{Workers: 1, Missing: []string{"worker 0"}}, "worker 0"},
		"all have it":    {&ipc.StateTaken{Workers: 2}, ""},
	} {
		err := taken(c.answer)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTheFolderIsGivenWithWhatIsOurs(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root gives files away")
	}
	dir := t.TempDir()
	outside := filepath.Join(dir, "outside")
	folder := filepath.Join(dir, acmeFolder)
	for path, text := range map[string]string{outside: "o", filepath.Join(folder, "state.json"): "{}", filepath.Join(folder, "accounts", "a.json"): "{}"} {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Link(outside, filepath.Join(folder, "second.json")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(folder, "link.json")); err != nil {
		t.Fatal(err)
	}
	i := &issuer{dir: dir}
	defer i.close()
	if err := i.give(65534, 65534); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]uint32{outside: 0, folder: 65534, filepath.Join(folder, "state.json"): 65534,
		filepath.Join(folder, "accounts"): 65534, filepath.Join(folder, "accounts", "a.json"): 65534} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Sys().(*syscall.Stat_t).Uid; got != want {
			t.Errorf("%s belongs to %d, want %d", path, got, want)
		}
	}
}

func TestAnIssuerThatIsHeldDoesNotStart(t *testing.T) {
	i := &issuer{dir: t.TempDir(), opt: acme.Options{Publisher: publisher{}}}
	defer i.close()
	wanted := []acme.Wanted{{Name: "x", Domains: []string{"a.test"}, Directory: "https://127.0.0.1:1/dir"}}
	if _, err := i.want(1, wanted); err != nil {
		t.Fatal(err)
	}
	if _, err := i.want(0, nil); err != nil || len(i.wanted) != 1 {
		t.Errorf("an older wish won: %d wanted, %v", len(i.wanted), err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	i.stop()
	if err := i.start(ctx, &wg); err != nil || i.done != nil {
		t.Errorf("it works while it is held: %v", err)
	}
	i.resume()
	if all, err := i.list(); err != nil || len(all) != 1 {
		t.Errorf("what is there cannot be seen without a start: %+v, %v", all, err)
	}
	if err := i.start(ctx, &wg); err != nil || i.done == nil {
		t.Errorf("it does not work: %v", err)
	}
	i.stop()
}
