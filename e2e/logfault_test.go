package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// faultLine is the line of every request in these tests: a cut one is seen at once.
const faultLine = "/load 200 0123456789 END"

const faultFormat = " {path} {status} 0123456789 END"

// faulty is an instance with load on it, whose logs are about to take nothing.
type faulty struct {
	*instance
	t    *testing.T
	addr string
	load *traffic
	pids string
}

// startFaulty serves with an access log; the configuration is kept apart from what is going to be full.
func startFaulty(t *testing.T, dir, directive string, change func(*exec.Cmd), flags ...string) *faulty {
	t.Helper()
	b := newBackend(t, "app")
	f := &faulty{t: t, addr: freePort(t)}
	conf := filepath.Join(workDir(t), "pingap.toml")
	write(t, conf, loggedConf(f.addr, b.addr, directive+faultFormat)+"\n[basic]\nallow_root = true\n") // so that limits of workers can be set
	f.instance = launchAs(t, dir, change, append([]string{"-c", conf, "--workers", "2"}, flags...)...)
	f.conf = conf
	f.waitRunning()
	f.pids = fmt.Sprint(f.status().pids())
	f.load = runLoad(t, f.addr, usualMix(2)...)
	return f
}

func (f *faulty) dropped() (n uint64) {
	for _, p := range f.status().Processes {
		n += p.LogDropped
	}
	return n
}

// suffers waits until lines are lost, and checks that nothing else is: all is served, a reload works, nobody died.
func (f *faulty) suffers() {
	f.t.Helper()
	f.eventually("lost lines", func() error { return atLeast(int64(f.dropped()), 1) })
	f.load.progress(f.t, 200)
	st := f.status()
	if notes := strings.Join(st.Notes, "\n"); !strings.Contains(notes, "log lines") {
		f.t.Errorf("notes: %q", notes)
	}
	f.change(read(f.t, f.conf) + "\n# again\n")
	f.change(strings.Replace(read(f.t, f.conf), `path = "/"`, "path = \"/\"\nclient_max_body_size = \"1mb\"", 1))
	f.load.progress(f.t, 100)
	if now := fmt.Sprint(f.status().pids()); now != f.pids {
		f.t.Errorf("workers are %s, were %s", now, f.pids)
	}
}

// recovers waits until no line is lost any more: the figure rests while requests go on.
func (f *faulty) recovers() {
	f.t.Helper()
	f.eventually("an end of the losses", func() error {
		before := f.dropped()
		f.load.progress(f.t, 500)
		time.Sleep(2 * time.Second) // what is lost is counted when it is flushed, and reported by the next heartbeat
		if now := f.dropped(); now != before {
			return fmt.Errorf("%d lines lost, then %d", before, now)
		}
		return nil
	})
}

// accounts ends the load and finds each request in the log or among the lines lost, and no line that is part of two. others
// bounds the lines of the application log that may be among the lost ones.
func (f *faulty) accounts(path string, others uint64) {
	f.t.Helper()
	f.load.mustBeClean(f.t)
	whole, cut := 0, 0
	f.eventually("every line", func() error {
		whole, cut = 0, 0
		for _, text := range strings.Split(strings.TrimSuffix(read(f.t, path), "\n"), "\n") {
			switch {
			case text == faultLine:
				whole++
			case text != "" && strings.HasPrefix(faultLine, text):
				cut++
			default:
				f.t.Fatalf("line %q", text)
			}
		}
		if done, known := f.load.done.Load(), uint64(whole)+f.dropped(); known < done || known > done+others {
			return fmt.Errorf("%d lines and %d lost of %d requests", whole, f.dropped(), done)
		}
		return nil
	})
	f.t.Logf("%d whole lines, %d cut, %d lost", whole, cut, f.dropped())
}

// The size limit of files is what a quota is: a write is cut, the next ones fail. It is lifted, and the log goes on.
func TestALogAtItsSizeLimitCostsNoRequest(t *testing.T) {
	t.Parallel()
	dir := workDir(t)
	log := filepath.Join(dir, "access.log")
	f := startFaulty(t, dir, log+"?rolling=never", func(*exec.Cmd) {})
	f.load.progress(t, 100)
	limit := func(size uint64) {
		for _, p := range f.status().workers() {
			var old unix.Rlimit
			if err := unix.Prlimit(p.PID, unix.RLIMIT_FSIZE, nil, &old); err != nil {
				t.Fatal(err)
			}
			if err := unix.Prlimit(p.PID, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: size, Max: old.Max}, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	limit(20_011) // inside a line
	f.suffers()
	contains(t, f.printed(), "access log cannot be written, dropping lines", syscall.EFBIG.Error())
	limit(unix.RLIM_INFINITY)
	f.recovers()
	f.eventually("word of the end", func() error {
		if n := strings.Count(f.printed(), "access log is written again"); n < 1 || n > 2 {
			return fmt.Errorf("said %d times", n)
		}
		return nil
	})
	if n := strings.Count(f.printed(), "access log cannot be written"); n > 2 {
		t.Errorf("two workers said it %d times", n)
	}
	f.accounts(log, 0)
}

// A disk is full on which is all that an instance writes: access and application log, run and state directory.
func TestAFullDiskCostsNoRequest(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("mounts a small file system")
	}
	dir := workDir(t)
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64m,mode=0755"); err != nil {
		t.Skipf("mounts a small file system: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	log, app := filepath.Join(dir, "access.log"), filepath.Join(dir, "app.log")
	f := startFaulty(t, dir, log+"?rolling=never", func(*exec.Cmd) {}, "--log", app+"?rolling=never")
	f.load.progress(t, 100)
	filler := filepath.Join(dir, "filler")
	if err := os.WriteFile(filler, make([]byte, 64<<20), 0o600); err == nil {
		t.Fatal("the disk is not full")
	}
	f.suffers()
	if r := f.verb("reopen"); r.code != 0 {
		t.Errorf("reopen: %s", r.all())
	}
	if err := os.Truncate(filler, 1<<20); err != nil {
		t.Fatal(err)
	}
	f.recovers()
	f.eventually("word of the end", func() error {
		if text := read(t, app); !strings.Contains(text, "WARN access log is written again component=worker") {
			return fmt.Errorf("log ends in %q", tail(text, 500))
		}
		return nil
	})
	f.accounts(log, 100)
}

// A target that never takes anything is no reason not to start, to apply, or to serve.
func TestADeviceThatIsAlwaysFullCostsNoRequest(t *testing.T) {
	t.Parallel()
	f := startFaulty(t, workDir(t), "/dev/full?rolling=never", func(*exec.Cmd) {}, "--log", "/dev/full?rolling=never")
	f.suffers()
	for _, p := range f.status().Processes {
		f.eventually("losses of "+p.Kind, func() error {
			for _, now := range f.status().Processes {
				if now.PID == p.PID {
					return atLeast(int64(now.LogDropped), 1)
				}
			}
			return fmt.Errorf("process %d is gone", p.PID)
		})
	}
	f.load.mustBeClean(t)
}

// A named pipe that nobody reads fills up; then somebody comes.
func TestAPipeThatNobodyReadsCostsNoRequest(t *testing.T) {
	t.Parallel()
	dir := workDir(t)
	path := filepath.Join(dir, "pipe")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	f := startFaulty(t, dir, path+"?rolling=never&channel_buffer=10", func(*exec.Cmd) {})
	f.suffers()
	contains(t, f.printed(), "access log channel full, dropping lines")
	if r := f.verb("reopen"); r.code != 0 {
		t.Errorf("reopen: %s", r.all())
	}
	copied := filepath.Join(dir, "copied")
	collect(t, path, copied)
	f.recovers()
	f.load.mustBeClean(t)
	if text := read(t, copied); strings.Trim(strings.ReplaceAll(text, faultLine, ""), "\n") != "" || len(text) == 0 {
		t.Errorf("read %d bytes, among them %q", len(text), tail(strings.ReplaceAll(text, faultLine+"\n", ""), 200))
	}
}

// collect copies what comes out of a pipe to a file until the test ends.
func collect(t *testing.T, pipe, to string) {
	t.Helper()
	in, err := os.OpenFile(pipe, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	out, err := os.Create(to)
	if err != nil {
		t.Fatal(err)
	}
	over := make(chan struct{})
	go func() { // ends when in is closed
		defer close(over)
		_, _ = out.ReadFrom(in)
	}()
	t.Cleanup(func() {
		in.Close()
		<-over
		out.Close()
	})
}

// fill leaves no room in a pipe for a single byte.
func fill(t *testing.T, pipe *os.File) {
	t.Helper()
	// Opened anew, so that it does not block only here.
	fd, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", pipe.Fd()), unix.O_WRONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	for size := 4096; size > 0; {
		if _, err = unix.Write(fd, make([]byte, size)); err != nil {
			size /= 2
		}
	}
	if err != unix.EAGAIN {
		t.Fatal(err)
	}
}

// Standard output and standard error are one pipe, as in a container whose collector hangs, or dies. It is the access log and the
// application log of all processes.
func TestStandardStreamsThatTakeNothingCostNoRequest(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"blocked for a while", "blocked for ever", "dead"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var ends [2]int // a pipe whose writing end blocks, as those of shells do
			if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
				t.Fatal(err)
			}
			r, w := os.NewFile(uintptr(ends[0]), "reading end"), os.NewFile(uintptr(ends[1]), "writing end")
			defer r.Close()
			dir := workDir(t)
			f := startFaulty(t, dir, "stdout?channel_buffer=10", func(c *exec.Cmd) { c.Stdout, c.Stderr = w, w })
			if name == "blocked for ever" {
				fill(t, w)
			}
			w.Close()
			if name == "dead" {
				r.Close()
			}
			f.suffers()
			for range 2 {
				f.signal(syscall.SIGUSR1)
			}
			supervisor := f.status().of("supervisor")[0]
			switch name {
			case "blocked for ever":
				f.load.mustBeClean(t)
			case "dead":
				f.eventually("lost lines of the supervisor", func() error { return atLeast(int64(f.status().of("supervisor")[0].LogDropped), 1) })
				f.load.mustBeClean(t)
				before := f.status().of("supervisor")[0].LogDropped
				time.Sleep(time.Second) // nothing is done, so there is nothing to say
				if now := f.status().of("supervisor")[0].LogDropped; now > before+10 {
					t.Errorf("the supervisor lost %d lines in a second of rest", now-before)
				}
			default:
				copied := filepath.Join(dir, "copied")
				collect(t, fmt.Sprintf("/proc/self/fd/%d", r.Fd()), copied)
				f.recovers()
				f.load.mustBeClean(t)
				contains(t, read(t, copied), faultLine+"\n", "component=supervisor", "component=control")
			}
			if now := f.status().of("supervisor")[0]; now.PID != supervisor.PID || now.State != "running" {
				t.Errorf("the supervisor is %+v", now)
			}
			if r := f.verb("stop", "--timeout", "60s"); r.code != 0 {
				t.Errorf("stop: %s", r.all())
			}
			if !f.endsWithin(5 * time.Second) { // its processes have ended when stop returns
				t.Error("the supervisor waits for its log")
			}
		})
	}
}
