package telemetry

import (
	"errors"
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
	// Report is told when lines begin to be lost and when that is over. It must not wait for this
	// Writer. nil tells nobody.
	Report func(Loss)
}

// Writer brings the lines of many goroutines to one target. Those who log never wait for the target:
// one goroutine, which Close ends, does the writing.
type Writer struct {
	options WriterOptions
	limit   int                          // bytes per buffer: there are two
	stall   time.Duration                // stallLimit but in tests
	over    func(*os.File) (sink, error) // makes the sink of SetFile

	mu      sync.Mutex // guards all down to closed
	filling []byte     // a newline, then whole lines; see fileSink for the newline
	lines   int        // in filling
	form    form       // of lines in filling: what the sink wants
	present sink       // for SetFile
	closed  bool

	wake     chan struct{} // one token: there is something to write
	commands chan command
	quit     chan struct{}
	done     chan struct{} // closed by the writer's goroutine at its end

	lost   atomic.Uint64
	losses losses

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
		options: o, limit: o.MaxBytes / 2, stall: stallLimit, over: over, sink: s, present: s, form: s.form(),
		filling: []byte{'\n'}, spare: []byte{'\n'},
		wake: make(chan struct{}, 1), commands: make(chan command),
		quit: make(chan struct{}), done: make(chan struct{}), losses: losses{calm: calmTime},
	}
	go w.run() // ends when Close closes quit
	return w
}

// Line logs one line, given without its newline and with none inside. at and severity reach the
// targets that have a place for them. It never waits for the target.
func (w *Writer) Line(at time.Time, severity Severity, line []byte) {
	if !w.put(at, severity, line, false) {
		w.lost.Add(1)
	}
}

// entries reports whether lines have to be made of fields.
func (w *Writer) entries() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.form == entries
}

// put queues a line, an entry for the journal or not. It returns false when lines have to be of the other kind now.
func (w *Writer) put(at time.Time, severity Severity, line []byte, entry bool) bool {
	w.mu.Lock()
	if entry != (w.form == entries) && !w.closed {
		w.mu.Unlock()
		return false
	}
	before := len(w.filling)
	if w.closed || before+stampSize+len(line)+1 > w.limit || w.options.MaxLines > 0 && w.lines >= w.options.MaxLines {
		w.mu.Unlock()
		w.lost.Add(1)
		return true
	}
	if w.form != plain {
		w.filling = appendStamp(w.filling, at, severity, len(line))
	}
	w.filling = append(append(w.filling, line...), '\n')
	w.lines++
	full := before <= w.options.Batch && len(w.filling) > w.options.Batch || w.lines == (w.options.MaxLines+1)/2
	w.mu.Unlock()
	if full {
		w.signal()
	}
	return true
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
// a Writer to syslog, file is a connected datagram socket. It takes file over and returns when that is
// done. An old pipe that takes nothing for half of that time is given up, with what was meant for it. After 5 s it
// returns ErrStalled; then the old target may still be written to, and the change may still happen once it lets go.
func (w *Writer) SetFile(file *os.File) error {
	s, err := w.over(file)
	if err != nil {
		return err
	}
	return w.command(s)
}

// SetJournal makes the journal the target, over a datagram socket connected to path; see SetFile.
func (w *Writer) SetJournal(file *os.File, path string) error {
	s, err := newJournalSink(file, path)
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
	present := w.present
	w.mu.Unlock()
	if closed {
		return ErrClosed
	}
	if s, ok := present.(interface{ hurry() }); ok {
		s.hurry()
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
	if next != nil {
		w.mu.Lock()
		old := w.present
		w.mu.Unlock()
		late := time.AfterFunc(w.stall/2, func() { old.until(time.Now()) })
		defer late.Stop()
	}
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

// refuse closes a sink that was not taken: the old one stays, and may wait again.
func (w *Writer) refuse(next sink, err error) error {
	if next != nil {
		next.close()
		w.mu.Lock()
		defer w.mu.Unlock()
		w.present.until(time.Time{})
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
	calm := time.NewTimer(w.losses.calm)
	defer calm.Stop()
	for {
		select {
		case <-w.wake:
			w.drain(w.sink)
		case c := <-w.commands:
			w.obey(c)
		case <-calm.C:
			w.report()
		case <-w.quit:
			w.drain(w.sink)
			w.sink.close()
			return
		}
		if w.losses.open() {
			calm.Reset(w.losses.calm)
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
	w.form = next.form()
	w.mu.Unlock()
	if len(batch) > 1 {
		lost, err := w.sink.write(batch)
		w.lost.Add(uint64(lost))
		w.losses.wrote(err)
	}
	w.mu.Lock()
	w.present = next
	w.mu.Unlock()
	w.spare = batch[:1]
	if cap(batch) > keepBytes {
		w.spare = []byte{'\n'}
	}
	w.report()
}

// report tells when lines have begun to be lost and when that is over.
func (w *Writer) report() {
	if loss, ok := w.losses.look(w.lost.Load(), time.Now()); ok && w.options.Report != nil {
		w.options.Report(loss)
	}
}
