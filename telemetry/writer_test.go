package telemetry

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func openLog(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o640)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func newTestWriter(t *testing.T, path string, o WriterOptions) *Writer {
	t.Helper()
	w, err := NewFileWriter(openLog(t, path), o)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func readLog(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func line(w *Writer, text string) { w.Line(time.Now(), SeverityInfo, []byte(text)) }

func TestWriterKeepsOrderAndWholeLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.log")
	w := newTestWriter(t, path, WriterOptions{})
	var want strings.Builder
	for i := range 5000 {
		text := fmt.Sprintf("line %d %s", i, strings.Repeat("x", i%300))
		want.WriteString(text + "\n")
		line(w, text)
		if i%1000 == 0 {
			w.Flush()
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got := readLog(t, path); got != want.String() {
		t.Errorf("%d bytes differ from the %d logged", len(got), want.Len())
	}
}

// Eight goroutines, two writers on one file as two workers have: no line is lost or torn.
func TestWritersOfManyGoroutinesShareAFile(t *testing.T) {
	const goroutines, each = 8, 20_000
	path := filepath.Join(t.TempDir(), "a.log")
	writers := []*Writer{newTestWriter(t, path, WriterOptions{MaxBytes: 64 << 20}), newTestWriter(t, path, WriterOptions{MaxBytes: 64 << 20})}
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			w := writers[g%2]
			for i := range each {
				line(w, fmt.Sprintf("%d %d %s|", g, i, strings.Repeat("y", i%200)))
			}
		})
	}
	wg.Wait()
	for _, w := range writers {
		if err := w.Close(); err != nil || w.Lost() != 0 {
			t.Fatalf("%v, %d lost", err, w.Lost())
		}
	}
	next := [goroutines]int{}
	for _, text := range strings.Split(strings.TrimSuffix(readLog(t, path), "\n"), "\n") {
		var g, i int
		if _, err := fmt.Sscanf(text, "%d %d", &g, &i); err != nil || i != next[g] ||
			text != fmt.Sprintf("%d %d %s|", g, i, strings.Repeat("y", i%200)) {
			t.Fatalf("torn or misplaced line %.40q", text)
		}
		next[g]++
	}
	if slices.Min(next[:]) != each || slices.Max(next[:]) != each {
		t.Errorf("lines per goroutine %v", next)
	}
}

func TestFlushAndFullBatchesStartAWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.log")
	w := newTestWriter(t, path, WriterOptions{Batch: 1000})
	defer w.Close()
	line(w, "short")
	w.Flush()
	if !eventually(func() bool { return readLog(t, path) == "short\n" }) {
		t.Error("Flush wrote nothing")
	}
	long := strings.Repeat("x", 1000)
	line(w, long)
	if !eventually(func() bool { return readLog(t, path) == "short\n"+long+"\n" }) {
		t.Error("a full batch was not written")
	}
}

func TestSetFileSendsWhatWasBufferedToTheOldFile(t *testing.T) {
	dir := t.TempDir()
	w := newTestWriter(t, filepath.Join(dir, "a.log"), WriterOptions{})
	line(w, "old")
	if err := w.SetFile(openLog(t, filepath.Join(dir, "b.log"))); err != nil {
		t.Fatal(err)
	}
	if got := readLog(t, filepath.Join(dir, "a.log")); got != "old\n" {
		t.Errorf("old file has %q when SetFile returns", got)
	}
	line(w, "new")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got := readLog(t, filepath.Join(dir, "a.log")) + readLog(t, filepath.Join(dir, "b.log")); got != "old\nnew\n" {
		t.Errorf("files have %q", got)
	}
}

func TestSetFileUnderLoadLosesNothing(t *testing.T) {
	const each = 5000
	dir := t.TempDir()
	w := newTestWriter(t, filepath.Join(dir, "0"), WriterOptions{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range each {
				line(w, "a line of some length")
			}
		})
	}
	for i := range 20 {
		if err := w.SetFile(openLog(t, filepath.Join(dir, fmt.Sprint(i+1)))); err != nil {
			t.Fatal(err)
		}
	}
	wg.Wait()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	count := 0
	for i := range 21 {
		for _, text := range strings.Split(strings.TrimSuffix(readLog(t, filepath.Join(dir, fmt.Sprint(i))), "\n"), "\n") {
			if text != "" && text != "a line of some length" {
				t.Fatalf("torn line %q", text)
			}
			if text != "" {
				count++
			}
		}
	}
	if count != 4*each || w.Lost() != 0 {
		t.Errorf("%d lines of %d, %d lost", count, 4*each, w.Lost())
	}
}

// A pipe that nobody reads stops neither those who log nor Flush: lines are dropped beyond the limit,
// and counted.
func TestWriterNeverWaitsForAPipeThatIsFull(t *testing.T) {
	r, p, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	const limit, each = 64 << 10, 20_000
	reports := make(chan Loss, each)
	w, err := NewFileWriter(p, WriterOptions{MaxBytes: limit, Report: func(l Loss) { reports <- l }})
	if err != nil {
		t.Fatal(err)
	}
	for i := range each {
		line(w, fmt.Sprintf("%6d %s", i, strings.Repeat("z", 90)))
		if i%100 == 0 {
			w.Flush()
		}
	}
	lost := w.Lost()
	if lost < each/2 || lost >= each {
		t.Errorf("%d of %d lines lost", lost, each)
	}
	read := make(chan []byte)
	go func() { // ends when Close closes the writing end
		var b bytes.Buffer
		b.ReadFrom(r)
		read <- b.Bytes()
	}()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if lines := bytes.Count(<-read, newline); uint64(lines)+w.Lost() != each {
		t.Errorf("%d lines arrived and %d were lost of %d", lines, w.Lost(), each)
	}
	if l := <-reports; len(reports) > 0 || l.Lost == 0 || l.Err != nil || l.Over {
		t.Errorf("%d more reports than %+v", len(reports), l)
	}
}

// A pipe that takes nothing any more does not keep a Writer from going over to another one.
func TestAStalledPipeIsLeftForAnotherTarget(t *testing.T) {
	r, p, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	w, err := NewFileWriter(p, WriterOptions{Batch: 1})
	if err != nil {
		t.Fatal(err)
	}
	line(w, strings.Repeat("z", 1<<20)) // more than the pipe holds
	path := filepath.Join(t.TempDir(), "a.log")
	w.stall = 2 * time.Second
	if err := w.SetFile(openLog(t, path)); err != nil {
		t.Fatal(err)
	}
	line(w, "next")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got := readLog(t, path); got != "next\n" || w.Lost() != 1 {
		t.Errorf("file has %q, %d lost", got, w.Lost())
	}
}

// What waits for a target that takes nothing gives up, and says so.
func TestWaitingForAStalledTargetIsBounded(t *testing.T) {
	r, p, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	w, err := NewFileWriter(p, WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	w.stall = 10 * time.Millisecond
	line(w, strings.Repeat("z", 1<<20)) // more than the pipe holds
	if err := w.Sync(); err != ErrStalled {
		t.Errorf("Sync: %v", err)
	}
	if err := w.Close(); err != ErrStalled {
		t.Errorf("Close: %v", err)
	}
	r.Close() // lets the writer's goroutine go
	<-w.done
	if w.Lost() != 1 {
		t.Errorf("%d lost", w.Lost())
	}
}

func TestMaxLinesBoundsWhatWaits(t *testing.T) {
	r, p, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	w, err := NewFileWriter(p, WriterOptions{MaxLines: 10})
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("z", 100_000) // more than the pipe holds: the writer's goroutine stops in it
	line(w, long)
	w.Flush()
	for range 1000 {
		line(w, "short")
	}
	if lost := w.Lost(); lost < 900 {
		t.Errorf("%d lost", lost)
	}
	read := make(chan int)
	go func() { // ends when Close closes the writing end
		var b bytes.Buffer
		b.ReadFrom(r)
		read <- bytes.Count(b.Bytes(), newline)
	}()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if n := <-read; uint64(n)+w.Lost() != 1001 {
		t.Errorf("%d arrived, %d lost", n, w.Lost())
	}
}

func TestWriterAfterClose(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.log")
	w := newTestWriter(t, path, WriterOptions{})
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	line(w, "late")
	w.Flush()
	if err := w.Sync(); err != ErrClosed {
		t.Errorf("Sync: %v", err)
	}
	if err := w.SetFile(openLog(t, path)); err != ErrClosed {
		t.Errorf("SetFile: %v", err)
	}
	if err := w.Close(); err != ErrClosed {
		t.Errorf("Close: %v", err)
	}
	if got := readLog(t, path); got != "" || w.Lost() != 1 {
		t.Errorf("file has %q, %d lost", got, w.Lost())
	}
}

func TestFuncWriterGivesTimeAndSeverity(t *testing.T) {
	at := time.Unix(0, 0x0a0a0a0a0a0a0a0a) // the stamp is made of newline bytes
	var got []string
	w := NewFuncWriter(func(when time.Time, severity Severity, text []byte) {
		got = append(got, fmt.Sprint(when.Equal(at), severity, string(text)))
	}, WriterOptions{})
	w.Line(at, SeverityWarning, []byte("one"))
	w.Line(at, SeverityInfo, nil)
	w.Line(at, SeverityError, []byte("two"))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if want := []string{"true4one", "true6", "true3two"}; strings.ReplaceAll(strings.Join(got, ","), " ", "") != strings.Join(want, ",") {
		t.Errorf("got %q", got)
	}
}

func TestLineAllocatesNothing(t *testing.T) {
	w := newTestWriter(t, filepath.Join(t.TempDir(), "a.log"), WriterOptions{})
	text := bytes.Repeat([]byte("x"), 150)
	now := time.Now()
	run := func() {
		for range 1000 {
			w.Line(now, SeverityInfo, text)
		}
	}
	for range 20 { // both buffers reach their size
		run()
		if err := w.Sync(); err != nil {
			t.Fatal(err)
		}
	}
	if allocs := testing.AllocsPerRun(20, run); allocs > 50 {
		t.Errorf("%v allocations per 1000 lines", allocs)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}
