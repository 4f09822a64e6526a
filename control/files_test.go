package control

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pingap/config"
	"pingap/control/history"
	"pingap/ipc"
)

// pair is a certificate with its key, as files hold them.
type pair struct{ cert, key []byte }

func newPair(t *testing.T) pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: "a.test"}, DNSNames: []string{"a.test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pair{pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})}
}

// put replaces the files of a pair, each as a whole.
func (p pair) put(t *testing.T, dir string) {
	t.Helper()
	for name, data := range map[string][]byte{"fullchain.pem": p.cert, "privkey.pem": p.key} {
		replace(t, filepath.Join(dir, name), data)
	}
}

func replace(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path+".new", data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// holds says what pair is in a snapshot.
func holds(t *testing.T, snapshot []byte, p pair) bool {
	t.Helper()
	open, err := config.OpenSnapshot(snapshot)
	if err != nil {
		t.Fatal(err)
	}
	c, err := open.Certificate("a")
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Equal(c.CertPEM(), p.cert) && bytes.Equal(c.KeyPEM(), p.key)
}

// tlsRig is a rig whose configuration names the files of a directory.
func tlsRig(t *testing.T, o rigOptions) (r *rig, text, dir string, first pair) {
	t.Helper()
	dir = t.TempDir()
	first = newPair(t)
	first.put(t, dir)
	text = base + "[certificates.a]\ntls_cert = '" + dir + "'\n"
	return newRig(t, text, o), text, dir, first
}

func TestAChangedCertificateFileIsAppliedByItself(t *testing.T) {
	r, text, dir, first := tlsRig(t, rigOptions{})
	p := r.boot()
	if !holds(t, p.snapshot, first) {
		t.Fatal("the files are not in the snapshot")
	}
	r.write(strings.Replace(text, "/\"", "/other\"", 1)) // is nobody's business without --autoreload
	second := newPair(t)
	second.put(t, dir)
	next := r.expectProposal()
	if !holds(t, next.snapshot, second) || next.Class != ipc.ClassHot || next.Base != p.SHA {
		t.Errorf("proposed %+v", next.Propose)
	}
	if len(next.Changes) != 1 || next.Changes[0].Object != "certificate:a" || next.RequestedBy != "certificate files" {
		t.Errorf("changes %+v by %s", next.Changes, next.RequestedBy)
	}
	r.apply(next, 2)

	// What was live before comes back as it was: another change, not one that is known.
	first.put(t, dir)
	if again := r.expectProposal(); again.SHA != p.SHA {
		t.Errorf("sha %s, want %s", again.SHA, p.SHA)
	}
}

func TestAPairThatDoesNotFitIsRefusedUntilItFits(t *testing.T) {
	r, _, dir, _ := tlsRig(t, rigOptions{})
	r.boot()
	u := r.dial()
	second := newPair(t)
	replace(t, filepath.Join(dir, "fullchain.pem"), second.cert)
	refused := func() bool {
		s := r.status(u)
		return strings.Contains(s.Source.Refused, "the configuration has an error") && s.Source.By == "certificate files"
	}
	for begun := time.Now(); !refused(); {
		if time.Since(begun) > patience {
			t.Fatal("not refused")
		}
	}
	replace(t, filepath.Join(dir, "privkey.pem"), second.key)
	if p := r.expectProposal(); !holds(t, p.snapshot, second) {
		t.Error("another pair was proposed")
	}
}

func TestFilesThatChangedWhileControlWasGoneAreNoticed(t *testing.T) {
	r, text, dir, _ := tlsRig(t, rigOptions{})
	p := r.boot()
	r.stop()
	second := newPair(t)
	second.put(t, dir)
	r = newRig(t, text, rigOptions{start: &ipc.ControlStart{Version: 1, SHA: p.SHA}, live: p.snapshot})
	if next := r.expectProposal(); !holds(t, next.snapshot, second) {
		t.Error("another pair was proposed")
	}
}

func TestKeptVersionsAreWithoutKeyFilesAndRollBackToThoseOfNow(t *testing.T) {
	state := t.TempDir()
	r, text, dir, first := tlsRig(t, rigOptions{state: state})
	r.boot()
	u := r.dial()
	r.write(text + "[basic]\nname = 'other'\n")
	u.send(reload)
	r.apply(r.expectProposal(), 2)
	as[*ipc.Applied](t, u.receive())
	second := newPair(t)
	second.put(t, dir)
	r.apply(r.expectProposal(), 3)

	u.send(ipc.Rollback{Version: 1, Wait: true})
	p := r.expectProposal()
	if !holds(t, p.snapshot, second) {
		t.Error("a rollback brought another pair than that of the files")
	}
	r.apply(p, 4)
	as[*ipc.Applied](t, u.receive())

	files, err := filepath.Glob(filepath.Join(state, "versions", "*"))
	if err != nil || len(files) != 4 {
		t.Fatalf("%q, %v", files, err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range [][]byte{first.key, second.key} {
			if bytes.Contains(data, key[30:60]) {
				t.Errorf("%s holds a key", file)
			}
		}
	}
	d := wholeOf[history.Diff](u, ipc.ConfigRead{What: ipc.ConfigDiff, Version: 2, Other: 3})
	if len(d.Changes) != 1 || len(d.Changes[0].Keys) != 2 || !strings.Contains(d.Changes[0].Keys[0].New, "(contents changed)") {
		t.Errorf("%+v", d.Changes)
	}
	shown := wholeOf[history.Text](u, ipc.ConfigRead{What: ipc.ConfigShow, Version: 3, Secrets: true})
	if strings.Contains(shown.Config, "PRIVATE KEY") || !strings.Contains(shown.Config, dir) {
		t.Errorf("shown:\n%s", shown.Config)
	}
}
