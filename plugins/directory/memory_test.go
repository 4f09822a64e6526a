package directory

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"pingap/message"
	"pingap/plugins"
	"pingap/plugins/plugintest"
)

// keeping is an instance that keeps files at once, with its memory.
func keeping(t testing.TB, root, table string) (*plugins.Instance, *memory) {
	t.Helper()
	x := instance(t, root, table)
	m := x.Decider.(*directory).memory
	m.settled = 0
	return x, m
}

func TestSmallFilesAreKeptOnceAskedForAgain(t *testing.T) {
	root := tree(t, map[string]string{"small": "0123456789", "empty": "", "large": strings.Repeat("x", largestKept+1), "largest": strings.Repeat("x", largestKept), "a.gz": "packed", "a": "plain"})
	for _, table := range []string{"follow_symlinks = true", ""} {
		x, m := keeping(t, root, table+"\nprecompressed = [\"gzip\"]")
		for _, name := range []string{"small", "empty", "large", "largest", "a"} {
			var before string
			for n := range 4 {
				a, body := ask(t, x, "GET /"+name+"\nAccept-Encoding: gzip")
				kept := n > 0 && (name == "small" || name == "largest" || name == "a")
				if a.Status != 200 || (a.File == nil) != kept || len(body) == 0 != (name == "empty") {
					t.Errorf("%q %s, request %d: %d, from memory %t, %d bytes", table, name, n+1, a.Status, a.File == nil, len(body))
				}
				if fields := plugintest.FieldText(a.Fields); before != "" && fields != before {
					t.Errorf("%s: fields\n%sbefore\n%s", name, fields, before)
				} else {
					before = fields
				}
			}
		}
		if a, body := ask(t, x, "GET /small\nRange: bytes=2-4"); a.Status != 206 || body != "234" || plugintest.Field(a, "Content-Range") != "bytes 2-4/10" {
			t.Errorf("a part: %d %q", a.Status, body)
		}
		if a, _ := ask(t, x, "GET /small\nIf-None-Match: *"); a.Status != 304 || a.Body != nil {
			t.Errorf("not modified: %d %q", a.Status, a.Body)
		}
		if len(m.files) != 3 {
			t.Errorf("%d files are kept", len(m.files))
		}
	}
	x := instance(t, root, "memory = 0")
	for range 3 {
		if a, _ := ask(t, x, "GET /small"); a.File == nil {
			t.Error("kept where nothing is to be")
		}
	}
}

// Whatever happens to a file shows with the next request.
func TestWhatIsKeptIsLookedAtEachTime(t *testing.T) {
	root := tree(t, map[string]string{"f": "old", "other": "new", "dir/x": ""})
	path := filepath.Join(root, "f")
	x, m := keeping(t, root, "")
	want := func(what, body string, status int) {
		t.Helper()
		for range 3 {
			if a, got := ask(t, x, "GET /f"); a.Status != status || status == 200 && got != body {
				t.Errorf("%s: %d %q, want %q", what, a.Status, got, body)
			}
		}
	}
	want("first", "old", 200)
	for i := range 5 {
		m.settled = 0
		time.Sleep(20 * time.Millisecond) // a tick of the kernel's clock: this is about files that have settled
		text := fmt.Sprint("no", i)
		must(t, os.WriteFile(path, []byte(text), 0o644))
		must(t, os.Chtimes(path, changed, changed)) // the same length and time as before
		want("written in place", text, 200)
	}
	time.Sleep(20 * time.Millisecond)
	must(t, os.Rename(filepath.Join(root, "other"), path))
	want("renamed", "new", 200)
	must(t, os.Remove(path))
	want("removed", "", 404)
	must(t, os.Mkdir(path, 0o755))
	want("a directory", "", 404)
	if len(m.files) != 0 || m.bytes != 0 {
		t.Errorf("%d files, %d bytes are kept", len(m.files), m.bytes)
	}
}

// A file that is being written is read each time.
func TestFreshFilesAreNotKept(t *testing.T) {
	root := tree(t, map[string]string{"f": "old"})
	x := instance(t, root, "")
	for range 3 {
		if a, _ := ask(t, x, "GET /f"); a.File == nil {
			t.Error("kept, a moment after it was written")
		}
	}
}

func TestMemoryIsBounded(t *testing.T) {
	files := map[string]string{}
	for n := range 40 {
		files[fmt.Sprintf("f%d", n)] = strings.Repeat("x", 1000*n+1)
	}
	root := tree(t, files)
	x, m := keeping(t, root, "memory = \"50kb\"")
	for range 3 {
		for name, text := range files {
			for range 2 {
				if a, body := ask(t, x, "GET /"+name); a.Status != 200 || body != text {
					t.Fatalf("%s: %d", name, a.Status)
				}
			}
			sum := int64(0)
			for _, k := range m.files {
				sum += k.cost()
			}
			if sum != m.bytes || sum > 50_000 {
				t.Fatalf("%d bytes are kept, counted %d", sum, m.bytes)
			}
		}
	}
	if len(m.files) == 0 {
		t.Error("nothing is kept")
	}
}

func TestMemoryIsSharedByGoroutines(t *testing.T) {
	root := tree(t, map[string]string{"a": "aaaa", "b": "bbbb", "c": "cccc"})
	x, _ := keeping(t, root, "memory = 1100") // room for two
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			var e plugins.Exchange
			e.Conn = &message.Conn{}
			for n := range 200 {
				name := "abc"[(n+g)%3]
				plugintest.SetRequest(t, &e, "GET /"+string(name))
				a := x.Decider.Decide(&e).Answer
				if a.File != nil {
					a.File.File.Close()
				} else if a.Status != 200 || string(a.Body) != strings.Repeat(string(name), 4) {
					t.Errorf("%c: %d %q", name, a.Status, a.Body)
				}
			}
		})
	}
	wg.Wait()
}
