package e2e

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"testing"
	"time"

	"pingap/e2e/pebble"
)

// secureConf serves text at addr over TLS, with a certificate of its own.
func secureConf(t *testing.T, addr, text string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"a.test"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return insert(mockConf(addr, text), "servers.web", "global_certificates = true") + fmt.Sprintf("[certificates.own]\ntls_cert = '''%s'''\ntls_key = '''%s'''\n",
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
}

// firstSession is a cache that holds the first session there was.
type firstSession struct{ state *tls.ClientSessionState }

func (f *firstSession) Get(string) (*tls.ClientSessionState, bool) { return f.state, f.state != nil }
func (f *firstSession) Put(_ string, s *tls.ClientSessionState) {
	if f.state == nil {
		f.state = s
	}
}

// secureGet makes a request over TLS and returns how the handshake went.
func secureGet(addr string, c *tls.Config) (tls.ConnectionState, error) {
	var none tls.ConnectionState
	conn, err := tls.Dial("tcp", addr, c)
	if err != nil {
		return none, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return none, err
	}
	if _, err := fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n"); err != nil {
		return none, err
	}
	r, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return none, err
	}
	defer r.Body.Close()
	if r.StatusCode != 200 {
		return none, errors.New(r.Status)
	}
	return conn.ConnectionState(), nil
}

// A ticket that some worker gave is good at all workers, and after whatever happens to them and to the supervisor.
func TestASessionIsResumedWhateverHappens(t *testing.T) {
	t.Parallel()
	addr := freePort(t)
	i := startOwn(t, secureConf(t, addr, "x"))
	sessions := map[uint16]*tls.Config{}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		sessions[version] = &tls.Config{ServerName: "a.test", InsecureSkipVerify: true, MaxVersion: version, ClientSessionCache: &firstSession{}}
		if state, err := secureGet(addr, sessions[version]); err != nil || state.DidResume {
			t.Fatalf("first: %v, resumed %t", err, state.DidResume)
		}
	}
	resumed := func(after string) {
		t.Helper()
		for version, c := range sessions {
			for range 8 { // by both workers, most likely
				if state, err := secureGet(addr, c); err != nil || !state.DidResume {
					t.Errorf("after %s, %s: %v, resumed %t", after, tls.VersionName(version), err, state.DidResume)
				}
			}
		}
	}
	resumed("nothing")
	i.roll()
	resumed("a roll")
	var before []int // those that drain end by themselves
	for _, w := range i.status().active() {
		before = append(before, w.PID)
		signalPID(t, w.PID, syscall.SIGKILL)
	}
	i.eventually("fresh workers", func() error {
		now, err := i.tryStatus()
		if err == nil && (now.State != "running" || len(now.workers()) != 2 || slices.ContainsFunc(now.pids(), func(pid int) bool { return slices.Contains(before, pid) })) {
			err = fmt.Errorf("workers %v, before %v", now.pids(), before)
		}
		return err
	})
	resumed("the end of both workers")
	i.killSupervisor()
	resumed("the end of the supervisor")
	i.again()
	i.waitRunning()
	resumed("another supervisor")
	i.roll()
	resumed("a roll by that")
	i.mustVerb("upgrade", "--wait")
	i.waitRunning()
	resumed("an upgrade")
	i.roll()
	resumed("a roll after it")
}

// Certificates of a CA are served, the same one after a full stop at the first handshake.
func TestIssuedCertificatesAreServed(t *testing.T) {
	t.Parallel()
	for challenge, forTLS := range map[string]bool{"http-01": false, "tls-alpn-01": true} {
		t.Run(challenge, func(t *testing.T) {
			t.Parallel()
			plain, secure := freePort(t), freePort(t)
			opt := pebble.Options{HTTPPort: portOf(t, plain), TLSPort: 1}
			if forTLS {
				opt = pebble.Options{HTTPPort: 1, TLSPort: portOf(t, secure)}
			}
			ca := pebble.Start(t, opt)
			conf := "[basic]\nacme_http_addr = ''\n" + acmeConf(plain, ca, map[string]string{"one": "a.test"}) + fmt.Sprintf("challenge = %q\n", challenge) +
				fmt.Sprintf("[servers.secure]\naddr = %q\nglobal_certificates = true\nlocations = ['all']\n", secure)
			i := start(t, conf)
			i.issued("one")
			roots := x509.NewCertPool()
			roots.AppendCertsFromPEM(ca.Root(t))
			c := &tls.Config{ServerName: "a.test", RootCAs: roots}
			var serial *big.Int
			i.eventually("the certificate", func() error {
				state, err := secureGet(secure, c)
				if err == nil {
					serial = state.PeerCertificates[0].SerialNumber
				}
				return err
			})
			i = i.stopAndStart()
			state, err := secureGet(secure, c)
			if err != nil {
				t.Fatalf("at the first handshake after a stop: %v", err)
			}
			if got := state.PeerCertificates[0].SerialNumber; got.Cmp(serial) != 0 {
				t.Errorf("another certificate: %x, before %x", got, serial)
			}
			i.mustVerb("stop", "--fast")
			if !i.endsWithin(patience) {
				t.Fatal("pingap did not end")
			}
			path := i.conf
			i = launchAs(t, i.dir, func(cmd *exec.Cmd) { cmd.Env = append(os.Environ(), "PINGAP_DISABLE_ACME=1") }, "-c", path, "--workers", "2")
			i.waitRunning()
			if _, err := secureGet(secure, c); err != nil {
				t.Errorf("where nothing is requested: %v", err)
			}
		})
	}
}

// An issued certificate is served by whichever worker, at its first handshake, after whatever happens; the CA is not asked again.
func TestAnIssuedCertificateStaysWhateverHappens(t *testing.T) {
	t.Parallel()
	plain, secure := freePort(t), freePort(t)
	ca := pebble.Start(t, pebble.Options{HTTPPort: portOf(t, plain), TLSPort: 1})
	i := startOwn(t, "[basic]\nacme_http_addr = ''\n"+acmeConf(plain, ca, map[string]string{"one": "a.test"})+
		fmt.Sprintf("challenge = 'http-01'\n[servers.secure]\naddr = %q\nglobal_certificates = true\nlocations = ['all']\n", secure))
	i.issued("one")
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca.Root(t))
	c := &tls.Config{ServerName: "a.test", RootCAs: roots}
	var first tls.ConnectionState
	i.eventually("the certificate with the workers", func() (err error) {
		first, err = secureGet(secure, c)
		return err
	})
	for _, fault := range []struct {
		name string
		do   func()
	}{
		{"a roll", func() { i.roll() }},
		{"the end of both workers", func() {
			for _, w := range i.status().workers() {
				i.kill(w.PID)
			}
		}},
		{"the end of control", func() { i.kill(i.status().of("control")[0].PID) }},
		{"the end of the supervisor", func() {
			i.killSupervisor()
			i.again()
		}},
		{"an upgrade", func() { i.mustVerb("upgrade", "--wait") }},
		{"a roll after it", func() { i.roll() }},
	} {
		fault.do()
		i.eventually("control", func() error {
			_, err := i.tryStatus()
			return err
		})
		for range 12 { // by both workers, most likely
			state, err := secureGet(secure, c)
			if err != nil || !state.PeerCertificates[0].Equal(first.PeerCertificates[0]) {
				t.Errorf("after %s: %v, another certificate %t", fault.name, err, err == nil)
			}
		}
		i.waitRunning()
	}
}
