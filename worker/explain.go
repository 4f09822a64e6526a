package worker

import (
	"fmt"
	"net/http"
	"os"
	"slices"

	"go.uber.org/zap"

	"pingap/ipc"
	"pingap/worker/explain"
)

// maxExplaining are questions that are answered at a time.
const maxExplaining = 2

// explain answers what somebody asks about the configuration and the health that this worker has, on a goroutine of its own.
func (w *worker) explain(m *ipc.Message, b *ipc.Explain) ipc.Body {
	if w.explaining >= maxExplaining {
		return ipc.Explained{Status: http.StatusServiceUnavailable, Problem: "the worker explains something else"}
	}
	fd, err := m.Take(b.Answer)
	if err != nil {
		return ipc.Explained{Status: http.StatusInternalServerError, Problem: "there is no room for the answer"}
	}
	w.explaining++
	site, routes, body, txn, room := w.explainable(), b.What == ipc.ExplainRoutes, slices.Clone(b.Body), m.Txn, os.NewFile(uintptr(fd), "answer")
	w.wg.Go(func() { // ends by itself: nothing in it waits but for a disk
		answer := w.explained(site, routes, body, room)
		room.Close()
		w.post(func() {
			w.explaining--
			w.reply(txn, answer)
		})
	})
	return nil
}

// explained writes the answer. It is where a panic ends.
func (w *worker) explained(site *explain.Site, routes bool, body []byte, room *os.File) (answer ipc.Explained) {
	defer func() {
		if p := recover(); p != nil {
			w.log.Error("explain failed", zap.Any("panic", p), zap.Stack("stack"))
			answer = ipc.Explained{Status: http.StatusInternalServerError, Problem: "explain failed: the log has more"}
		}
	}()
	text, err := site.Answer(routes, body)
	if err == nil && len(text) > ipc.MaxExplained {
		err = fmt.Errorf("the answer would have %d bytes", len(text))
	}
	if err == nil {
		_, err = room.WriteAt(text, 0)
	}
	if err != nil {
		return ipc.Explained{Status: explain.StatusOf(err), Problem: err.Error()}
	}
	return ipc.Explained{Status: http.StatusOK, Length: len(text)}
}

// explainable is what is live, with its listeners.
func (w *worker) explainable() *explain.Site {
	s := &explain.Site{Site: w.live.Site, Proxy: w.proxy, Certificate: w.build.security.certificates.Table, Hidden: w.live.basic.LogRedactHeaders}
	for _, l := range w.addresses.list {
		s.Listeners = append(s.Listeners, explain.Listener{Address: l.Address, Server: w.addresses.index(l.Server)})
	}
	return s
}
