package control

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"

	"pingap/ipc"
)

func TestStatusAddsWhatOnlyControlKnows(t *testing.T) {
	r := newRig(t, base, rigOptions{})
	r.boot()
	u := r.dial()
	status := func() *ipc.StatusAll {
		t.Helper()
		u.send(ipc.StatusRequest{})
		m := r.receive()
		as[*ipc.StatusRequest](t, m.Body)
		r.send(m.Txn, ipc.StatusAll{State: "running", Version: 1, Processes: []ipc.Process{{Kind: ipc.RoleControl, PID: os.Getpid()}}})
		return as[*ipc.StatusAll](t, u.receive())
	}
	first := status()
	if s := first.Source; s.Differs || s.Location != r.conf || s.Watch != "none" || s.By != "start" || s.Refused != "" || s.Loaded.IsZero() {
		t.Errorf("source %+v", s)
	}
	if v := first.Versions; len(v) != 1 || v[0].Version != 1 || v[0].By != "start" || len(v[0].Changes) != 3 {
		t.Errorf("versions %+v", v)
	}
	if first.Processes[0].Status == nil || first.Processes[0].Status.RSS < 1<<20 {
		t.Errorf("%+v", first)
	}
	r.write(base + "# a comment\n")
	if s := status().Source; !s.Differs {
		t.Errorf("source %+v after a change", s)
	}
	// A reload finds that it means the same, and from then on the source agrees.
	if a := as[*ipc.Applied](t, u.ask(reload)); !a.Unchanged {
		t.Errorf("%+v", a)
	}
	if s := status().Source; s.Differs {
		t.Errorf("source %+v after a reload", s)
	}
	r.write("[broken")
	as[*ipc.Refused](t, u.ask(reload))
	if s := status().Source; !s.Differs || s.Refused == "" || !strings.HasPrefix(s.By, "reload by") {
		t.Errorf("source %+v after a refusal", s)
	}
	if err := os.Remove(r.conf); err != nil {
		t.Fatal(err)
	}
	if s := status().Source; !strings.Contains(s.Error, "does not exist") {
		t.Errorf("source %+v without a file", s)
	}
}

func TestReopenAndStopAreRelayed(t *testing.T) {
	r := newRig(t, base, rigOptions{})
	r.boot()
	u := r.dial()

	u.send(ipc.Reopen{})
	m := r.receive()
	as[*ipc.Reopen](t, m.Body)
	r.send(m.Txn, ipc.Reopened{Paths: []string{"/a"}})
	if a := as[*ipc.Reopened](t, u.receive()); len(a.Paths) != 1 {
		t.Errorf("%+v", a)
	}

	u.send(ipc.Stop{Fast: true})
	m = r.receive()
	if s := as[*ipc.Stop](t, m.Body); !s.Fast || !strings.HasPrefix(s.Who, "uid ") {
		t.Errorf("%+v", s)
	}
	r.send(m.Txn, ipc.Stopping{Timeout: 7})
	if a := as[*ipc.Stopping](t, u.receive()); a.Timeout != 7 {
		t.Errorf("%+v", a)
	}
	r.send(0, ipc.Stop{})
	if err := r.wait(); err != nil {
		t.Error(err)
	}
	if _, err := u.conn.Receive(context.Background()); !errors.Is(err, io.EOF) {
		t.Errorf("after the end: %v, want EOF", err)
	}
}

// A client that does not speak the protocol, or asks for what it may not, hurts
// itself only.
func TestBadClientsAreCutOff(t *testing.T) {
	r := newRig(t, base, rigOptions{})
	r.boot()
	conn, err := net.Dial("unixpacket", r.sock)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("GET / HTTP/1.1\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("read %v, want EOF", err)
	}
	u := r.dial()
	if a := as[*ipc.Unknown](t, u.ask(ipc.Commit{})); a.Of != ipc.TypeCommit {
		t.Errorf("%+v", a)
	}
	if a := as[*ipc.Applied](t, u.ask(reload)); !a.Unchanged {
		t.Errorf("%+v", a)
	}
}

// Clients beyond the limit wait, and are served when others leave.
func TestClientsBeyondTheLimitWait(t *testing.T) {
	r := newRig(t, base, rigOptions{})
	r.boot()
	var users []*user
	for range maxClients {
		u := r.dial()
		as[*ipc.Unknown](t, u.ask(ipc.Commit{})) // it is being served
		users = append(users, u)
	}
	late := r.dial()
	late.send(ipc.Commit{})
	users[0].conn.Close()
	as[*ipc.Unknown](t, late.receive())
}

func TestReloadWithoutWaitingIsAnsweredAtOnce(t *testing.T) {
	r := newRig(t, base, rigOptions{})
	r.boot()
	r.write(with(t, "127.0.0.1:9", "127.0.0.1:10"))
	as[*ipc.Ready](t, r.dial().ask(ipc.Reload{}))
	r.expectProposal()
}
