package control

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"pingap/ipc"
)

// Limits on the clients of the control socket.
const (
	maxClients = 32
	clientIdle = 30 * time.Second // between two requests
	clientSend = 5 * time.Second  // for a client to take an answer
	acceptWait = 100 * time.Millisecond
)

// serveClients accepts until ctx ends. Clients beyond the limit wait in the
// socket's queue.
func (p *process) serveClients(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait() // clients end with ctx
	free := make(chan struct{}, maxClients)
	for {
		select {
		case free <- struct{}{}:
		case <-ctx.Done():
			return
		}
		conn, err := p.acceptor.Accept(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			// No descriptors left, most likely: do not spin.
			p.log.Warn("control socket", zap.Error(err))
			<-free
			pause(ctx, acceptWait)
			continue
		}
		wg.Go(func() {
			defer func() { <-free }()
			defer conn.Close()
			p.serveClient(ctx, conn)
		})
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// client is one connection to the control socket.
type client struct {
	p    *process
	conn *ipc.Conn
	uid  int
	who  string // "uid 0 pid 4711"

	reading document
}

func (p *process) serveClient(ctx context.Context, conn *ipc.Conn) {
	pid, uid, _, err := conn.Peer()
	if err != nil {
		p.log.Warn("control client refused", zap.Error(err))
		return
	}
	c := client{p: p, conn: conn, uid: uid, who: fmt.Sprintf("uid %d pid %d", uid, pid)}
	for {
		m, err := c.next(ctx)
		if err != nil {
			return // hung up, silent for too long, or not our protocol
		}
		m.Close()
		p.log.Log(levelOf(m.Body), "control request", zap.Stringer("request", m.Body.Type()), zap.Int("uid", uid), zap.Int("pid", pid))
		answer := c.answer(ctx, m.Body)
		if ctx.Err() != nil || c.send(ctx, m.Txn, answer) != nil {
			return
		}
		switch answer.(type) {
		case *ipc.Stopping:
			<-ctx.Done() // the end of the connection tells the end of the instance
			return
		case *ipc.Upgraded:
			c.p.replaced() // another supervisor starts its own control
			return
		}
	}
}

// levelOf is what a request is logged at.
func levelOf(body ipc.Body) zapcore.Level {
	switch b := body.(type) {
	case *ipc.StatusRequest:
		return zap.DebugLevel // asked by monitoring, all the time
	case *ipc.ConfigRead:
		if b.Offset > 0 || b.What == ipc.ConfigUpstreams {
			return zap.DebugLevel // the first part was told; backends are looked at again and again
		}
	}
	return zap.InfoLevel
}

func (c *client) next(ctx context.Context) (*ipc.Message, error) {
	ctx, cancel := context.WithTimeout(ctx, clientIdle)
	defer cancel()
	return c.conn.Receive(ctx)
}

func (c *client) send(ctx context.Context, txn uint32, body ipc.Body) error {
	ctx, cancel := context.WithTimeout(ctx, clientSend)
	defer cancel()
	return c.conn.Send(ctx, txn, fit(body))
}

// answer does what a client asked for.
func (c *client) answer(ctx context.Context, body ipc.Body) ipc.Body {
	switch b := body.(type) {
	case *ipc.Reload:
		by := "reload by " + c.who
		if !b.Wait {
			c.p.post(ctx, func(ctx context.Context) { c.p.ask(ctx, &request{by: by, limit: ipc.ClassRoll}) })
			return &ipc.Ready{}
		}
		return c.await(ctx, func(ctx context.Context, done func(ipc.Body)) {
			c.p.ask(ctx, &request{by: by, limit: ipc.ClassRoll, done: done})
		})
	case *ipc.Rollback:
		return c.rollback(ctx, b)
	case *ipc.ConfigRead:
		return c.read(ctx, *b)
	case *ipc.UpstreamAdmin:
		return c.admin(ctx, b)
	case *ipc.StatusRequest:
		return c.status(ctx)
	case *ipc.Reopen:
		return c.relay(ctx, *b, answerTime)
	case *ipc.Roll:
		ask := ipc.Roll{Wait: true, RequestedBy: "roll by " + c.who}
		if !b.Wait {
			c.p.post(ctx, func(ctx context.Context) { c.p.request(ctx, ask, proposeTime, func(context.Context, ipc.Body) {}) })
			return &ipc.Ready{}
		}
		return c.relay(ctx, ask, proposeTime)
	case *ipc.Upgrade:
		return c.relay(ctx, ipc.Upgrade{RequestedBy: "upgrade by " + c.who}, proposeTime)
	case *ipc.HistoryRequest:
		return c.relay(ctx, *b, answerTime)
	case *ipc.Stop:
		return c.relay(ctx, ipc.Stop{Fast: b.Fast, Who: c.who}, answerTime)
	}
	return &ipc.Unknown{Of: body.Type()}
}

// relay asks the supervisor and hands its answer on.
func (c *client) relay(ctx context.Context, body ipc.Body, limit time.Duration) ipc.Body {
	answer := c.await(ctx, func(ctx context.Context, done func(ipc.Body)) {
		c.p.request(ctx, body, limit, func(_ context.Context, b ipc.Body) { done(b) })
	})
	if answer == nil {
		return &ipc.Refused{Code: ipc.CodeTimeout, Reason: "the supervisor did not answer"}
	}
	return answer
}

// await runs begin in the loop and waits for what it is done with.
func (c *client) await(ctx context.Context, begin func(ctx context.Context, done func(ipc.Body))) ipc.Body {
	result := make(chan ipc.Body, 1)
	c.p.post(ctx, func(ctx context.Context) { begin(ctx, func(b ipc.Body) { result <- b }) })
	select {
	case b := <-result:
		return b
	case <-ctx.Done():
		return &ipc.Refused{Code: ipc.CodeStopping, Reason: errStopped.Error()}
	}
}
