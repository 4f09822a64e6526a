package source

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"pingap/config"
	"pingap/control/source/etcd"
	server "pingap/e2e/etcd"
)

// newEtcd starts an etcd, and returns where in it the configuration is.
func newEtcd(t *testing.T, options string) (*server.Server, Location) {
	t.Helper()
	if name := server.Missing(); name != "" {
		t.Skip("not installed: " + name)
	}
	s, err := server.New(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Kill)
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	loc, err := Parse("etcd://"+s.Address+"/pingap"+options, Base{Dir: "/"})
	if err != nil {
		t.Fatal(err)
	}
	return s, loc
}

func ctl(t *testing.T, s *server.Server, args ...string) string {
	t.Helper()
	out, err := s.Ctl(args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// following runs a Remote until the test ends.
func following(t *testing.T, loc Location) (*Remote, chan Change) {
	t.Helper()
	r, changes := NewRemote(loc), make(chan Change, 1000)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { r.Run(ctx, func(c Change) { changes <- c }) })
	t.Cleanup(func() { cancel(); wg.Wait() })
	return r, changes
}

// expectKeys waits until what is in etcd is what was reported last.
func expectKeys(t *testing.T, loc Location, changes chan Change) {
	t.Helper()
	docs, err := loc.Read()
	if err != nil {
		t.Fatal(err)
	}
	want := Digest(docs)
	w := watching{t: t, changes: changes}
	w.expect(func(c Change) bool { return c.Digest == want })
}

func TestKeysInEtcdAreDocuments(t *testing.T) {
	s, loc := newEtcd(t, "")
	if _, err := loc.Read(); !errors.Is(err, ErrEmpty) {
		t.Errorf("nothing: %v", err)
	}
	for _, key := range []string{"/pingap/servers/b.toml", "/pingap/basic.toml", "/pingap/servers/a.toml", "/pingap-history/basic.toml/1-1",
		"/pingap/.x.toml", "/pingap/readme", "/pingap2/basic.toml", "/pingap"} {
		ctl(t, s, "put", key, "# "+key)
	}
	docs, err := loc.Read()
	var names []string
	for _, d := range docs {
		names = append(names, d.Path)
		if string(d.Data) != "# "+strings.TrimPrefix(d.Path, "etcd:") {
			t.Errorf("%s: %q", d.Path, d.Data)
		}
	}
	if got := strings.Join(names, " "); err != nil || got != "etcd:/pingap/basic.toml etcd:/pingap/servers/a.toml etcd:/pingap/servers/b.toml" {
		t.Errorf("%s, %v", got, err)
	}
}

func TestALargeConfigurationIsReadInPartsAndBounded(t *testing.T) {
	_, loc := newEtcd(t, "")
	store := openStore(t, loc)
	var ops []Op
	for i := range 1500 {
		ops = append(ops, Op{Key: fmt.Sprintf("locations/l%05d.toml", i), Data: fmt.Appendf(nil, "[locations.l%05d]\n", i)})
	}
	big := bytes.Repeat([]byte("#"), 1<<20)
	for i := range 24 { // more than one answer takes
		if err := Put(context.Background(), store, fmt.Sprintf("servers/s%d.toml", i), big, ""); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.Txn(context.Background(), ops...); err != nil {
		t.Fatal(err)
	}
	docs, err := loc.Read()
	if err != nil || len(docs) != 1524 {
		t.Fatalf("%d documents, %v", len(docs), err)
	}
	client, err := etcd.Dial(context.Background(), loc.Etcd)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, _, err := client.Read(context.Background(), etcd.Limits{Keys: 1523, Bytes: MaxBytes}); !errors.Is(err, etcd.ErrTooMany) {
		t.Errorf("keys: %v", err)
	}
	if _, _, err := client.Read(context.Background(), etcd.Limits{Keys: MaxFiles, Bytes: 20 << 20}); !errors.Is(err, etcd.ErrTooLarge) {
		t.Errorf("bytes: %v", err)
	}
}

func TestChangesInEtcdAreReportedWhateverHappensToIt(t *testing.T) {
	s, loc := newEtcd(t, "?connect_timeout=1s")
	ctl(t, s, "put", "/pingap/basic.toml", "# 1")
	r, changes := following(t, loc)
	expectKeys(t, loc, changes)
	step := func(name string, change func()) {
		t.Helper()
		t.Log(name)
		change()
		expectKeys(t, loc, changes)
	}
	start := func() {
		t.Helper()
		if err := s.Start(); err != nil {
			t.Fatal(err)
		}
	}
	step("a change", func() { ctl(t, s, "put", "/pingap/basic.toml", "# 2") })
	step("a new key, one removed", func() { ctl(t, s, "put", "/pingap/a.toml", "# 3"); ctl(t, s, "del", "/pingap/basic.toml") })
	step("killed, started and changed", func() { s.Kill(); start(); ctl(t, s, "put", "/pingap/a.toml", "# 4") })
	if err := s.Snapshot(); err != nil {
		t.Fatal(err)
	}
	step("after the snapshot", func() { ctl(t, s, "put", "/pingap/a.toml", "# 5") })
	step("restored", func() {
		if err := s.Restore(); err != nil {
			t.Fatal(err)
		}
	})
	step("changed after that", func() { ctl(t, s, "put", "/pingap/a.toml", "# 6") })
	step("changed and compacted while it was away", func() {
		if err := s.Pause(); err != nil {
			t.Fatal(err)
		}
		(&watching{t: t, changes: changes}).expect(func(c Change) bool { return c.Err != nil })
		if st := r.State(); st.Err == nil || strings.Contains(st.Err.Error(), "password") {
			t.Errorf("%+v", st)
		}
		if err := s.Resume(); err != nil {
			t.Fatal(err)
		}
		ctl(t, s, "put", "/pingap/a.toml", "# 7")
		var answer []struct {
			Status struct{ Header struct{ Revision int64 } }
		}
		if err := json.Unmarshal([]byte(ctl(t, s, "endpoint", "status", "-w", "json")), &answer); err != nil || len(answer) != 1 {
			t.Fatal(err)
		}
		ctl(t, s, "compact", fmt.Sprint(answer[0].Status.Header.Revision))
	})
	step("emptied", func() {
		ctl(t, s, "del", "--prefix", "/pingap/")
		(&watching{t: t, changes: changes}).expect(func(c Change) bool { return errors.Is(c.Err, ErrEmpty) })
		ctl(t, s, "put", "/pingap/a.toml", "# 8")
	})
	if st := r.State(); st.Err != nil || st.Revision == 0 || st.Digest == "" {
		t.Errorf("%+v", st)
	}
}

// mayOnlyRead writes, which the user has no right to.
func mayOnlyRead(t *testing.T, loc Location) {
	t.Helper()
	s := openStore(t, loc)
	item, found, err := s.Get(t.Context(), "a.toml")
	if err != nil || !found || loc.Writable() != nil {
		t.Fatal(err, found, loc.Writable())
	}
	err = Put(t.Context(), s, "a.toml", []byte("# x"), item.Rev)
	if !errors.Is(err, ErrDenied) || !strings.Contains(err.Error(), "grant-permission") || strings.Contains(err.Error(), "right-one") {
		t.Errorf("a write without the right: %v", err)
	}
}

func TestAWrongPasswordIsRefusedAndNotRepeated(t *testing.T) {
	s, _ := newEtcd(t, "")
	for _, args := range [][]string{{"user", "add", "root:master"}, {"user", "grant-role", "root", "root"}, {"role", "add", "reader"},
		{"role", "grant-permission", "reader", "--prefix=true", "read", "/pingap/"}, {"user", "add", "node:right-one"},
		{"user", "grant-role", "node", "reader"}, {"put", "/pingap/a.toml", "# 1"}, {"auth", "enable"}} {
		ctl(t, s, args...)
	}
	s.User = "root:master"
	for password, good := range map[string]bool{"right-one": true, "wrong-one": false, "": false} {
		conf := "etcd://" + s.Address + "/pingap"
		if password != "" {
			conf += "?user=node&password=" + password
		}
		loc, err := Parse(conf, Base{Dir: "/"})
		if err != nil {
			t.Fatal(err)
		}
		_, err = loc.Read()
		if (err == nil) != good {
			t.Errorf("password %q: %v", password, err)
		}
		data, _ := json.Marshal(loc)
		for _, text := range []string{fmt.Sprint(err), loc.String(), string(data), fmt.Sprintf("%+v %#v", loc, loc), Redact("pingap -c " + conf + " --test")} {
			if strings.Contains(text, "-one") {
				t.Errorf("the password is in %s", text)
			}
		}
		if good {
			mayOnlyRead(t, loc)
			_, changes := following(t, loc)
			expectKeys(t, loc, changes)
			ctl(t, s, "put", "/pingap/a.toml", "# 2")
			expectKeys(t, loc, changes)
			// What was permitted ends: that is said, and what comes after is noticed again.
			ctl(t, s, "role", "revoke-permission", "--prefix=true", "reader", "/pingap/")
			(&watching{t: t, changes: changes}).expect(func(c Change) bool { return c.Err != nil })
			ctl(t, s, "role", "grant-permission", "reader", "--prefix=true", "read", "/pingap/")
			ctl(t, s, "put", "/pingap/a.toml", "# 3")
			expectKeys(t, loc, changes)
		}
	}
}

// pemFiles writes a certificate and its key, signed by a CA or by itself.
func pemFiles(t *testing.T, dir, name string, template x509.Certificate, ca *tls.Certificate) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber, template.Subject.CommonName = big.NewInt(time.Now().UnixNano()), name
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := &template, any(key)
	if ca != nil {
		parent, signer = ca.Leaf, ca.PrivateKey
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert, secret := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: private})
	write(t, filepath.Join(dir, name+".pem"), string(cert))
	write(t, filepath.Join(dir, name+".key"), string(secret))
	pair, err := tls.X509KeyPair(cert, secret)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

func TestEtcdIsSpokenToByTLSWithCertificatesOfBothSides(t *testing.T) {
	if name := server.Missing(); name != "" {
		t.Skip("not installed: " + name)
	}
	dir := t.TempDir()
	authority := x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	ca := pemFiles(t, dir, "ca", authority, nil)
	pemFiles(t, dir, "other", authority, nil)
	both := []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	pemFiles(t, dir, "server", x509.Certificate{DNSNames: []string{"etcd.test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: both}, &ca)
	pemFiles(t, dir, "client", x509.Certificate{ExtKeyUsage: both}, &ca)
	s, err := server.New(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s.Secure = server.Files{CA: dir + "/ca.pem", Cert: dir + "/server.pem", Key: dir + "/server.key"}
	t.Cleanup(s.Kill)
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	ctl(t, s, "put", "/pingap/a.toml", "# 1")
	for options, good := range map[string]bool{
		"ca=ca.pem&cert=client.pem&key=client.key":                         true,
		"tls=true&ca=ca.pem&cert=client.pem&key=client.key":                true,
		"ca=ca.pem&cert=client.pem&key=client.key&server_name=etcd.test":   true,
		"ca=ca.pem&cert=client.pem&key=client.key&server_name=another.one": false,
		"ca=ca.pem": false, // no certificate of the client
		"ca=other.pem&cert=client.pem&key=client.key": false,
		"ca=ca.pem&cert=client.pem&key=server.key":    false, // not its key
		"ca=ca.pem&cert=gone.pem&key=client.key":      false,
		"ca=ca.key":                                   false, // not a certificate
		"tls=true":                                    false, // a CA that nobody knows
		"":                                            false, // no TLS
	} {
		loc, err := Parse("etcd://"+s.Address+"/pingap?connect_timeout=1s&timeout=2s&"+options, Base{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		docs, err := loc.Read()
		if (err == nil && len(docs) == 1) != good {
			t.Errorf("%s: %v", options, err)
		}
		if err != nil && !strings.Contains(err.Error(), s.Address) {
			t.Errorf("%s: the error does not name etcd: %v", options, err)
		}
	}
}

// FuzzEtcdValues: whatever is in etcd, loading it ends with a configuration or with errors that name a key.
func FuzzEtcdValues(f *testing.F) {
	f.Add("servers/a.toml", []byte("[servers.a]\naddr = '127.0.0.1:1'\n"), "basic.toml", []byte("[basic]\n"))
	f.Add("servers/\xff\x00.toml", []byte("[servers.a"), "x/y/../z.toml", []byte{0xff})
	f.Add(".toml", []byte("a = 1"), "a.hcl", []byte("server {}"))
	f.Add("locations/\u2028.toml", []byte("[locations.\"a/b\"]\npath = '~('"), "", []byte(nil))
	f.Fuzz(func(t *testing.T, a string, one []byte, b string, two []byte) {
		loc := Location{Path: "etcd:/p", Etcd: etcd.Target{Hosts: "h:1", Path: "/p"}}
		docs, err := remoteDocuments(loc, []etcd.Entry{{Key: "/p/" + a, Value: one}, {Key: "/p/" + b, Value: two}})
		if err != nil {
			return
		}
		var in []config.Document
		for _, d := range docs {
			if strings.ContainsFunc(d.Path, func(r rune) bool { return r < ' ' || r == 0x7f }) || !strings.HasPrefix(d.Path, "etcd:/p/") {
				t.Fatalf("name %q", d.Path)
			}
			in = append(in, config.Document{Name: d.Path, Data: d.Data})
		}
		_, report := config.Load(in, config.Options{})
		for _, p := range report.Errors {
			if p.File == "" && p.Key == "" && p.Message == "" {
				t.Fatalf("an error that names nothing: %+v", p)
			}
		}
		if parts, report := config.Parts(in, true); len(report.Errors) == 0 {
			for _, part := range parts {
				if key, err := ByItem.KeyOf(part.Table, part.Name); err == nil && !ByItem.Canonical(key) {
					t.Fatalf("%q is written and then not known", key)
				}
			}
		}
	})
}

func FuzzEtcdURL(f *testing.F) {
	for _, text := range []string{"etcd://h:1,[::1]:2/p?timeout=1s&user=u&password=p", "etcds://h/a/b?ca=/x&enable_history=true", "etcd://", "etcd:///?%"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		target, err := etcd.Parse(text)
		if err != nil {
			return
		}
		again, err := etcd.Parse(target.URL())
		if err != nil || again != target {
			t.Fatalf("%q became %q: %+v, %v; want %+v", text, target.URL(), again, err, target)
		}
		if other, err := etcd.Parse(target.String()); err != nil || other.User != "" || other.Password != "" {
			t.Fatalf("%q shows as %q: %v", text, target.String(), err)
		}
	})
}
