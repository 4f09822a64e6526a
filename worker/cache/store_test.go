package cache

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pingap/arena"
	totals "pingap/arena/tally"
	"pingap/message"
	"pingap/worker/tally"
)

// both runs a test with both kinds of store.
func both(t *testing.T, test func(t *testing.T, c *Cache)) {
	t.Run("memory", func(t *testing.T) { test(t, NewMemory(8<<20)) })
	t.Run("files", func(t *testing.T) { test(t, openFiles(t, FileOptions{Dir: t.TempDir()})) })
}

func openFiles(t *testing.T, o FileOptions) *Cache {
	t.Helper()
	if o.Levels == nil {
		o.Levels = []int{1, 2}
	}
	c := NewFiles(o)
	if err := c.Open(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestFilesAreCounted(t *testing.T) {
	shared, err := arena.Create(arena.Options{Columns: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shared.Close() })
	fd, err := unix.FcntlInt(uintptr(shared.FD()), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	own, err := arena.Map(fd, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { own.Close() })
	writing, err := own.Counter(totals.Gauges()[totals.CacheWriting].Of(totals.Key{Kind: totals.HostBlock}))
	if err != nil {
		t.Fatal(err)
	}
	reading, err := own.Counter(totals.Gauges()[totals.CacheReading].Of(totals.Key{Kind: totals.HostBlock}))
	if err != nil {
		t.Fatal(err)
	}
	c := openFiles(t, FileOptions{Dir: t.TempDir(), Counts: tally.NewStorage(own)})
	f := fill(t, c, "/a", "", 5, 1<<20, "")
	f.Write([]byte("he"))
	if writing.Load() != 1 {
		t.Errorf("%d are being written", writing.Load())
	}
	f.Write([]byte("llo"))
	f.End(true)
	fill(t, c, "/torn", "", 5, 1<<20, "").End(false)
	for path, want := range map[string]string{"/a": "hello", "/torn": "", "/none": ""} {
		if got := bodyOf(t, c, path, ""); got != want {
			t.Errorf("%s: %q", path, got)
		}
	}
	words, _ := totals.Read(shared, totals.Key{Kind: totals.HostBlock}, nil)
	for _, id := range []totals.ID{totals.StorageReadTime, totals.StorageWriteTime} {
		family, all := &totals.Families()[id], int64(0)
		for i := range family.Words() - 1 {
			all += words[family.At+i]
		}
		if all != 1 {
			t.Errorf("%s: %d, want 1", family.Name, all)
		}
	}
	if writing.Load() != 0 || reading.Load() != 0 {
		t.Errorf("%d are written and %d read by nobody", writing.Load(), reading.Load())
	}
}

func keyFor(c *Cache, path string) (Key, []byte) {
	text := AppendKey(nil, "ns", Request{Host: []byte("a"), Target: []byte(path)})
	return c.KeyOf(text), text
}

// fill begins to store a response that was asked for now.
func fill(t *testing.T, c *Cache, path, head string, length, limit int64, request string) *Fill {
	t.Helper()
	k, text := keyFor(c, path)
	a := &Arrival{Status: 200, Fields: fields("Cache-Control: max-age=60\n" + head), Asked: time.Now(), Came: time.Now()}
	p := (&Settings{}).Policy(a)
	f := c.Begin(k, NewHead(string(text), a, &p, false), a, length, limit, fields(request))
	if f == nil {
		t.Fatalf("%s %s: refused", path, head)
	}
	return f
}

func keep(t *testing.T, c *Cache, path, head, body, request string) {
	t.Helper()
	f := fill(t, c, path, head, int64(len(body)), 1<<20, request)
	f.Write([]byte(body))
	f.End(true)
}

// found is the body of what is stored; empty for nothing.
func bodyOf(t *testing.T, c *Cache, path, request string) string {
	t.Helper()
	k, text := keyFor(c, path)
	o := c.Find(k, text, fields(request))
	if o == nil {
		return ""
	}
	defer o.Close()
	if o.File == nil {
		return string(o.Body)
	}
	b := make([]byte, o.Length)
	if _, err := o.File.ReadAt(b, o.Offset); err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestWhatCameWholeIsFound(t *testing.T) {
	both(t, func(t *testing.T, c *Cache) {
		keep(t, c, "/a", "X: 1", "hello", "")
		if got := bodyOf(t, c, "/a", ""); got != "hello" {
			t.Errorf("got %q", got)
		}
		if got := bodyOf(t, c, "/b", ""); got != "" {
			t.Errorf("another address: %q", got)
		}
		cut := fill(t, c, "/cut", "", 5, 100, "")
		cut.Write([]byte("hel"))
		cut.End(false)
		short := fill(t, c, "/short", "", 5, 100, "")
		short.Write([]byte("hel"))
		short.End(true)
		long := fill(t, c, "/long", "", message.LengthUnknown, 4, "")
		long.Write([]byte("hello"))
		long.End(true)
		for _, path := range []string{"/cut", "/short", "/long"} {
			if got := bodyOf(t, c, path, ""); got != "" {
				t.Errorf("%s is stored: %q", path, got)
			}
		}
		k, _ := keyFor(c, "/a")
		c.Remove(k)
		if got := bodyOf(t, c, "/a", ""); got != "" {
			t.Errorf("removed, and there: %q", got)
		}
	})
}

func TestVariantsAreApart(t *testing.T) {
	both(t, func(t *testing.T, c *Cache) {
		keep(t, c, "/a", "Vary: X", "one", "X: 1")
		keep(t, c, "/a", "Vary: X", "two", "X: 2")
		for request, want := range map[string]string{"X: 1": "one", "X: 2": "two", "X: 3": "", "": ""} {
			if got := bodyOf(t, c, "/a", request); got != want {
				t.Errorf("%q: %q", request, got)
			}
		}
		keep(t, c, "/a", "Vary: Y", "three", "X: 1\nY: 1")
		if got := bodyOf(t, c, "/a", "X: 1\nY: 1"); got != "three" {
			t.Errorf("with another field: %q", got)
		}
		if got := bodyOf(t, c, "/a", "X: 2\nY: 1"); got != "" {
			t.Errorf("fields are joined: %q", got)
		}
		k, _ := keyFor(c, "/a")
		c.Remove(k)
		if got := bodyOf(t, c, "/a", "X: 1\nY: 1"); got != "" {
			t.Errorf("a variant outlived its address: %q", got)
		}
	})
}

func TestManyReadAlong(t *testing.T) {
	both(t, func(t *testing.T, c *Cache) {
		for _, length := range []int64{300 << 10, message.LengthUnknown} {
			f := fill(t, c, "/a", "", length, 1<<20, "")
			want := bytes.Repeat([]byte("0123456789abcdef"), 300<<10/16)
			var readers sync.WaitGroup
			for range 8 {
				r := f.Read()
				readers.Add(1)
				go func() {
					defer readers.Done()
					if got, err := all(r); err != nil || !bytes.Equal(got, want) {
						t.Errorf("%d bytes, %v", len(got), err)
					}
				}()
			}
			if !f.Wanted() {
				t.Error("nobody reads")
			}
			for rest := want; len(rest) > 0; {
				n := min(len(rest), 10_000)
				f.Write(rest[:n])
				rest = rest[n:]
			}
			f.End(true)
			readers.Wait()
			if f.Wanted() {
				t.Error("somebody still reads")
			}
			if got := bodyOf(t, c, "/a", ""); got != string(want) {
				t.Errorf("stored %d bytes", len(got))
			}
		}
	})
}

// all reads to the end.
func all(r *Reader) (got []byte, err error) {
	defer func() { err = errors.Join(err, r.Close()) }()
	for {
		p, err := r.Next()
		if errors.Is(err, io.EOF) {
			return got, nil
		}
		if err != nil {
			return got, err
		}
		got = append(got, p...)
	}
}

func TestReadersOfABodyThatGetsTooLong(t *testing.T) {
	both(t, func(t *testing.T, c *Cache) {
		f := fill(t, c, "/a", "", message.LengthUnknown, 100, "")
		quick, slow := f.Read(), f.Read()
		var got []byte
		for i := range 100 {
			f.Write(bytes.Repeat([]byte{byte(i)}, 50))
			p, err := quick.Next()
			if err != nil {
				t.Fatal(i, err)
			}
			got = append(got, p...)
		}
		f.End(true)
		if len(got) != 5000 || got[4999] != 99 {
			t.Errorf("%d bytes", len(got))
		}
		if _, err := all(slow); !errors.Is(err, errCut) {
			t.Errorf("who is slow: %v", err)
		}
		if err := quick.Close(); err != nil {
			t.Error(err)
		}
		if cap(f.data) > 1000 {
			t.Errorf("%d bytes are held", cap(f.data))
		}
		if f.Read() != nil {
			t.Error("who comes late reads from the middle")
		}
		if got := bodyOf(t, c, "/a", ""); got != "" {
			t.Error("stored")
		}
	})
}

func TestReadersLearnOfTheCut(t *testing.T) {
	both(t, func(t *testing.T, c *Cache) {
		f := fill(t, c, "/a", "", 10, 100, "")
		r := f.Read()
		f.Write([]byte("abc"))
		f.End(false)
		if got, err := all(r); string(got) != "abc" || !errors.Is(err, errCut) {
			t.Errorf("%q %v", got, err)
		}
	})
}

func TestPurges(t *testing.T) {
	both(t, func(t *testing.T, c *Cache) {
		cases := []struct {
			purge Purge
			gone  string
			count int
		}{
			{Purge{Namespace: "ns", Host: "a", Target: "/x/1", Exact: true}, "/x/1", 1},
			{Purge{Namespace: "ns", Host: "a", Target: "/x/"}, "/x/1 /x/2", 2},
			{Purge{Namespace: "ns", Host: "b", Target: "/"}, "", 0},
			{Purge{Namespace: "other"}, "", 0},
			{Purge{Namespace: "ns", Tags: []string{"red", "none"}}, "/x/1 /y", 2},
			{Purge{Namespace: "ns"}, "/x/1 /x/2 /y", 3},
		}
		for _, one := range cases {
			keep(t, c, "/x/1", "Cache-Tag: red, blue", "x1", "")
			keep(t, c, "/x/2", "Surrogate-Key: reddish", "x2", "")
			keep(t, c, "/y", "Surrogate-Key: green red\nVary: Z", "y", "Z: 1")
			late := fill(t, c, "/x/late", "Cache-Tag: red", 1, 10, "") // on its way
			message, err := one.purge.Message()
			if err != nil {
				t.Fatal(err)
			}
			p, err := ReadPurge(message)
			if err != nil {
				t.Fatal(err)
			}
			if removed, failed := c.Purge(p); removed != one.count || failed != 0 {
				t.Errorf("%+v: %d removed, %d failed", one.purge, removed, failed)
			}
			late.Write([]byte("l"))
			late.End(true)
			for _, path := range []string{"/x/1", "/x/2", "/y", "/x/late"} {
				gone := strings.Contains(one.gone+" ", path+" ") || path == "/x/late" && len(one.gone) > 5
				if got := bodyOf(t, c, path, "Z: 1"); (got == "") != gone {
					t.Errorf("%+v: %s is %q", one.purge, path, got)
				}
			}
			c.Purge(&Purge{Namespace: "ns"})
		}
	})
}

func TestFreshenedHeadKeepsTheBody(t *testing.T) {
	both(t, func(t *testing.T, c *Cache) {
		keep(t, c, "/a", "ETag: \"a\"\nX: 1", "hello", "")
		k, text := keyFor(c, "/a")
		o := c.Find(k, text, nil)
		s := Settings{}
		h := s.Freshen(o.Head, &Arrival{Status: 304, Fields: fields("Cache-Control: max-age=5\nX: 2"), Asked: time.Now(), Came: time.Now()})
		fresh := c.Replace(k, o, h, nil)
		if fresh == nil {
			t.Fatal("refused")
		}
		fresh.Close()
		o = c.Find(k, text, nil)
		defer o.Close()
		if x := get(o.Fields, message.CacheControl); string(x) != "max-age=5" || o.Lifetime != int64(5*time.Second) {
			t.Errorf("%s, %d", x, o.Lifetime)
		}
		if got := bodyOf(t, c, "/a", ""); got != "hello" {
			t.Errorf("body %q", got)
		}
	})
}

func TestFlights(t *testing.T) {
	c := NewMemory(1 << 20)
	k, _ := keyFor(c, "/a")
	first, leads := c.Join(k)
	if !leads {
		t.Fatal("somebody else leads")
	}
	second, leads := c.Join(k)
	if leads || second != first {
		t.Fatal("two lead")
	}
	if _, ok := second.Wait(time.Millisecond); ok {
		t.Error("something came")
	}
	first.Share(fill(t, c, "/a", "Vary: X", 1, 10, "X: 1"), fields("X: 1"))
	if r, ok := second.Wait(time.Minute); !ok || r != Filling || second.Fill(fields("X: 1")) == nil || second.Fill(fields("X: 2")) != nil {
		t.Errorf("%d %v", r, ok)
	}
	first.End(Stored)
	first.End(Stored)
	third, leads := c.Join(k)
	if !leads {
		t.Error("the flight goes on")
	}
	third.End(Refused)
	if r, ok := third.Wait(0); !ok || r != Refused {
		t.Errorf("%d %v", r, ok)
	}
}

func TestOneRefreshesAtATime(t *testing.T) {
	c := NewMemory(1 << 20)
	k, _ := keyFor(c, "/a")
	if !c.Refresh(k, 10, 20) || c.Refresh(k, 11, 20) || !c.Refresh(k, 20, 30) {
		t.Error("not one at a time")
	}
	if c.Refreshed(k, 25); c.Refresh(k, 24, 30) {
		t.Error("no pause after a failure")
	}
	if c.Refreshed(k, 0); !c.Refresh(k, 24, 30) {
		t.Error("not after the end")
	}
}

func TestTornFilesAreMissesAndGo(t *testing.T) {
	dir := t.TempDir()
	c := openFiles(t, FileOptions{Dir: dir})
	damages := map[string]func(b []byte) []byte{
		"short":       func(b []byte) []byte { return b[:len(b)-1] },
		"long":        func(b []byte) []byte { return append(b, 0) },
		"empty":       func([]byte) []byte { return nil },
		"head":        func(b []byte) []byte { b[preludeSize+3] ^= 1; return b },
		"prelude":     func(b []byte) []byte { b[9] ^= 1; return b },
		"zeros":       func(b []byte) []byte { return make([]byte, len(b)) },
		"other boot":  func(b []byte) []byte { return reboot(b, false) },
		"torn by one": func(b []byte) []byte { return reboot(b, true) },
	}
	for name, damage := range damages {
		keep(t, c, "/a", "", "hello", "")
		k, _ := keyFor(c, "/a")
		path := c.files.path(k)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, damage(b), 0o600); err != nil {
			t.Fatal(err)
		}
		got := bodyOf(t, c, "/a", "")
		if name == "other boot" {
			if got != "hello" {
				t.Errorf("%s: %q", name, got)
			}
			continue
		}
		if _, err := os.Stat(path); got != "" || !os.IsNotExist(err) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// reboot makes a file one of another boot, with a wrong byte in its body if torn.
func reboot(b []byte, torn bool) []byte {
	p, err := decodePrelude(b, int64(len(b)))
	if err != nil {
		panic(err)
	}
	p.boot++
	copy(b, p.encode(b[preludeSize:preludeSize+p.head]))
	if torn {
		b[len(b)-1] ^= 1
	}
	return b
}

func TestFilesSurviveAndAreShared(t *testing.T) {
	dir := t.TempDir()
	a := openFiles(t, FileOptions{Dir: dir})
	keep(t, a, "/a", "Vary: X", "hello", "X: 1")
	b := openFiles(t, FileOptions{Dir: dir})
	if got := bodyOf(t, b, "/a", "X: 1"); got != "hello" {
		t.Errorf("got %q", got)
	}
	info, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	if sub, err := os.Stat(filepath.Join(dir, "objects")); err != nil || sub.Mode().Perm() != 0o700 {
		t.Errorf("%v %v %v", info.Mode(), sub, err)
	}
}

func TestLeadersOfTwoProcessesTakeTurns(t *testing.T) {
	dir := t.TempDir()
	a, b := openFiles(t, FileOptions{Dir: dir}), openFiles(t, FileOptions{Dir: dir}) // as two processes: a descriptor of its own each
	k, _ := keyFor(a, "/a")
	first, _ := a.Join(k)
	if a.LockAll(first, time.Minute) {
		t.Error("waited for nobody")
	}
	second, _ := b.Join(k)
	if !b.LockAll(second, 20*time.Millisecond) || second.lock != nil {
		t.Error("two lead")
	}
	done := make(chan bool)
	go func() { done <- b.LockAll(second, time.Minute) }()
	first.End(Stored)
	if <-done; second.lock == nil {
		t.Error("did not get its turn")
	}
	second.End(Stored)
}

func TestFilesAreBounded(t *testing.T) {
	dir := t.TempDir()
	const limit = 64 << 12
	c := openFiles(t, FileOptions{Dir: dir, MaxSize: limit})
	for i := range 300 {
		k, text := keyFor(c, fmt.Sprintf("/%d", i))
		a := &Arrival{Status: 200, Fields: fields("Cache-Control: max-age=60"), Asked: time.Now(), Came: time.Now()}
		p := (&Settings{}).Policy(a)
		c.Put(k, NewHead(string(text), a, &p, false), a, make([]byte, 3000), nil) // refused while it is full
	}
	c.Close() // waits for a sweep
	if err := c.Open(); err != nil {
		t.Fatal(err)
	}
	var sum int64
	err := filepath.WalkDir(filepath.Join(dir, "objects"), func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			sum += sizeOf(path)
		}
		return err
	})
	if err != nil || sum > limit || sum == 0 {
		t.Errorf("%d bytes of %d, %v", sum, limit, err)
	}
}

func TestSweepRemovesWhatIsOldestAndUnused(t *testing.T) {
	dir := t.TempDir()
	c := openFiles(t, FileOptions{Dir: dir, MaxSize: 1 << 30, Inactive: time.Hour})
	for _, path := range []string{"/old", "/older", "/new"} {
		keep(t, c, path, "", "hello", "")
	}
	set := func(path string, age time.Duration) {
		k, _ := keyFor(c, path)
		at := time.Now().Add(-age)
		if err := os.Chtimes(c.files.path(k), at, at); err != nil {
			t.Fatal(err)
		}
	}
	set("/old", 30*time.Minute)
	set("/older", 2*time.Hour)
	left := filepath.Join(dir, "tmp", "w0")
	if err := os.MkdirAll(left, 0o700); err != nil {
		t.Fatal(err)
	}
	c.files.sweep(nil)
	if bodyOf(t, c, "/older", "") != "" || bodyOf(t, c, "/old", "") == "" || bodyOf(t, c, "/new", "") == "" {
		t.Error("not what was unused went")
	}
	if _, err := os.Stat(left); !os.IsNotExist(err) {
		t.Errorf("what a dead process wrote is there: %v", err)
	}
	if _, err := os.Stat(c.files.spools); err != nil {
		t.Errorf("own directory: %v", err)
	}
	set("/old", 30*time.Minute)
	set("/new", 10*time.Minute)
	c.files.options.MaxSize = 9000 // two files of 4096 are more than 7/8 of it, one is less than 3/4
	c.files.sweep(nil)
	if bodyOf(t, c, "/old", "") != "" || bodyOf(t, c, "/new", "") == "" {
		t.Error("not the oldest went")
	}
}

func TestUseIsNoted(t *testing.T) {
	c := openFiles(t, FileOptions{Dir: t.TempDir()})
	keep(t, c, "/a", "", "hello", "")
	k, _ := keyFor(c, "/a")
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(c.files.path(k), old, old); err != nil {
		t.Fatal(err)
	}
	bodyOf(t, c, "/a", "")
	if info, err := os.Stat(c.files.path(k)); err != nil || time.Since(info.ModTime()) > time.Minute {
		t.Errorf("%v %v", info, err)
	}
}

func TestAnEmptiedDirectoryIsFilledAgain(t *testing.T) {
	dir := t.TempDir()
	c := openFiles(t, FileOptions{Dir: dir})
	keep(t, c, "/a", "", "hello", "")
	for _, sub := range []string{"objects", "tmp", "lock"} {
		if err := os.RemoveAll(filepath.Join(dir, sub)); err != nil {
			t.Fatal(err)
		}
	}
	if got := bodyOf(t, c, "/a", ""); got != "" {
		t.Errorf("got %q", got)
	}
	keep(t, c, "/a", "", "again", "")
	if got := bodyOf(t, c, "/a", ""); got != "again" {
		t.Errorf("got %q", got)
	}
}

func FuzzFile(f *testing.F) {
	a := arrival(200, "Cache-Control: max-age=60\nETag: \"a\"")
	p := (&Settings{}).Policy(a)
	head := encodeHead(NewHead("ns\nhttp://a/", a, &p, false))
	pre := prelude{boot: 1}
	f.Add(append(pre.encode(head), head...))
	mark := encodeHead(&Head{Key: "k", Names: []string{"a"}, Generation: 7})
	f.Add(append(pre.encode(mark), mark...))
	f.Add([]byte(fileMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		if h, err := decodeHead(b); err == nil {
			again, err := decodeHead(encodeHead(h))
			if err != nil || again.Key != h.Key || len(again.Fields) != len(h.Fields) || again.Born != h.Born {
				t.Fatalf("%+v is not read back: %v", h, err)
			}
		}
		p, err := decodePrelude(b, int64(len(b)))
		if err != nil {
			return
		}
		if _, err := decodeFile(b, &p); err != nil {
			return
		}
	})
}
