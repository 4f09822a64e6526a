package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

func loggedConf(addr, backends, directive string) string {
	return insert(proxyConf(addr, backends), "servers.web", fmt.Sprintf("access_log = %q", directive))
}

// Every request has its line, in one of the files, whatever is renamed and reopened meanwhile.
func TestNoLineIsLostWhenLogsAreRotatedUnderLoad(t *testing.T) {
	t.Parallel()
	b := newBackend(t, "app")
	dir, addr := workDir(t), freePort(t)
	log := filepath.Join(dir, "logs", "access.log")
	i := start(t, loggedConf(addr, b.addr, log+"?rolling=never combined"))
	l := runLoad(t, addr, usualMix(2)...)
	var files []string
	for n := range 5 {
		l.progress(t, 100)
		old := fmt.Sprintf("%s.%d", log, n)
		rename(t, log, old)
		files = append(files, old)
		if n%2 == 1 {
			i.signal(syscall.SIGUSR1)
			i.eventually("the new file", func() error { _, err := os.Stat(log); return err })
			continue
		}
		r := i.verb("reopen")
		if r.code != 0 {
			t.Fatalf("reopen: %s", r.all())
		}
		contains(t, r.stdout, log)
		before := read(t, old)
		l.progress(t, 20)
		if read(t, old) != before {
			t.Error("the old file grew after reopen had returned")
		}
	}
	l.mustBeClean(t)
	if r := i.verb("stop"); r.code != 0 {
		t.Fatalf("stop: %s", r.all())
	}
	sum := 0
	line := regexp.MustCompile(`^127\.0\.0\.1 "(GET|POST) /load HTTP/1\.1" 200 \d+B "-" "-"$`)
	for _, f := range append(files, log) {
		for _, text := range strings.Split(strings.TrimSuffix(read(t, f), "\n"), "\n") {
			sum++
			if !line.MatchString(text) {
				t.Fatalf("%s: line %q", f, text)
			}
		}
	}
	if done := l.done.Load(); uint64(sum) != done {
		t.Errorf("%d lines of %d requests", sum, done)
	}
}

func TestLinesAreWrittenSoonAndRollByDate(t *testing.T) {
	t.Parallel()
	b := newBackend(t, "app")
	for rolling, layout := range map[string]string{"daily": "2006-01-02", "hourly": "2006-01-02-15", "minutely": "2006-01-02-15-04"} {
		dir, addr := workDir(t), freePort(t)
		log := filepath.Join(dir, "access.log")
		i := start(t, loggedConf(addr, b.addr, log+"?rolling="+rolling+" {status} {uri}"))
		mustGet(t, addr, "/rolled", 200)
		i.eventually("the line", func() error {
			// The date may change while the test runs.
			for _, at := range []time.Time{time.Now(), time.Now().Add(-2 * time.Second)} {
				text, err := os.ReadFile(log + "." + at.UTC().Format(layout))
				if err == nil && string(text) == "200 /rolled\n" {
					return nil
				}
			}
			names, _ := filepath.Glob(dir + "/*")
			return fmt.Errorf("%s: files %v", rolling, names)
		})
	}
}

func TestAccessLogToStandardOutputAndJSON(t *testing.T) {
	t.Parallel()
	b := newBackend(t, "app")
	addr := freePort(t)
	i := start(t, loggedConf(addr, b.addr, "stdout json"))
	a, err := fetch(addr, get("/said?a=b", "User-Agent: a \"quoted\" agent\\"))
	if err != nil || a.status != 200 {
		t.Fatalf("%+v, %v", a, err)
	}
	i.eventually("the line", func() error {
		text := i.printed()
		for _, part := range []string{`"uri":"/said?a=b"`, `"status":200`, `"location":"all"`, `a \"quoted\" agent\\`} {
			if !strings.Contains(text, part) {
				return fmt.Errorf("no %s", part)
			}
		}
		return nil
	})
}

// No client can write a line of its own into the log.
func TestLinesCannotBeForged(t *testing.T) {
	t.Parallel()
	b := newBackend(t, "app")
	addr := freePort(t)
	i := start(t, loggedConf(addr, b.addr, `stdout combined`))
	mustGet(t, addr, "/x", 200, "User-Agent: x\" 200 0B \"-\" \"\t\x80")
	i.eventually("the line", func() error {
		if !strings.Contains(i.printed(), `"x\x22 200 0B \x22-\x22 \x22\x09\x80"`) {
			return fmt.Errorf("printed %q", tail(i.printed(), 300))
		}
		return nil
	})
}

// A client that gives up while its request waits is logged as 499, and the backend is let go.
func TestAClientThatLeavesIsLogged499(t *testing.T) {
	t.Parallel()
	b := newBackend(t, "app")
	addr := freePort(t)
	i := start(t, loggedConf(addr, b.addr, `stdout {status} {uri}`))
	c := dial(t, addr)
	if _, err := c.conn.Write([]byte(get("/hold"))); err != nil {
		t.Fatal(err)
	}
	i.eventually("the request", func() error { return atLeast(b.now.Load(), 1) })
	c.close()
	i.eventually("the backend being let go", func() error { return atLeast(b.gone.Load(), 1) })
	i.eventually("the line", func() error {
		if !strings.Contains(i.printed(), "499 /hold\n") {
			return fmt.Errorf("printed %q", tail(i.printed(), 300))
		}
		return nil
	})
}

func TestValuesThatAreNotToBeLoggedAreHiddenFromTheReloadOn(t *testing.T) {
	t.Parallel()
	b := newBackend(t, "app")
	dir, addr := workDir(t), freePort(t)
	log := filepath.Join(dir, "access.log")
	conf := loggedConf(addr, b.addr, log+"?rolling=never {uri} {>Authorization}")
	i := start(t, conf)
	ask := func(token string) {
		r, err := http.NewRequest("GET", "http://"+addr+"/?token="+token+"&x=1", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
	}
	ask("shown")
	i.change(conf + "\n[basic]\nlog_redact_headers = [\"authorization\"]\nlog_redact_query = [\"token\"]\n")
	ask("hidden")
	i.eventually("two lines", func() error {
		text := read(t, log) // of two workers, in any order
		if len(text) != len("/?token=shown&x=1 Bearer shown\n/?token=***&x=1 ***\n") {
			return fmt.Errorf("%q", text)
		}
		contains(t, text, "/?token=shown&x=1 Bearer shown\n")
		contains(t, text, "/?token=***&x=1 ***\n")
		return nil
	})
}
