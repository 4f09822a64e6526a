package telemetry

import (
	"errors"
	"math/bits"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// DefaultMaxBytes is WriterOptions.MaxBytes when unset.
	DefaultMaxBytes = 4 << 20
	// DefaultBatch is WriterOptions.Batch when unset.
	DefaultBatch = 32 << 10
	// keepBytes is the buffer that a Writer keeps after a burst.
	keepBytes = 256 << 10
	// stallLimit bounds how long Sync, SetFile and Close wait for a target that takes nothing.
	stallLimit = 5 * time.Second
)

var (
	// ErrStalled says that a target did not take what was buffered in time.
	ErrStalled = errors.New("log target does not take what is written")
	// ErrClosed says that the Writer is closed.
	ErrClosed = errors.New("log writer is closed")
	// ErrNoFile says that the lines of a Writer go to a function.
	ErrNoFile = errors.New("log writer has no file to replace")
)

// WriterOptions configure a Writer; the zero value works.
type WriterOptions struct {
	// MaxBytes bounds what is buffered and being written together; 0 is DefaultMaxBytes.
	MaxBytes int
	// MaxLines bounds the lines that wait; 0 bounds their bytes only.
	MaxLines int
	// Batch is how many bytes start a write without waiting for Flush; 0 is DefaultBatch. 1 starts
	// one for each line.
	Batch int
	// Report is told that lines were lost, when their total passes a power of two; err is what the
	// target last answered, nil when the buffer was full. It must not wait for this Writer. nil
	// tells nobody.
	Report func(lost uint64, err error)
}

// Writer brings the lines of many goroutines to one target. Those who log never wait for the target:
// one goroutine, which Close ends, does the writing.
type Writer struct {
	options WriterOptions
	limit   int                          // bytes per buffer: there are two
	stall   time.Duration                // stallLimit but in tests
	over    func(*os.File) (sink, error) // makes the sink of SetFile

	mu      sync.Mutex // guards filling, lines, stamped and closed
	filling []byte     // a newline, then whole lines; see fileSink for the newline
	lines   int        // in filling
	stamped bool       // what the sink wants
	closed  bool

	wake     chan struct{} // one token: there is something to write
	commands chan command
	quit     chan struct{}
	done     chan struct{} // closed by the writer's goroutine at its end

	lost     atomic.Uint64
	reported atomic.Uint64
	trouble  atomic.Pointer[error]

	// Owned by the writer's goroutine.
	sink  sink
	spare []byte
}

// command asks the writer's goroutine to bring out what is buffered, and then to take another sink
// if there is one.
type command struct {
	next sink
	done chan struct{}
}

// NewFileWriter returns a Writer to a file, pipe or terminal and takes file over. Files need O_APPEND.
func NewFileWriter(file *os.File, o WriterOptions) (*Writer, error) {
	s, err := newFileSink(file)
	if err != nil {
		return nil, err
	}
	return newWriter(s, o, fileOver), nil
}

// NewSyslogWriter returns a Writer that sends each line to syslog, which it takes over.
func NewSyslogWriter(to *Syslog, o WriterOptions) *Writer {
	options := to.options
	options.Conn = nil
	return newWriter(syslogSink{to}, o, func(file *os.File) (sink, error) {
		conn, err := FileConn(file)
		if err != nil {
			return nil, err
		}
		options.Conn = conn
		return syslogSink{NewSyslog(options)}, nil
	})
}

// NewFuncWriter returns a Writer that calls use for each line, on its own goroutine; line is valid
// during the call.
func NewFuncWriter(use func(at time.Time, severity Severity, line []byte), o WriterOptions) *Writer {
	return newWriter(funcSink(use), o, func(file *os.File) (sink, error) {
		file.Close()
		return nil, ErrNoFile
	})
}

// fileOver is newFileSink as the sink that it makes.
func fileOver(file *os.File) (sink, error) {
	s, err := newFileSink(file)
	if err != nil {
		return nil, err
	}
	return s, nil
}

func newWriter(s sink, o WriterOptions, over func(*os.File) (sink, error)) *Writer {
	if o.MaxBytes <= 0 {
		o.MaxBytes = DefaultMaxBytes
	}
	if o.Batch <= 0 {
		o.Batch = DefaultBatch
	}
	w := &Writer{
		options: o, limit: o.MaxBytes / 2, stall: stallLimit, over: over, sink: s, stamped: s.stamped(),
		filling: []byte{'\n'}, spare: []byte{'\n'},
		wake: make(chan struct{}, 1), commands: make(chan command),
		quit: make(chan struct{}), done: make(chan struct{}),
	}
	go w.run() // ends when Close closes quit
	return w
}

// Line logs one line, given without its newline and with none inside. at and severity reach the
// targets that have a place for them. It never waits for the target.
func (w *Writer) Line(at time.Time, severity Severity, line []byte) {
	w.mu.Lock()
	before := len(w.filling)
	if w.closed || before+stampSize+len(line)+1 > w.limit || w.options.MaxLines > 0 && w.lines >= w.options.MaxLines {
		w.mu.Unlock()
		w.lost.Add(1)
		return
	}
	if w.stamped {
		w.filling = appendStamp(w.filling, at, severity)
	}
	w.filling = append(append(w.filling, line...), '\n')
	w.lines++
	full := before <= w.options.Batch && len(w.filling) > w.options.Batch || w.lines == (w.options.MaxLines+1)/2
	w.mu.Unlock()
	if full {
		w.signal()
	}
}

// Flush starts the writing of what is buffered, without waiting for it. Call it once a second.
func (w *Writer) Flush() {
	w.report()
	w.signal()
}

// Lost returns how many lines were dropped or could not be written.
func (w *Writer) Lost() uint64 { return w.lost.Load() }

// Sync writes what is buffered and waits for it, for at most 5 s.
func (w *Writer) Sync() error { return w.command(nil) }

// SetFile makes file the target: what was logged before goes to the old one, which is then closed. For
// a Writer to syslog, file is a connected datagram socket. It
// takes file over and returns when that is done. After 5 s it returns ErrStalled; then the old target
// may still be written to, and the change may still happen once it lets go.
func (w *Writer) SetFile(file *os.File) error {
	s, err := w.over(file)
	if err != nil {
		return err
	}
	return w.command(s)
}

// Close writes what is buffered, closes the target and waits for both, for at most 5 s. Lines that
// come later are lost.
func (w *Writer) Close() error {
	w.mu.Lock()
	closed := w.closed
	w.closed = true
	w.mu.Unlock()
	if closed {
		return ErrClosed
	}
	close(w.quit)
	return w.await(w.done)
}

func (w *Writer) signal() {
	select {
	case w.wake <- struct{}{}:
	default: // a token is there already
	}
}

func (w *Writer) command(next sink) error {
	c := command{next: next, done: make(chan struct{})}
	timer := time.NewTimer(w.stall)
	defer timer.Stop()
	select {
	case w.commands <- c:
		return w.await(c.done)
	case <-w.done:
		return w.refuse(next, ErrClosed)
	case <-timer.C:
		return w.refuse(next, ErrStalled)
	}
}

// refuse closes a sink that was not taken.
func (w *Writer) refuse(next sink, err error) error {
	if next != nil {
		next.close()
	}
	return err
}

func (w *Writer) await(done <-chan struct{}) error {
	timer := time.NewTimer(w.stall)
	defer timer.Stop()
	select {
	case <-done:
		return nil
	case <-timer.C:
		return ErrStalled
	}
}

func (w *Writer) run() {
	defer close(w.done)
	for {
		select {
		case <-w.wake:
			w.drain(w.sink)
		case c := <-w.commands:
			w.obey(c)
		case <-w.quit:
			w.drain(w.sink)
			w.sink.close()
			return
		}
	}
}

func (w *Writer) obey(c command) {
	if c.next == nil {
		w.drain(w.sink)
	} else {
		w.drain(c.next)
		w.sink.close()
		w.sink = c.next
	}
	close(c.done)
}

// drain writes what is buffered to the present sink; lines that come from now on are in the form
// that next wants.
func (w *Writer) drain(next sink) {
	w.mu.Lock()
	batch := w.filling
	w.filling, w.spare = w.spare, nil
	w.lines = 0
	w.stamped = next.stamped()
	w.mu.Unlock()
	if len(batch) > 1 {
		if lost, err := w.sink.write(batch); lost > 0 {
			w.trouble.Store(&err)
			w.lost.Add(uint64(lost))
		}
	}
	w.spare = batch[:1]
	if cap(batch) > keepBytes {
		w.spare = []byte{'\n'}
	}
	w.report()
}

// report tells how many lines were lost when that passed a power of two since it was last told.
func (w *Writer) report() {
	lost, told := w.lost.Load(), w.reported.Load()
	if bits.Len64(lost) == bits.Len64(told) || w.options.Report == nil || !w.reported.CompareAndSwap(told, lost) {
		return
	}
	var err error
	if p := w.trouble.Swap(nil); p != nil {
		err = *p
	}
	w.options.Report(lost, err)
}
