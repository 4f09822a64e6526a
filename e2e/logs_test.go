package e2e

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
)

// ledgerLoad makes requests whose paths are all different, on connections that are used for some of them, until stop is closed.
type ledgerLoad struct {
	sum  []int // requests by client
	stop chan struct{}
	wg   sync.WaitGroup
}

func runLedger(t *testing.T, addr string, clients int) *ledgerLoad {
	n := &ledgerLoad{sum: make([]int, clients), stop: make(chan struct{})}
	for c := range clients {
		n.wg.Go(func() { n.client(t, addr, c) }) // ends with stop
	}
	return n
}

func (n *ledgerLoad) client(t *testing.T, addr string, number int) {
	for {
		c, err := connect(addr)
		if err != nil {
			t.Errorf("client %d: %v", number, err)
			return
		}
		for range 50 {
			a, err := c.do(get(fmt.Sprintf("/%d/%d/%s", number, n.sum[number], strings.Repeat("x", 100))))
			if err != nil || a.status != 200 {
				t.Errorf("client %d, request %d: %+v, %v", number, n.sum[number], a, err)
				c.close()
				return
			}
			n.sum[number]++
			select {
			case <-n.stop:
				c.close()
				return
			default:
			}
		}
		c.close()
	}
}

// end stops the clients.
func (n *ledgerLoad) end() {
	close(n.stop)
	n.wg.Wait()
}

// accounts fails the test unless every request has exactly one line in the files.
func (n *ledgerLoad) accounts(t *testing.T, files []string) {
	t.Helper()
	seen := map[[2]int]int{}
	for _, f := range files {
		for line := range strings.Lines(logText(t, f)) {
			var k [2]int
			if _, err := fmt.Sscanf(line, "/%d/%d/", &k[0], &k[1]); err != nil || line != fmt.Sprintf("/%d/%d/%s 200\n", k[0], k[1], strings.Repeat("x", 100)) {
				t.Fatalf("%s: line %q", f, line)
			}
			seen[k]++
		}
	}
	all := 0
	for c, sum := range n.sum {
		all += sum
		for k := range sum {
			if seen[[2]int{c, k}] != 1 {
				t.Errorf("request %d/%d has %d lines", c, k, seen[[2]int{c, k}])
			}
		}
	}
	if len(seen) != all || all == 0 {
		t.Errorf("%d lines of %d requests", len(seen), all)
	}
	t.Logf("%d requests in %d files", all, len(files))
}

// logText is the content of a log file, compressed or not.
func logText(t *testing.T, path string) string {
	t.Helper()
	data := []byte(read(t, path))
	var r io.Reader = bytes.NewReader(data)
	var err error
	switch filepath.Ext(path) {
	case ".gz":
		r, err = gzip.NewReader(r)
	case ".zst":
		r, err = zstd.NewReader(r)
	}
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return string(text)
}

func matching(t *testing.T, pattern string) []string {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// Two workers write one file, which is put aside whenever it has grown, and compressed: every request has its line, once. The process that
// compresses is killed again and again.
func TestNoLineIsLostOrTwiceWhenLogsArePutAsideUnderLoad(t *testing.T) {
	t.Parallel()
	for _, algorithm := range []string{"gzip", "zstd"} {
		t.Run(algorithm, func(t *testing.T) {
			dir, addr := workDir(t), freePort(t)
			log := filepath.Join(dir, "logs", "access.log")
			i := start(t, insert(mockConf(addr, "x"), "servers.web",
				fmt.Sprintf("access_log = %q", log+"?rolling=never&max_size=64kib&compression="+algorithm+" {uri} {status}")))
			load := runLedger(t, addr, 4)
			kills, killing := make(chan int), make(chan struct{})
			go func() { kills <- killTidy(i.cmd.Process.Pid, killing) }() // ends with killing
			i.eventually("files put aside", func() error { return atLeast(int64(len(matching(t, log+".2*"))), 4) })
			close(killing)
			t.Logf("%d processes killed", <-kills)
			i.eventually("archives", func() error {
				return atLeast(int64(len(matching(t, log+".*.gz"))+len(matching(t, log+".*.zst"))), 3)
			})
			load.end()
			if r := i.verb("stop"); r.code != 0 {
				t.Fatalf("stop: %s", r.all())
			}
			load.accounts(t, matching(t, log+"*"))
			if left := matching(t, filepath.Join(dir, "logs", ".*")); len(left) > 1 { // of one that the stop has killed
				t.Errorf("left %v", left)
			}
		})
	}
}

// killTidy kills what compresses for an instance as soon as it is seen, until end is closed.
func killTidy(parent int, end chan struct{}) (kills int) {
	for {
		select {
		case <-end:
			return kills
		case <-time.After(2 * time.Millisecond):
		}
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", parent, parent))
		for _, pid := range childrenOf(parent, string(text)) {
			if strings.HasPrefix(cmdline(pid), "pingap: tidy") && syscall.Kill(pid, syscall.SIGKILL) == nil {
				kills++
			}
		}
	}
}

// childrenOf are those of all threads of a process.
func childrenOf(parent int, first string) (pids []int) {
	texts := []string{first}
	threads, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", parent))
	for _, thread := range threads {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", parent, thread.Name()))
		texts = append(texts, string(text))
	}
	for _, f := range strings.Fields(strings.Join(texts, " ")) {
		var pid int
		if _, err := fmt.Sscan(f, &pid); err == nil && !slices.Contains(pids, pid) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// Only so many files are kept, of the access log and of the application log; what others have put beside them stays.
func TestOldLogFilesAreRemoved(t *testing.T) {
	t.Parallel()
	dir, addr := workDir(t), freePort(t)
	log, app := filepath.Join(dir, "logs", "access.log"), filepath.Join(dir, "logs", "app.log")
	if err := os.MkdirAll(filepath.Dir(log), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{log + ".1", log + ".2026-01-01", app + ".old.gz"} {
		write(t, name, "of somebody else\n")
	}
	conf := insert(mockConf(addr, "x"), "servers.web", fmt.Sprintf("access_log = %q", log+"?rolling=never&max_size=32kib&max_files=2&compression=gzip {uri} {status}"))
	i := start(t, conf, "--log", app+"?rolling=never&max_size=4kib&max_files=1")
	load := runLedger(t, addr, 2)
	i.eventually("a removed file", func() error {
		if text := read(t, app) + strings.Join(readAll(t, matching(t, app+".2*")), ""); !strings.Contains(text, "old log file removed") {
			return fmt.Errorf("not said; %v", matching(t, log+"*"))
		}
		return nil
	})
	load.end()
	if r := i.verb("reopen"); r.code != 0 { // looks after the files once more
		t.Fatalf("reopen: %s", r.all())
	}
	i.eventually("few files", func() error {
		if a, b := matching(t, log+".*Z*"), matching(t, app+".*Z*"); len(a) > 2 || len(b) > 1 {
			return fmt.Errorf("%v, %v", a, b)
		}
		return nil
	})
	for _, name := range []string{log + ".1", log + ".2026-01-01", app + ".old.gz"} {
		if read(t, name) != "of somebody else\n" {
			t.Errorf("%s is changed", name)
		}
	}
}

func readAll(t *testing.T, names []string) (texts []string) {
	for _, n := range names {
		if data, err := os.ReadFile(n); err == nil { // it may be gone by now
			texts = append(texts, string(data))
		}
	}
	return texts
}

// Old files of a log that rolls by date are compressed once a day, as [basic] says; a log that goes its own way is not.
func TestOldLogFilesAreCompressedInTheirHour(t *testing.T) {
	t.Parallel()
	for time.Now().Minute() == 59 { // the hour must not end meanwhile
		time.Sleep(time.Second)
	}
	dir, addr := workDir(t), freePort(t)
	log := filepath.Join(dir, "access.log")
	for _, name := range []string{".2026-01-01", ".2026-01-02", ".2026-01-02.old", ".1"} {
		write(t, log+name, "line"+name+"\n")
	}
	conf := func(hour int) string {
		return insert(mockConf(addr, "x"), "servers.web", fmt.Sprintf("access_log = %q", log+" {uri}")) +
			fmt.Sprintf("\n[basic]\nlog_compress_algorithm = \"gzip\"\nlog_compress_days_ago = 0\nlog_compress_time_point_hour = %d\n", hour)
	}
	i := start(t, conf((time.Now().Hour()+12)%24))
	i.change(conf(time.Now().Hour()))
	i.eventually("archives", func() error { return atLeast(int64(len(matching(t, log+".*.gz"))), 2) })
	for _, name := range []string{".2026-01-01", ".2026-01-02"} {
		if text := logText(t, log+name+".gz"); text != "line"+name+"\n" {
			t.Errorf("%s holds %q", name, text)
		}
		i.eventually("one of the two", func() error {
			if _, err := os.Stat(log + name); err == nil {
				return fmt.Errorf("%s is still there", name)
			}
			return nil
		})
	}
	for _, name := range []string{".2026-01-02.old", ".1"} {
		if read(t, log+name) != "line"+name+"\n" {
			t.Errorf("%s is changed", name)
		}
	}
}

// Options of files are hot, and of two servers that share a file must be the same.
func TestOptionsOfLogFilesAreHot(t *testing.T) {
	t.Parallel()
	addr := freePort(t)
	log := filepath.Join(workDir(t), "access.log")
	conf := func(options string) string {
		return insert(mockConf(addr, "x"), "servers.web", fmt.Sprintf("access_log = %q", log+"?rolling=never"+options+" {uri} {status}"))
	}
	i := start(t, conf(""))
	before := i.status().pids()
	load := runLedger(t, addr, 2)
	i.eventually("a large file", func() error {
		st, err := os.Stat(log)
		if err != nil {
			return err
		}
		return atLeast(st.Size(), 64<<10)
	})
	i.change(conf("&max_size=16kib&max_files=1000"))
	i.eventually("files put aside", func() error { return atLeast(int64(len(matching(t, log+".*"))), 2) })
	write(t, i.conf, conf("&max_size=16kib")+fmt.Sprintf("\n[servers.other]\naddr = %q\nlocations = [\"all\"]\naccess_log = %q\n",
		freePort(t), log+"?rolling=never&max_size=32kib tiny"))
	if r := i.verb("reload"); r.code == 0 || !strings.Contains(r.all(), "other options of rotation") {
		t.Errorf("two options for a file: %s", r.all())
	}
	if now := i.status().pids(); !slices.Equal(before, now) {
		t.Errorf("workers %v became %v", before, now)
	}
	load.end()
	if r := i.verb("stop"); r.code != 0 {
		t.Fatalf("stop: %s", r.all())
	}
	load.accounts(t, matching(t, log+"*"))
}
