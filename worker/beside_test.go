package worker

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pingap/config"
	"pingap/ipc"
	"pingap/worker/challenge"
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

func TestWhoWantsToKnowHearsOfKeysAndCertificates(t *testing.T) {
	var keys [][]byte
	var issued map[string]challenge.Issued
	w := &worker{beside: beside{onTickets: func(k [][]byte) { keys = k }, onIssued: func(m map[string]challenge.Issued) { issued = m }}}
	w.takeTickets(&ipc.TicketKeys{Keys: []ipc.Secret{make(ipc.Secret, ipc.TicketKeySize)}})
	body, err := json.Marshal(ipc.Certificate{Domains: []string{"a.test"}, Chain: ipc.Secret("chain"), Key: ipc.Secret("key")})
	if err != nil {
		t.Fatal(err)
	}
	w.takeState(&ipc.State{Items: []ipc.StateItem{{Kind: ipc.StateCertificate, Key: "x", Body: body}}})
	if len(keys) != 1 || string(issued["x"].Chain) != "chain" || string(issued["x"].PrivateKey) != "key" {
		t.Errorf("heard of %d keys and %d certificates", len(keys), len(issued))
	}
}

func TestBackendsComeBesideTheConfiguration(t *testing.T) {
	up, other := newBackend(t), newBackend(t)
	b := newBoss(t, nil)
	b.start(config1("web.test:80"), nil)
	list := func(name string, addrs ...string) ipc.StateItem {
		u := &config.Upstream{Name: "up", Addrs: []string{name}}
		e := ipc.Endpoints{Upstream: "up", Source: u.Source()}
		for _, a := range addrs {
			e.List = append(e.List, ipc.Endpoint{Address: a, Weight: 1})
		}
		body, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		return ipc.StateItem{Kind: ipc.StateEndpoints, Key: "up@" + e.Source, Body: body}
	}
	if got := b.tell(ipc.State{All: true, Items: []ipc.StateItem{list("web.test:80", up.addr), tokenItem("tok", "yes")}}); len(got.Missing) > 0 {
		t.Fatalf("before it accepts: %+v", got)
	}
	b.activate()
	c := b.dial()
	if got := c.get("/x"); got != "200 from backend" {
		t.Errorf("as soon as it accepts: %s", got)
	}
	b.tell(ipc.State{Items: []ipc.StateItem{list("next.test:80", other.addr)}}) // of an upstream that is not there yet
	b.apply(b.load(config1("next.test:80")))
	if got := c.get("/x"); got != "200 from backend" {
		t.Errorf("after the change it was for: %s", got)
	}
	b.tell(ipc.State{Items: []ipc.StateItem{list("next.test:80")}})
	if got := c.get("/x"); !strings.HasPrefix(got, "503") {
		t.Errorf("without backends: %s", got)
	}
	b.tell(ipc.State{All: true, Kinds: []string{ipc.StateEndpoints}, Items: []ipc.StateItem{list("next.test:80", other.addr)}})
	if got := c.get("/x"); got != "200 from backend" {
		t.Errorf("with one again: %s", got)
	}
	if got := c.get("/.well-known/acme-challenge/tok"); got != "200 yes" {
		t.Errorf("all of one kind is told, and another is forgotten: %s", got)
	}
	bad := list("next.test:80", "nowhere")
	if got := b.tell(ipc.State{Items: []ipc.StateItem{bad}}); len(got.Missing) != 1 || c.get("/x") != "200 from backend" {
		t.Errorf("a list that makes no sense: %+v", got)
	}
}
