package worker

import (
	"fmt"
	"slices"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"pingap/ipc"
	"pingap/worker/explain"
)

// maxExplaining are questions that are answered at a time.
const maxExplaining = 2

// explain answers what somebody asks about the configuration and the health that this worker has, on a goroutine of its own.
func (w *worker) explain(txn uint32, b *ipc.Explain) ipc.Body {
	if w.explaining >= maxExplaining {
		return ipc.Explained{Status: 503, Problem: "the worker explains something else"}
	}
	w.explaining++
	site, routes, body := w.explainable(), b.What == ipc.ExplainRoutes, slices.Clone(b.Body)
	w.wg.Go(func() { // ends by itself: nothing in it waits but for a disk
		answer, fd := w.explained(site, routes, body)
		if !w.post(func() {
			w.explaining--
			w.replyWith(txn, answer, fd)
		}) && fd >= 0 {
			unix.Close(fd)
		}
	})
	return nil
}

// replyWith sends an answer with a descriptor, which it closes; -1 is none.
func (w *worker) replyWith(txn uint32, answer ipc.Explained, fd int) {
	if fd < 0 {
		w.reply(txn, answer)
		return
	}
	defer unix.Close(fd)
	var fds ipc.FDs
	answer.Answer = fds.Add(fd)
	if w.conn == nil {
		return
	}
	if err := w.send(txn, answer, fds...); err != nil {
		w.log.Warn("the supervisor was not told", zap.Stringer("message", answer.Type()), zap.Error(err))
	}
}

// explained is the answer, with its text in sealed memory. It is where a panic ends.
func (w *worker) explained(site *explain.Site, routes bool, body []byte) (answer ipc.Explained, fd int) {
	defer func() {
		if p := recover(); p != nil {
			w.log.Error("explain failed", zap.Any("panic", p), zap.Stack("stack"))
			answer, fd = ipc.Explained{Status: 500, Problem: "explain failed: the log has more"}, -1
		}
	}()
	text, err := site.Answer(routes, body)
	if err == nil && len(text) > ipc.MaxExplained {
		err = fmt.Errorf("the answer would have %d bytes", len(text))
	}
	if err == nil {
		if fd, err = ipc.SealedMemfd("explained", text); err == nil {
			return ipc.Explained{Status: 200}, fd
		}
	}
	return ipc.Explained{Status: explain.StatusOf(err), Problem: err.Error()}, -1
}

// explainable is what is live, with its listeners.
func (w *worker) explainable() *explain.Site {
	s := &explain.Site{Site: w.live.Site, Proxy: w.proxy, Certificate: w.build.security.certificates.Table, Hidden: w.live.basic.LogRedactHeaders}
	for _, l := range w.addresses.list {
		s.Listeners = append(s.Listeners, explain.Listener{Address: l.Address, Server: w.addresses.index(l.Server)})
	}
	return s
}
