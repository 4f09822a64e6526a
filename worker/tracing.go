package worker

import (
	"time"

	"pingap/config"
	"pingap/ipc"
	"pingap/worker/trace"
)

// exporter sends traces to one collector. The servers of several sites may share it.
type exporter struct {
	shared
	*trace.Exporter
}

// tracer returns what traces the requests of a server; nil for nothing.
func (w *work) tracer(cfg *config.Server) (*trace.Tracer, error) {
	url := cfg.OTLPExporter.Reveal()
	if url == "" || w.still {
		return nil, nil
	}
	e := w.exporters[url]
	if e != nil {
		return e.Tracer(cfg.Name, w.basic.LogRedactQuery), nil
	}
	if e = w.live.exporters[url]; e == nil {
		opened, err := w.traces.Open(url)
		if err != nil {
			return nil, err
		}
		e = &exporter{shared: shared{name: "otlp_exporter of server " + cfg.Name, close: opened.Close}, Exporter: opened}
		w.made.writers++
	}
	w.use(&e.shared)
	w.exporters[url] = e
	return e.Tracer(cfg.Name, w.basic.LogRedactQuery), nil
}

// How long a worker that ends waits for traces to be exported: one that has drained, and one that was told to end at once.
const (
	flushDrained = 3 * time.Second
	flushStopped = time.Second
)

func (w *worker) flushTime() time.Duration {
	if w.state == ipc.StateDraining {
		return flushDrained
	}
	return flushStopped
}
