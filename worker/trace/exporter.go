package trace

import (
	"context"
	"math"
	"sync"
	"sync/atomic"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.uber.org/zap"

	"pingap/config/otlp"
	"pingap/message"
)

const (
	// flushWithin bounds what an exporter that is closed still does.
	flushWithin = 10 * time.Second
	// tellEvery is how often the log says that spans were dropped, at most.
	tellEvery = time.Minute
	// longestError bounds what the log has of what a collector says.
	longestError = 300
)

// Counts are what became of requests that were to be exported.
type Counts struct{ Exported, Dropped uint64 }

// Exporters are those of a worker.
type Exporters struct {
	log     *zap.Logger
	version string
	running sync.WaitGroup
	ctx     context.Context // ends when all are to end at once
	end     context.CancelFunc

	exported, dropped atomic.Uint64
}

// NewExporters makes an empty set. The version is that of the program.
func NewExporters(log *zap.Logger, version string) *Exporters {
	x := &Exporters{log: log, version: version}
	x.ctx, x.end = context.WithCancel(context.Background())
	return x
}

// Counts returns what became of all requests so far.
func (x *Exporters) Counts() Counts {
	return Counts{Exported: x.exported.Load(), Dropped: x.dropped.Load()}
}

// Wait waits until all exporters have ended, which have been closed before. What is not exported when the time is up is dropped.
func (x *Exporters) Wait(limit time.Duration) {
	defer time.AfterFunc(limit, x.end).Stop()
	x.running.Wait()
}

// Exporter sends the spans of requests to one collector.
type Exporter struct {
	cfg  *otlp.Exporter
	all  *Exporters
	log  *zap.Logger
	to   sdk.SpanExporter
	pool sync.Pool // *entry

	queue chan *entry
	stop  chan struct{}
	once  sync.Once
	ctx   context.Context // ends when an exporter that was closed has had its time
	end   context.CancelFunc

	full atomic.Uint64 // dropped because the queue was full

	// of the goroutine
	makers    map[string]*maker
	toldAt    time.Time
	told      uint64
	failed    uint64 // dropped because an export failed
	lastError error
	spans     []sdk.ReadOnlySpan
	batch     []*entry
}

// Open makes an exporter of a URL and starts it. It connects when there is something to send.
func (x *Exporters) Open(url string) (*Exporter, error) { return x.open(url, nil) }

// open is Open with what the spans are given to; nil for what the URL names.
func (x *Exporters) open(url string, to sdk.SpanExporter) (*Exporter, error) {
	cfg, _, err := otlp.Parse(url)
	if err != nil {
		return nil, err
	}
	ctx, end := context.WithCancel(x.ctx)
	e := &Exporter{cfg: cfg, all: x, log: x.log.With(zap.String("collector", cfg.Endpoint)), queue: make(chan *entry, cfg.Queue),
		stop: make(chan struct{}), to: to, ctx: ctx, end: end, makers: map[string]*maker{}}
	if to == nil {
		e.to, err = newClient(ctx, cfg, x.version)
	}
	if err != nil {
		end()
		return nil, err
	}
	x.running.Go(e.run) // ends with Close, in bounded time
	return e, nil
}

// Tracer returns what traces the requests of a server. Of parameters of queries that are hidden, whatever the case of their names, spans have
// no value.
func (e *Exporter) Tracer(server string, hidden []string) *Tracer {
	below := uint64(math.Ldexp(e.cfg.Sample, 63))
	return &Tracer{server: server, exporter: e, below: below, errors: e.cfg.Errors, jaeger: e.cfg.Jaeger, baggage: e.cfg.Baggage,
		hidden: hidden}
}

// Close lets the exporter export what waits, and end. It does not wait.
func (e *Exporter) Close() error {
	e.once.Do(func() {
		time.AfterFunc(flushWithin, e.end)
		close(e.stop)
	})
	return nil
}

// add puts a request into the queue, or drops it.
func (e *Exporter) add(t *Tracer, rec *message.Record, ended int64) {
	if len(e.queue) == cap(e.queue) { // spares the copy, which is what it costs
		e.drop()
		return
	}
	entry, ok := e.pool.Get().(*entry)
	if !ok {
		entry = newEntry()
	}
	entry.take(t, rec, ended)
	select {
	case e.queue <- entry:
	default:
		e.release(entry)
		e.drop()
	}
}

func (e *Exporter) drop() {
	e.full.Add(1)
	e.all.dropped.Add(1)
}

func newEntry() *entry { return &entry{mem: make([]byte, 0, 512)} }

func (e *Exporter) release(entry *entry) {
	entry.reset()
	e.pool.Put(entry)
}

// run exports what comes: when a batch is full, and when the first of it has waited long enough.
func (e *Exporter) run() {
	defer e.close()
	due := time.NewTimer(e.cfg.Delay)
	defer due.Stop()
	for {
		select {
		case entry := <-e.queue:
			if e.batch = append(e.batch, entry); len(e.batch) == 1 {
				due.Reset(e.cfg.Delay)
			}
			if len(e.batch) < e.cfg.Batch {
				continue
			}
		case <-due.C:
			due.Reset(e.cfg.Delay) // for what is to be told
		case <-e.stop:
			e.rest()
			return
		}
		e.export()
		e.tell(false)
	}
}

// rest exports what is in the queue when the exporter is closed.
func (e *Exporter) rest() {
	for {
		select {
		case entry := <-e.queue:
			if e.batch = append(e.batch, entry); len(e.batch) == e.cfg.Batch {
				e.export()
			}
		default:
			e.export()
			return
		}
	}
}

func (e *Exporter) close() {
	e.tell(true)
	_ = e.to.Shutdown(e.ctx) // the connection; nothing is left to be sent
	e.end()
}

// export sends the batch, with the retries of the client.
func (e *Exporter) export() {
	n := uint64(len(e.batch))
	if n == 0 {
		return
	}
	now := readClock()
	for i, entry := range e.batch {
		e.spans = e.maker(entry.tracer.server).spans(e.spans, entry, now)
		e.release(entry)
		e.batch[i] = nil
	}
	e.batch = e.batch[:0]
	ctx, cancel := context.WithTimeout(e.ctx, e.cfg.MaxExport)
	err := e.to.ExportSpans(ctx, e.spans)
	cancel()
	clear(e.spans)
	e.spans = e.spans[:0]
	if err != nil {
		e.failed += n
		e.lastError = err
		e.all.dropped.Add(n)
		return
	}
	e.all.exported.Add(n)
}

func (e *Exporter) maker(server string) *maker {
	m := e.makers[server]
	if m == nil {
		m = newMaker(e.cfg, server, e.all.version)
		e.makers[server] = m
	}
	return m
}

// tell writes to the log what was dropped, once a minute at most and at the end.
func (e *Exporter) tell(end bool) {
	full := e.full.Load()
	if full+e.failed == e.told || !end && !e.toldAt.IsZero() && time.Since(e.toldAt) < tellEvery {
		return
	}
	fields := []zap.Field{zap.Uint64("dropped", full+e.failed-e.told), zap.Uint64("queue_full_in_all", full), zap.Uint64("not_exported_in_all", e.failed)}
	if e.lastError != nil {
		text := e.lastError.Error()
		fields = append(fields, zap.String("error", text[:min(len(text), longestError)]))
	}
	e.log.Warn("traces of requests dropped", fields...)
	e.toldAt, e.told = time.Now(), full+e.failed
}
