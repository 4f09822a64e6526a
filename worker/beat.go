package worker

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"pingap/config"
	"pingap/ipc"
	"pingap/plugins"
	"pingap/telemetry"
	"pingap/worker/accept"
	"pingap/worker/accesslog"
	"pingap/worker/http1"
	"pingap/worker/proxy"
	"pingap/worker/route"
)

// The heartbeat has a server of its own, which no listener leads to.
const (
	beatServer = "pingap:heartbeat"
	beatIndex  = 0 // in proxy.Site.Servers
	beatStatus = 204
)

// beater answers the heartbeat.
type beater struct{ answer *plugins.Answer }

// Decide implements plugins.Decider.
func (b beater) Decide(*plugins.Exchange) plugins.Decision {
	return plugins.Respond(b.answer, "heartbeat")
}

// heart is what heartbeats go through: a listener that is accepted on like any other, a server, and a log.
type heart struct {
	listener *accept.Listener
	addr     net.Addr
	server   *proxy.Server
	log      *telemetry.Writer // to nowhere: a disk that hangs must not end the worker, code that hangs must
}

func newHeart(logs *outlets) (*heart, error) {
	h := &heart{}
	l, err := route.Compile(&config.Location{Name: beatServer}, nil)
	if err == nil {
		h.listener, h.addr, err = accept.Private(beatServer)
	}
	if err != nil {
		return nil, fmt.Errorf("heartbeat: %w", err)
	}
	h.log = telemetry.NewFuncWriter(func(time.Time, telemetry.Severity, []byte) {}, telemetry.WriterOptions{})
	format, _ := accesslog.Compile("combined", nil)
	chain := plugins.NewChain([]*plugins.Instance{{
		Name: beatServer, Step: plugins.Request, Decider: beater{&plugins.Answer{Status: beatStatus}},
	}})
	const limit = 10 * time.Second
	h.server = &proxy.Server{
		Name: beatServer, Table: route.NewTable([]*route.Location{l}, route.Options{}),
		Locations: map[*route.Location]*proxy.Location{l: {Route: l, Plugins: chain}},
		Log:       &logger{format: format, out: h.log, buffer: &logs.buffer},
		Limits:    http1.Limits{Head: 1 << 10, Fields: 8, Target: 64}, KeepAliveRequests: 1,
		HeaderTimeout: limit, KeepAliveTimeout: limit, ReadTimeout: limit, WriteTimeout: limit,
		Processing: new(atomic.Int64), Uncounted: true,
	}
	return h, nil
}

func (h *heart) close() {
	h.listener.Close()
	_ = h.log.Close() // nothing is in it that could be lost
}

// beating sends a STATUS a second as long as everything serves: each time it makes a request of its own first, and has every
// goroutine that accepts show itself.
func (w *worker) beating() {
	tick := time.NewTicker(w.o.Timings.Beat)
	defer tick.Stop()
	for {
		select {
		case <-w.done:
			return
		case <-tick.C:
		}
		message, err := "", w.beat()
		if err == nil {
			err = w.prove()
		}
		if errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) || err != nil && w.gate.Starved() {
			message, err = "no descriptors left", nil // bad, but what is served is served
		}
		if err != nil {
			w.log.Error("heartbeat failed", zap.Error(err))
			continue
		}
		w.post(func() { w.report(message) })
	}
}

// beat makes one request: accept, parse, route, plugins, log.
func (w *worker) beat() error {
	c, err := net.DialTimeout(w.heart.addr.Network(), w.heart.addr.String(), w.o.Timings.BeatAnswer)
	if err != nil {
		return err
	}
	defer c.Close()
	return ask(c, w.o.Timings.BeatAnswer)
}

// serveBeat takes a connection to the heartbeat's listener.
func (w *worker) serveBeat(c net.Conn, _ int) {
	if !accept.Own(c) {
		c.Close()
		return
	}
	w.beats.Add(1)
	w.serve(c, beatIndex)
}

// prove has the goroutines show themselves that accept on listeners.
func (w *worker) prove() error {
	var list []*listener
	asked := make(chan struct{})
	if !w.post(func() {
		if w.state == ipc.StateActive {
			list = w.addresses.list
		}
		close(asked)
	}) {
		return nil // the end
	}
	<-asked
	for _, l := range list {
		if !l.socket.Prove(w.o.Timings.BeatAnswer) {
			return fmt.Errorf("accepting on %s hangs", l.Address)
		}
	}
	return nil
}

// ask sends the request and checks the answer.
func ask(c net.Conn, limit time.Duration) error {
	if err := c.SetDeadline(time.Now().Add(limit)); err != nil {
		return err
	}
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: heartbeat\r\nConnection: close\r\n\r\n"); err != nil {
		return err
	}
	const maxAnswer = 4 << 10
	answer, err := io.ReadAll(io.LimitReader(c, maxAnswer))
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(answer, fmt.Appendf(nil, "HTTP/1.1 %d ", beatStatus)) {
		return fmt.Errorf("answered %q", answer[:min(len(answer), 64)])
	}
	return nil
}

// report sends the heartbeat, and does what is due once a second. A supervisor that does not read is not waited for.
func (w *worker) report(message string) {
	w.logs.flush()
	w.build.owners.bury(w.log)
	w.tell()
	if !w.collectAt.IsZero() && time.Now().After(w.collectAt) {
		w.collectAt = time.Time{}
		w.wg.Go(runtime.GC) // ends with the collection, in milliseconds
	}
	if w.conn == nil || w.lifeline.shown != nil {
		return // nobody to tell
	}
	_ = w.conn.TrySend(0, w.status(message)) // the receiver notices a supervisor that is gone
}
