package worker

import (
	"fmt"
	"net"
	"slices"

	"pingap/ipc"
	"pingap/worker/accept"
)

// listener is one address that the supervisor bound.
type listener struct {
	ipc.Listener
	socket *accept.Listener
}

// addresses are the listeners of a worker and the numbers of their servers. It belongs to the loop.
type addresses struct {
	list []*listener
	// names are the servers that listeners have led to so far: the place of a name is the server's index in
	// proxy.Site.Servers, which connections keep to their end. So no place is ever used for another server.
	names []string
}

// index returns a server's place, a new one for a new name.
func (a *addresses) index(server string) int {
	i := slices.Index(a.names, server)
	if i < 0 {
		i = len(a.names)
		a.names = append(a.names, server)
	}
	return i
}

// led returns names with only those set that listeners of the list lead to, and the heartbeat's.
func (a *addresses) led(list []*listener) []string {
	led := make([]string, len(a.names))
	led[beatIndex] = a.names[beatIndex]
	for _, l := range list {
		led[a.index(l.Server)] = l.Server
	}
	return led
}

// take makes the list that given asks for: of listeners that are there already, and of sockets that came with the message.
// After an error nothing of it is left.
func (a *addresses) take(m *ipc.Message, given []ipc.Listener) ([]*listener, error) {
	list := make([]*listener, 0, len(given))
	for _, g := range given {
		if slices.ContainsFunc(list, func(l *listener) bool { return l.ID == g.ID && g.ID != "" }) {
			a.discard(list)
			return nil, refuse(ipc.CodeInvalid, g.Address, fmt.Errorf("listener %s is there twice", g.ID))
		}
		l := &listener{Listener: g}
		if old := a.find(g.ID); old != nil {
			l.socket = old.socket
		} else {
			fd, err := m.Take(g.FD)
			if err == nil {
				l.socket, err = accept.FromFD(fd, g.Address)
			}
			if err != nil {
				a.discard(list)
				return nil, refuse(ipc.CodeInvalid, g.Address, err)
			}
		}
		a.index(g.Server)
		list = append(list, l)
	}
	return list, nil
}

func (a *addresses) find(id string) *listener {
	for _, l := range a.list {
		if l.ID == id {
			return l
		}
	}
	return nil
}

// has says whether a socket is in use.
func (a *addresses) has(l *listener) bool {
	return slices.ContainsFunc(a.list, func(m *listener) bool { return m.socket == l.socket })
}

// discard closes the sockets of a list that are not in use.
func (a *addresses) discard(list []*listener) {
	for _, l := range list {
		if !a.has(l) {
			l.socket.Close()
		}
	}
}

// listen makes a list the one that is accepted on. It begins with new sockets, ends with those that are not in the list,
// once what waits there has been accepted, and leads all to their servers.
func (w *worker) listen(list []*listener) {
	old := w.addresses
	w.addresses.list = list
	for _, l := range list {
		l.socket.Lead(w.addresses.index(l.Server))
		if !old.has(l) {
			w.accepts.Go(func() { w.acceptor.Accept(l.socket) }) // ends when the listener is dropped or closed
		}
	}
	for _, l := range old.list {
		if !w.addresses.has(l) {
			l.socket.Drop(true)
		}
	}
}

// openGate makes what accepting needs.
func (w *worker) openGate() {
	w.gate = accept.NewGate(func() int64 {
		s := w.proxy.Stats()
		return int64(s.Accepted) - s.Connections
	}, func() int64 { return w.proxy.Stats().Parked })
	w.acceptor = &accept.Acceptor{Gate: w.gate, Serve: w.serve, Pause: w.o.Timings.AcceptPause, Rest: w.o.Timings.AcceptRest,
		Done: w.done, Log: w.log}
}

// heartAcceptor accepts heartbeats, by the same code and the same count.
func (w *worker) heartAcceptor() *accept.Acceptor {
	a := *w.acceptor
	a.Serve = w.serveBeat
	return &a
}

// serve hands a connection to the engine.
func (w *worker) serve(c net.Conn, index int) {
	if options := w.sockets.Load(); options != nil {
		options.Set(c, index)
	}
	w.gate.Count()
	w.conns.Add(1)
	w.proxy.Go(&accepted{w, c, index}) // ends when the connection is closed or parked
}

// accepted is a connection that is to be served.
type accepted struct {
	w     *worker
	c     net.Conn
	index int
}

// Run implements routines.Task.
func (a *accepted) Run() {
	defer a.w.conns.Done()
	a.w.proxy.Serve(a.c, a.index)
}

// closeListeners closes this worker's copies and ends the accept loops.
func (w *worker) closeListeners() {
	for _, l := range w.addresses.list {
		l.socket.Close()
	}
	w.addresses.list = nil
}
