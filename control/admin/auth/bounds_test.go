package auth

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
)

func TestTheTableOfAddressesIsBoundedAndKeepsWhoIsLockedOut(t *testing.T) {
	l := lockout{fails: map[string]*failing{}}
	now := time.Now()
	for range 3 {
		l.failed("10.0.0.1", 3, now)
	}
	for i := range 3 * maxFailing {
		l.failed(fmt.Sprintf("10.1.%d.%d", i/256, i%256), 3, now.Add(time.Second))
	}
	if len(l.fails) > maxFailing || l.left("10.0.0.1", now.Add(2*time.Second)) <= 0 {
		t.Errorf("%d addresses; locked out: %v", len(l.fails), l.left("10.0.0.1", now))
	}
}

func TestAddressesOfOneNetworkCountAsOne(t *testing.T) {
	for _, c := range [][2]string{{"2001:db8::1", "2001:db8::ffff:1"}, {"::ffff:10.0.0.1", "10.0.0.1"}, {"unix:", "unix:"}} {
		if network(c[0]) != network(c[1]) {
			t.Errorf("%s and %s", c[0], c[1])
		}
	}
	if network("10.0.0.1") == network("10.0.0.2") || network("2001:db8::1") == network("2001:db8:0:1::1") {
		t.Error("different addresses are one")
	}
}

func TestSessionsAreBounded(t *testing.T) {
	g := newGate(t)
	var first string
	for i := range maxOfUser + 10 {
		token, err := g.sessions.open("p", g.guards["p"].users["alice"], g.now().Add(time.Duration(i)*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = token
		}
	}
	if len(g.sessions.bySum) != maxOfUser {
		t.Errorf("%d of one user", len(g.sessions.bySum))
	}
	if _, _, ok := g.sessions.find("p", first, g.guards["p"].Settings, g.now()); ok {
		t.Error("the oldest is there still")
	}
	for i := range maxSessions {
		u := g.guards["p"].users["alice"]
		u.Name = fmt.Sprint(i)
		if _, err := g.sessions.open("p", u, g.now()); err != nil {
			t.Fatal(err)
		}
	}
	if len(g.sessions.bySum) != maxSessions {
		t.Errorf("%d in all", len(g.sessions.bySum))
	}
}

func TestTheAuditLogIsBoundedAndPlain(t *testing.T) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	a := &audit{log: zap.NewNop()}
	if err := a.keep(root); err != nil {
		t.Fatal(err)
	}
	for range 12_000 {
		a.add(Entry{User: "alice", Path: strings.Repeat("x", 1000), Result: "ok\x1b[31m\n\u202e"})
	}
	for _, name := range []string{auditFile, auditBefore} {
		data, err := os.ReadFile(dir + "/" + name)
		if err != nil || len(data) > maxAuditFile || strings.ContainsAny(string(data), "\x1b\u202e") {
			t.Errorf("%s: %d bytes, %v", name, len(data), err)
		}
	}
	if last := a.last(maxAudit + 1); len(last) != maxAudit || last[0].Result != `ok\u001b[31m\u000a\u202e` || len(last[0].Path) > maxWord+3 {
		t.Errorf("%d entries, %+v", len(last), last[0])
	}
}

func TestStrangersDoNotPushOutWhatWasDone(t *testing.T) {
	a := &audit{log: zap.NewNop()}
	at := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	a.add(Entry{At: at, User: "alice"})
	for range 10 * maxAudit {
		a.stranger(Entry{At: at})
	}
	if n := len(a.entries); n != strangers+1 {
		t.Errorf("%d entries", n)
	}
	a.stranger(Entry{At: at.Add(time.Hour)})
	if n := len(a.entries); n != strangers+2 {
		t.Errorf("%d entries after an hour", n)
	}
}
