package control

import (
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"pingap/control/endpoints"
	"pingap/ipc"
)

// served is an address that accepts connections, and how to end it.
func served(t *testing.T) (string, func()) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String(), func() { l.Close() }
}

func upstreams(addrs ...string) string {
	text := "[servers.web]\naddr = \"127.0.0.1:6199\"\nlocations = [\"l\"]\n[locations.l]\nupstream = \"u\"\n[upstreams.u]\n" +
		"health_check = \"tcp://x/?check_frequency=1s&failure=1\"\naddrs = ["
	for _, a := range addrs {
		text += fmt.Sprintf("%q,", a)
	}
	return text + "]\n"
}

// backends are the lists of the upstream that have been told, by source.
func (r *rig) backends() map[string]ipc.Endpoints {
	r.t.Helper()
	all := map[string]ipc.Endpoints{}
	for _, i := range r.items {
		var e ipc.Endpoints
		if i.Kind != ipc.StateEndpoints {
			continue
		}
		if err := json.Unmarshal(i.Body, &e); err != nil {
			r.t.Fatal(err)
		}
		all[e.Source] = e
	}
	return all
}

// serve is the supervisor, which takes what it is told, until the condition holds.
func (r *rig) serve(what string, ok func() bool) {
	r.t.Helper()
	for end := time.Now().Add(patience); !ok(); {
		if time.Now().After(end) {
			r.t.Fatalf("never: %s; items %v", what, r.backends())
		}
		r.turn()
	}
}

// turn takes one message, if one comes soon.
func (r *rig) turn() {
	r.t.Helper()
	m := r.receiveSoon()
	if m == nil {
		return
	}
	defer m.Close()
	if r.aboutBackends(m) {
		return
	}
	switch b := m.Body.(type) {
	case *ipc.Status:
	case *ipc.StatusRequest:
		r.send(m.Txn, ipc.StatusAll{State: "running"})
	default:
		r.t.Fatalf("%T %+v", b, b)
	}
}

func (r *rig) only() ipc.Endpoints {
	all := r.backends()
	for _, e := range all {
		if len(all) == 1 {
			return e
		}
	}
	return ipc.Endpoints{}
}

// during asks as a client while the supervisor serves.
func (r *rig) during(body ipc.Body) ipc.Body {
	r.t.Helper()
	u := r.dial()
	answer := make(chan ipc.Body, 1)
	u.send(body)
	go func() { answer <- u.receive() }()
	var got ipc.Body
	r.serve("an answer", func() bool {
		select {
		case got = <-answer:
			return true
		default:
			return false
		}
	})
	return got
}

func TestBackendsAreToldBeforeTheProposalAndHealthAfterwards(t *testing.T) {
	one, end := served(t)
	two, _ := served(t)
	r := newRig(t, upstreams(one, two), rigOptions{})
	r.boot()
	first := r.only()
	if len(first.List) != 2 || first.List[0].Health != ipc.Healthy {
		t.Fatalf("before the proposal: %+v", r.backends())
	}
	end()
	r.serve("an unhealthy backend", func() bool { return r.only().List[0].Health == ipc.Unhealthy })
	l, err := net.Listen("tcp4", one)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	r.serve("a healthy backend", func() bool { e := r.only().List[0]; return e.Health == ipc.Healthy && !e.Since.IsZero() })
}

func TestBackendsOfARefusedProposalAreWithdrawn(t *testing.T) {
	one, _ := served(t)
	two, _ := served(t)
	r := newRig(t, upstreams(one), rigOptions{})
	r.boot()
	r.write(upstreams(two))
	r.send(0, ipc.Reload{})
	p := r.expectProposal()
	if len(r.backends()) != 2 {
		t.Errorf("while it is proposed: %+v", r.backends())
	}
	r.send(p.txn, ipc.Refused{Code: ipc.CodeResources, Reason: "no"})
	r.serve("one list", func() bool { return len(r.backends()) == 1 })
	if got := r.only().List[0].Address; got != one {
		t.Errorf("%s is left", got)
	}
	r.send(0, ipc.Reload{})
	r.apply(r.expectProposal(), 2)
	r.serve("the other list", func() bool { e := r.only(); return len(e.List) == 1 && e.List[0].Address == two })
}

func TestADrainSurvivesACrashOfControl(t *testing.T) {
	one, _ := served(t)
	two, _ := served(t)
	r := newRig(t, upstreams(one, two), rigOptions{})
	p := r.boot()
	r.serve("a live configuration", func() bool {
		_, ok := r.during(ipc.ConfigRead{What: ipc.ConfigUpstreams, Name: "u"}).(*ipc.ConfigPart)
		return ok
	})
	changed := as[*ipc.UpstreamChanged](t, r.during(ipc.UpstreamAdmin{Upstream: "u", Address: two, Admin: ipc.AdminDrain}))
	if changed.Address != two || changed.Problem != "" || r.only().List[1].Admin != ipc.AdminDrain {
		t.Fatalf("%+v, told %+v", changed, r.only())
	}
	var kept []ipc.StateItem
	for _, i := range r.items {
		kept = append(kept, i)
	}
	n := newRig(t, upstreams(one, two), rigOptions{start: &ipc.ControlStart{Version: 1, SHA: p.SHA, Items: len(kept)}, live: p.snapshot, items: kept})
	n.answerAll()
	part := as[*ipc.ConfigPart](t, n.during(ipc.ConfigRead{What: ipc.ConfigUpstreams, Name: "u"}))
	var l endpoints.List
	if err := json.Unmarshal(part.Data, &l); err != nil || len(l.Upstreams) != 1 || len(l.Upstreams[0].Backends) != 2 {
		t.Fatalf("%s, %v", part.Data, err)
	}
	drained := 0
	for _, b := range l.Upstreams[0].Backends {
		if b.Admin == "drain" && b.Address == two && strings.HasPrefix(b.By, "uid ") {
			drained++
		}
	}
	if drained != 1 {
		t.Errorf("%+v", l)
	}
	all := as[*ipc.StatusAll](t, n.during(ipc.StatusRequest{}))
	if !strings.Contains(strings.Join(all.Notes, "\n"), "1 backend is out of service: u "+two) {
		t.Errorf("notes %q", all.Notes)
	}
	if r := as[*ipc.Refused](t, n.during(ipc.UpstreamAdmin{Upstream: "u", Address: "127.0.0.9:1", Admin: ipc.AdminDrain})); !strings.Contains(r.Reason, one) {
		t.Errorf("%+v", r)
	}
	as[*ipc.UpstreamChanged](t, n.during(ipc.UpstreamAdmin{Upstream: "u", Address: two, Admin: ipc.AdminUp}))
	if e := n.only(); e.List[1].Admin != ipc.AdminUp {
		t.Errorf("%+v", e)
	}
}

// answerAll takes control through its start after a crash: certificates are told, and no proposal comes.
func (r *rig) answerAll() {
	r.t.Helper()
	if s := r.answerState(); !s.All || s.Replaces(ipc.StateEndpoints) || !s.Replaces(ipc.StateToken) {
		r.t.Errorf("%+v", s)
	}
}
