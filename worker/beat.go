package worker

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"pingap/config"
	"pingap/plugins"
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

// newBeatServer returns the server that heartbeats go through: location table, plugin steps, no log.
func newBeatServer() (*proxy.Server, error) {
	l, err := route.Compile(&config.Location{Name: beatServer}, nil)
	if err != nil {
		return nil, fmt.Errorf("heartbeat: %w", err)
	}
	chain := plugins.NewChain([]*plugins.Instance{{
		Name: beatServer, Step: plugins.Request, Decider: beater{&plugins.Answer{Status: beatStatus}},
	}})
	const limit = 10 * time.Second
	return &proxy.Server{
		Name: beatServer, Table: route.NewTable([]*route.Location{l}, route.Options{}),
		Locations: map[*route.Location]*proxy.Location{l: {Route: l, Plugins: chain}},
		Limits:    http1.Limits{Head: 1 << 10, Fields: 8, Target: 64}, KeepAliveRequests: 1,
		HeaderTimeout: limit, KeepAliveTimeout: limit, ReadTimeout: limit, WriteTimeout: limit,
		Processing: new(atomic.Int64), Uncounted: true,
	}, nil
}

// beating sends a STATUS a second as long as the engine serves: each time it makes a request of its own first.
func (w *worker) beating() {
	tick := time.NewTicker(w.o.Timings.Beat)
	defer tick.Stop()
	for {
		select {
		case <-w.done:
			return
		case <-tick.C:
		}
		message := ""
		switch err := w.beat(); {
		case errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE):
			message = "no descriptors left" // bad, but what is served is served
		case err != nil:
			w.log.Error("heartbeat failed", zap.Error(err))
			continue
		}
		w.post(func() { w.report(message) })
	}
}

// beat makes one request through the engine, over a socket pair in place of an accepted connection.
func (w *worker) beat() error {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return os.NewSyscallError("socketpair", err)
	}
	served, err := connOf(fds[0])
	if err != nil {
		unix.Close(fds[1])
		return err
	}
	client, err := connOf(fds[1])
	if err != nil {
		served.Close()
		return err
	}
	defer client.Close()
	w.beats.Add(1)
	w.gate.Count()
	w.serve(served, beatIndex)
	return ask(client, w.o.Timings.BeatAnswer)
}

func connOf(fd int) (net.Conn, error) {
	file := os.NewFile(uintptr(fd), beatServer)
	defer file.Close() // FileConn has a duplicate
	return net.FileConn(file)
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
	if !w.collectAt.IsZero() && time.Now().After(w.collectAt) {
		w.collectAt = time.Time{}
		w.wg.Go(runtime.GC) // ends with the collection, in milliseconds
	}
	if w.conn == nil || w.lifeline.shown != nil {
		return // nobody to tell
	}
	_ = w.conn.TrySend(0, w.status(message)) // the receiver notices a supervisor that is gone
}
