package supervisor

import (
	"os"
	"slices"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"pingap/ipc"
	"pingap/supervisor/socket"
)

// listener is a bound socket. Its descriptor is shared by all workers: nothing here or there may change its flags.
type listener struct {
	ipc.Listener
	fd      int
	foreign bool // a socket unit has it too, and clients may wait in its queue while we are away
}

// bind makes the socket of a wanted listener, or takes the one that was found for it.
func (s *supervisor) bind(l ipc.Listener) (*listener, error) {
	l.ID, l.FD = ipc.ListenerID(l), 0
	fd, foreign := s.in.Listener(l)
	if fd < 0 {
		var err error
		if fd, err = s.listen(l); err != nil {
			return nil, err
		}
		for _, old := range s.listeners {
			foreign = foreign || old.foreign && socket.SameAddress(old.Listener, l)
		}
	}
	s.store(l.ID, fd)
	return &listener{Listener: l, fd: fd, foreign: foreign}, nil
}

// listen makes a socket, beside those that are to go when this one has become live.
func (s *supervisor) listen(l ipc.Listener) (int, error) {
	var overlapping []int
	for _, old := range s.listeners {
		if socket.SameAddress(old.Listener, l) {
			return socket.Again(old.fd, l)
		}
		if socket.Overlaps(old.Listener, l) {
			overlapping = append(overlapping, old.fd)
		}
	}
	return socket.Beside(l, overlapping)
}

// bindMissing binds what is wanted and not there yet; on an error nothing stays bound.
func (s *supervisor) bindMissing(wanted []ipc.Listener) ([]*listener, error) {
	var added []*listener
	for _, w := range wanted {
		if s.listeners[ipc.ListenerID(w)] != nil {
			continue
		}
		l, err := s.bind(w)
		if err != nil {
			for _, l := range added {
				s.dropListener(l)
			}
			return nil, err
		}
		added = append(added, l)
	}
	return added, nil
}

// keepListeners closes the listeners that a version does not want any more.
func (s *supervisor) keepListeners(v *version) {
	wanted := map[string]bool{}
	for _, l := range v.listeners {
		wanted[l.ID] = true
	}
	for id, l := range s.listeners {
		if !wanted[id] {
			s.dropListener(l)
			delete(s.listeners, id)
		}
	}
}

// quietUnwanted lets no connection begin any more on listeners that the version which becomes live does not have: what waits in their
// queues the workers accept before they close them.
func (s *supervisor) quietUnwanted() {
	for id, l := range s.listeners {
		if !slices.ContainsFunc(s.live.listeners, func(w ipc.Listener) bool { return w.ID == id || socket.SameAddress(w, l.Listener) }) {
			s.quiet(l)
		}
	}
}

// quietListeners lets no connection begin any more on listeners that are about to go, so that nobody is in their queues when they do.
func (s *supervisor) quietListeners() {
	if s.o.KeepStored {
		return // whoever comes now is for a successor
	}
	for _, l := range s.listeners {
		s.quiet(l)
	}
}

func (s *supervisor) quiet(l *listener) {
	if l.foreign {
		return // whoever comes now is for whoever is started next
	}
	if l.Network == "unix" {
		os.Remove(l.Address)
		return
	}
	if err := socket.Quiet(l.fd); err != nil {
		s.log.Warn("listener", zap.String("address", l.Address), zap.Error(err)) // a connection that comes in the last moment may be reset
	}
}

func (s *supervisor) closeListeners() {
	for _, l := range s.listeners {
		s.dropListener(l)
	}
	clear(s.listeners)
}

// dropListener closes our copy; a unix path is ours to remove. Never shutdown(2): it would end the others' copies.
func (s *supervisor) dropListener(l *listener) {
	if s.stop == nil || !s.o.KeepStored {
		s.unstore(l.ID)
	}
	unix.Close(l.fd)
	for _, other := range s.listeners {
		if other != l && socket.SameAddress(other.Listener, l.Listener) {
			// One socket serves both: the path has another use, and the options are those of the one that stays.
			if err := socket.Adjust(other.fd, other.Listener); err != nil {
				s.log.Warn("listener", zap.String("address", other.Address), zap.Error(err))
			}
			return
		}
	}
	if l.Network == "unix" && !l.foreign {
		os.Remove(l.Address)
	}
}
