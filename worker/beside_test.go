package worker

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"pingap/config"
	"pingap/ipc"
	"pingap/worker/certs"
)

func (b *boss) tell(s ipc.State) *ipc.StateTaken {
	b.t.Helper()
	b.send(s)
	return receive[*ipc.StateTaken](b)
}

func tokenItem(key, body string) ipc.StateItem {
	return ipc.StateItem{Kind: ipc.StateToken, Key: key, Body: ipc.Secret(body)}
}

func TestAChallengeIsAnsweredBeforeAllLocations(t *testing.T) {
	up := newBackend(t)
	b := newBoss(t, nil)
	b.start(config1(up.addr), nil)
	if got := b.tell(ipc.State{All: true, Items: []ipc.StateItem{tokenItem("tok", "tok.thumb")}}); len(got.Missing) > 0 {
		t.Fatalf("before it accepts: %+v", got)
	}
	b.activate()
	c := b.dial()
	const path = "/.well-known/acme-challenge/"
	if got := c.get(path + "tok"); got != "200 tok.thumb" {
		t.Errorf("known: %s", got)
	}
	if got := c.get(path + "other"); got != "200 from backend" {
		t.Errorf("unknown: %s", got)
	}
	b.apply(b.load(config2(up.addr)))
	if got := c.get(path + "tok"); got != "200 tok.thumb" {
		t.Errorf("after a change of the configuration: %s", got)
	}
	gone := tokenItem("tok", "")
	gone.Gone = true
	b.tell(ipc.State{Items: []ipc.StateItem{gone}})
	if got := c.get(path + "tok"); got != "200 from backend" {
		t.Errorf("withdrawn: %s", got)
	}
}

func TestItemsThatMakeNoSenseAreNamedAndTheRestTaken(t *testing.T) {
	up := newBackend(t)
	b := hire(t, config1(up.addr), nil)
	got := b.tell(ipc.State{Items: []ipc.StateItem{
		{Kind: "news", Key: "n"}, {Kind: ipc.StateALPNCertificate, Key: "a.test", Body: ipc.Secret("tellnobody")},
		tokenItem("../up", "x"), tokenItem("tok", "yes"),
	}})
	text := strings.Join(got.Missing, " ")
	for _, want := range []string{"news", "a.test", "../up"} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is not named in %q", want, text)
		}
	}
	if strings.Contains(text, "tellnobody") {
		t.Errorf("a secret in %q", text)
	}
	if got := b.dial().get("/.well-known/acme-challenge/tok"); got != "200 yes" {
		t.Errorf("the rest: %s", got)
	}
}

func TestTicketKeysAreShownToWhoeverComesToTheRescue(t *testing.T) {
	b, path := rescued(t, config1("127.0.0.1:1"), nil)
	one, two := ipc.Secret(strings.Repeat("1", ipc.TicketKeySize)), ipc.Secret(strings.Repeat("2", ipc.TicketKeySize))
	b.send(ipc.TicketKeys{Keys: []ipc.Secret{one, two}})
	b.send(ipc.TicketKeys{Keys: []ipc.Secret{one[1:]}}) // makes no sense
	b.tell(ipc.State{})                                 // both have been read
	next := successor(t, path)
	b.conn.Close()
	_, o := orphan(t, next)
	if !slices.EqualFunc(o.Tickets.Keys, []ipc.Secret{one, two}, func(a, b ipc.Secret) bool { return string(a) == string(b) }) {
		t.Errorf("shown %d keys", len(o.Tickets.Keys))
	}
	if text := fmt.Sprintf("%v %+v %#v %s %q", o.Tickets, o, o.Tickets.Keys, one, one); strings.Contains(text, "1111") {
		t.Error("keys are printed")
	}
	b.takeOver(next, 1)
}

func TestIssuedCertificatesAreServedWhereTheConfigurationWantsThem(t *testing.T) {
	cfg, report := config.Load([]config.Document{{Name: "t.toml", Data: []byte("[certificates.x]\nacme = 'lets_encrypt'\ndomains = 'a.test'\n")}},
		config.Options{NoACME: true})
	if len(report.Errors) > 0 {
		t.Fatal(report.Errors)
	}
	data, _ := config.Encode(cfg)
	snapshot, err := config.OpenSnapshot(data)
	if err != nil {
		t.Fatal(err)
	}
	set, err := certs.NewSet(snapshot, nil, func() {})
	if err != nil {
		t.Fatal(err)
	}
	w := &worker{log: zap.NewNop(), beside: beside{sessions: certs.NewTickets()}}
	served := func() bool {
		pair, err := w.beside.certs.Certificate(&tls.ClientHelloInfo{ServerName: "a.test", SupportedVersions: []uint16{tls.VersionTLS13},
			SignatureSchemes: []tls.SignatureScheme{tls.ECDSAWithP256AndSHA256}})
		return pair != nil && err == nil
	}
	take := func(s ipc.State, wrong int) {
		t.Helper()
		if got := w.takeState(&s).(ipc.StateTaken); len(got.Missing) != wrong {
			t.Errorf("%+v", got)
		}
	}
	item := ipc.StateItem{Kind: ipc.StateCertificate, Key: "x", Body: issuedBody(t)}
	take(ipc.State{All: true, Items: []ipc.StateItem{item}}, 0) // before the first site is live
	w.beside.certs.Use(set)
	if !served() {
		t.Error("not served")
	}
	broken := item
	broken.Body = ipc.Secret(`{"chain":"AAAA","key":"AAAA"}`)
	take(ipc.State{Items: []ipc.StateItem{broken}}, 1)
	if !served() {
		t.Error("what was good before is not served any more")
	}
	take(ipc.State{All: true}, 0)
	if served() {
		t.Error("served after it was withdrawn")
	}
}

func issuedBody(t *testing.T) ipc.Secret {
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
	body, err := json.Marshal(ipc.Certificate{Domains: []string{"a.test"}, Chain: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		Key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})})
	if err != nil {
		t.Fatal(err)
	}
	return body
}
