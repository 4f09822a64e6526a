package e2e

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"pingap/e2e/load"
)

// Load: calls of gRPC that go on for a minute, a message each 20 ms. Fault: rolls, after which they may go on for a second. Expected: 0 failed: each call ends
// with UNAVAILABLE after a whole message, and is made again.
func TestFaultCallsEndBetweenMessages(t *testing.T) {
	count := faultTest(t, 2, 20)
	addr, dir, up := freePort(t), workDir(t), newUpstream(t)
	newIdentity(t, nil, "load.test").put(t, dir)
	i := start(t, secureProxyFor(addr, dir, up, manyGenerations, quickDrain, "grace_period = \"1s\"\ndrain_long_timeout = \"1s\"\n"))
	const links, calls = 2, 10
	l := startFaultLoad(t, addr, up, load.Mix{Kind: load.Calls, Clients: links, Streams: calls / links, Pause: 20 * time.Millisecond, Takes: time.Minute})
	defer func() {
		if t.Failed() {
			t.Logf("load:\n%s", l.Report())
		}
	}()
	for n := range count {
		i.roll()
		i.eventually("the calls' end", func() error {
			k := l.Report().Kinds[load.Calls]
			if again := k.Reopened + k.Moved; again < uint64((calls+links)*(n+1)) {
				return fmt.Errorf("%d calls and connections have ended", again)
			}
			return nil
		})
	}
	if r := l.stopped(); r.Err() != nil {
		t.Error(r.Err())
	}
	i.eventually("the end of draining", i.noneDrains)
	for _, r := range i.history().Records {
		if r.Kind == "roll" && r.Cut == 0 {
			t.Errorf("entry %d of the ledger counts nothing that was cut", r.ID)
		}
	}
}

// Load: connections over TLS that have had an answer and rest. Fault: a roll. Expected: half of them are asked again within the idle grace and answered, by an answer that closes
// them; the other half is closed after it. All of them end with TLS's own goodbye.
func TestFaultIdleConnectionsOfTLSStayUsableForAWhile(t *testing.T) {
	faultTest(t, 1, 1)
	addr, dir, up := freePort(t), workDir(t), newUpstream(t)
	newIdentity(t, nil, "load.test").put(t, dir)
	i := start(t, secureProxyFor(addr, dir, up, "\n[basic]\ndrain_idle_grace = \"3s\"\ndrain_spread = \"1s\"\n"))
	const many = 40
	type idle struct {
		*tls.Conn
		in *bufio.Reader
	}
	var all []idle
	ask := func(c idle, close bool) error {
		_ = c.SetDeadline(time.Now().Add(patience))
		if _, err := io.WriteString(c, get("/echo")); err != nil {
			return err
		}
		r, err := http.ReadResponse(c.in, nil)
		if err != nil {
			return err
		}
		defer r.Body.Close()
		if _, err := io.Copy(io.Discard, r.Body); err != nil || r.StatusCode != 200 || r.Close != close {
			return fmt.Errorf("%s, close %t, %w", r.Status, r.Close, err)
		}
		return nil
	}
	for range many {
		conn := tls.Client(dial(t, addr).conn, anyCertificate("load.test"))
		c := idle{conn, bufio.NewReader(conn)}
		if err := ask(c, false); err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	time.Sleep(time.Second) // that they rest is the load
	rolled := time.Now()
	i.roll()
	time.Sleep(1900 * time.Millisecond) // likewise
	for n, c := range all[:many/2] {
		if err := ask(c, true); err != nil {
			t.Errorf("connection %d, %v after the roll: %v", n, time.Since(rolled), err)
		}
	}
	if asked := time.Since(rolled); asked > 3*time.Second {
		t.Skipf("this machine took %v to ask: the grace was over", asked)
	}
	for n, c := range all {
		_ = c.SetDeadline(time.Now().Add(patience))
		if _, err := c.in.ReadByte(); !errors.Is(err, io.EOF) {
			t.Errorf("connection %d ended with %v", n, err)
		}
	}
	if ended := time.Since(rolled); ended < 2500*time.Millisecond {
		t.Errorf("idle connections were closed %v after the roll", ended)
	}
}
