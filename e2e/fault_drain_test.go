package e2e

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"pingap/e2e/load"
)

// Load: 60 connections that have had an answer and rest. Fault: a roll. Expected: half of them are asked again within the idle
// grace and answered, by an answer that closes them; the other half is closed after it, and not all at once.
func TestFaultIdleConnectionsStayUsableForAWhile(t *testing.T) {
	faultTest(t, 1, 1)
	addr, up := freePort(t), newUpstream(t)
	i := start(t, proxyFor(addr, up, "\n[basic]\ndrain_idle_grace = \"3s\"\ndrain_spread = \"2s\"\n"))
	const many = 60
	var idle []*client
	for range many {
		c := dial(t, addr)
		if a, err := c.do(get("/echo")); err != nil || a.status != 200 || a.close {
			t.Fatalf("%+v, %v", a, err)
		}
		idle = append(idle, c)
	}
	rolled := time.Now()
	i.roll()
	for n, c := range idle[:many/2] {
		if a, err := c.do(get("/echo")); err != nil || a.status != 200 || !a.close {
			t.Errorf("connection %d, %v after the roll: %+v, %v", n, time.Since(rolled), a, err)
		}
	}
	if asked := time.Since(rolled); asked > 3*time.Second {
		t.Skipf("this machine took %v to ask: the grace was over", asked)
	}
	ended := make(chan time.Duration, many)
	for _, c := range idle[many/2:] {
		go func() { // ends with the connection, or with its deadline
			_ = c.conn.SetReadDeadline(time.Now().Add(patience))
			if _, err := c.in.ReadByte(); !errors.Is(err, io.EOF) {
				t.Errorf("an idle connection ended with %v", err)
			}
			ended <- time.Since(rolled)
		}()
	}
	var first, last time.Duration
	for n := range many / 2 {
		at := <-ended
		if n == 0 {
			first = at
		}
		last = at
	}
	t.Logf("idle connections were closed from %v to %v after the roll", first.Round(time.Millisecond), last.Round(time.Millisecond))
	if first < 2500*time.Millisecond || last-first < 300*time.Millisecond {
		t.Errorf("closed from %v to %v, not spread after a grace of 3 s", first, last)
	}
}

// Load: 100 tunnels. Fault: a roll, after which they may go on for 3 s. Expected: all work until then, and then end with a
// goodbye (1001) between two messages, spread over time.
func TestFaultTunnelsEndWithAGoodbye(t *testing.T) {
	many := faultTest(t, 100, 1000)
	addr, up := freePort(t), newUpstream(t)
	i := start(t, proxyFor(addr, up, "\n[basic]\ngrace_period = \"2s\"\ndrain_long_timeout = \"3s\"\ndrain_spread = \"2s\"\n"))
	var tunnels []*webSocket
	for range many {
		tunnels = append(tunnels, openWebSocket(t, addr, "/tunnel"))
	}
	i.roll()
	rolled := time.Now()
	for n, w := range tunnels {
		if err := w.echo(opText, []byte("still there")); err != nil && time.Since(rolled) < 3*time.Second {
			t.Errorf("tunnel %d: %v", n, err)
		}
	}
	for n, w := range tunnels {
		_ = w.conn.SetDeadline(time.Now().Add(patience))
		op, payload, err := w.receive()
		if err != nil || op != opFinal|opClose || len(payload) < 2 || binary.BigEndian.Uint16(payload) != 1001 {
			t.Fatalf("tunnel %d ended with opcode %x, %q, %v", n, op, payload, err)
		}
		_ = w.send(opFinal|opClose, payload[:2]) // the other side has ended already
	}
	if took := time.Since(rolled); took < 2500*time.Millisecond {
		t.Errorf("the tunnels ended after %v", took)
	}
	i.eventually("the end of draining", i.noneDrains)
}

func (i *instance) noneDrains() error {
	if n := len(i.status().in("draining")); n > 0 {
		return fmt.Errorf("%d workers are draining", n)
	}
	return nil
}

// Load: event streams and busy clients. Fault: rolls, after which streams may go on for a second. Expected: 0 failed: streams end
// after a whole event, and are opened again.
func TestFaultEventStreamsEndBetweenEvents(t *testing.T) {
	count := faultTest(t, 3, 20)
	addr, up := freePort(t), newUpstream(t)
	i := start(t, proxyFor(addr, up, "\n[basic]\ngrace_period = \"1s\"\ndrain_long_timeout = \"1s\"\ndrain_spread = \"1s\"\n"))
	l := startFaultLoad(t, addr, up, usualClients(t)[0], load.Mix{Kind: load.Events, Clients: 10, Takes: time.Minute})
	for n := range count {
		i.eventually("streams", func() error {
			if begun := l.Report().Kinds[load.Events].Started; begun < uint64(10*(n+1)) {
				return fmt.Errorf("%d streams", begun)
			}
			return nil
		})
		i.roll()
		i.eventually("the streams' end", func() error {
			if again := l.Report().Kinds[load.Events].Reopened; again < uint64(10*(n+1)) {
				return fmt.Errorf("%d streams have ended", again)
			}
			return nil
		})
	}
	if err := l.stopped().Err(); err != nil {
		t.Error(err)
	}
}

// Load: a download whose client reads slowly, in a location that has time for it. Fault: a roll. Expected: it arrives whole; the
// same in a location without that time is cut at the deadline, and the worker ends.
func TestFaultDownloadsHaveTheTimeOfTheirLocation(t *testing.T) {
	faultTest(t, 1, 1)
	const size = 32 << 20 // more than fits into all buffers on the way
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(size))
		block := make([]byte, 64<<10)
		for range size / len(block) {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	}))
	t.Cleanup(server.Close)
	addr := freePort(t)
	conf := insert(proxyConf(addr, server.Listener.Addr().String()), "locations.all", `drain_timeout = "1m"`) + `
[locations.short]
path = "/short"
upstream = "app"

[basic]
drain_long_timeout = "1s"
drain_spread = "100ms"
grace_period = "1s"
`
	i := start(t, strings.Replace(conf, `locations = ["all"]`, `locations = ["short", "all"]`, 1))
	patient, hasty := dial(t, addr), dial(t, addr)
	for _, c := range []struct {
		*client
		target string
	}{{patient, "/long"}, {hasty, "/short"}} {
		if _, err := io.WriteString(c.conn, get(c.target, "Connection: close")); err != nil {
			t.Fatal(err)
		}
		if _, err := c.in.ReadByte(); err != nil { // its head
			t.Fatal(err)
		}
	}
	i.roll()
	if err := hasty.drained(size); err == nil {
		t.Error("a download went on beyond its deadline")
	}
	if err := patient.drained(size); err != nil {
		t.Errorf("the download with a minute's time: %v", err)
	}
	i.eventually("the end of draining", i.noneDrains)
}

// drained reads a response of which a byte was read, slowly for the first seconds.
func (c *client) drained(size int64) error {
	_ = c.conn.SetReadDeadline(time.Now().Add(2 * patience))
	for range 30 {
		if _, err := io.CopyN(io.Discard, c.in, 4096); err != nil {
			return err
		}
		time.Sleep(100 * time.Millisecond) // the slowness is the load
	}
	n, err := io.Copy(io.Discard, c.in)
	if err == nil && n < size-30*4096 {
		err = io.ErrUnexpectedEOF
	}
	return err
}
