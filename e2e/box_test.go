package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// box is a machine of its own: a real systemd with nothing but a loopback interface. testdata/sdbox.sh says what it is made of.
type box struct {
	t   *testing.T
	env []string
	net string // its network namespace
}

// boxTime bounds a command in a box; the first box of a machine also waits for its tree.
const (
	boxTime  = 2 * time.Minute
	treeTime = 10 * time.Minute
)

// needBox skips the test by the name of what is missing.
func needBox(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("boots a system: not in short mode")
	}
	if os.Geteuid() != 0 {
		t.Skip("not started as root")
	}
	for _, tool := range []string{"bash", "systemd-nspawn", "debootstrap", "nsenter", "flock", "pgrep"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
}

// newBox boots one that sees a folder as /packages. needBox comes first.
func newBox(t *testing.T, packages string) *box {
	t.Helper()
	return bootBox(t, "--private-network --bind-ro="+packages+":/packages")
}

// bootBox boots one with arguments of systemd-nspawn. Without --private-network it has the network of this machine.
func bootBox(t *testing.T, args string) *box {
	t.Helper()
	const cache = "/var/tmp/sdbox" // the tree is for all boxes and all runs
	if err := os.MkdirAll(cache, 0o755); err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp(cache, "box-")
	if err != nil {
		t.Fatal(err)
	}
	b := &box{t: t, env: append(os.Environ(), "SDBOX="+dir, "SDBOX_TREE="+cache+"/tree",
		"SDBOX_ARGS="+args)}
	t.Cleanup(func() {
		if r := b.script(boxTime, "stop"); r.code != 0 {
			t.Errorf("the box did not stop: %s", r.all())
		}
		os.RemoveAll(dir)
	})
	if r := b.script(treeTime, "start"); r.code != 0 {
		t.Fatalf("the box did not start: %s", r.all())
	}
	child, err := exec.Command("pgrep", "-P", strings.TrimSpace(read(t, filepath.Join(dir, "pid")))).Output()
	if err != nil {
		t.Fatal(err)
	}
	b.net = "/proc/" + strings.Fields(string(child))[0] + "/ns/net"
	return b
}

// script runs testdata/sdbox.sh. What it starts may keep the output open, so that goes to files.
func (b *box) script(limit time.Duration, args ...string) result {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "testdata/sdbox.sh", args...)
	cmd.Env = b.env
	dir := b.t.TempDir()
	out, errs := filepath.Join(dir, "out"), filepath.Join(dir, "err")
	cmd.Stdout, cmd.Stderr = create(b.t, out), create(b.t, errs)
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		b.t.Fatalf("sdbox.sh %q: %v", args, err)
	}
	return result{cmd.ProcessState.ExitCode(), read(b.t, out), read(b.t, errs)}
}

func create(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// try runs a line of shell in the box.
func (b *box) try(line string) result {
	b.t.Helper()
	return b.script(boxTime, "run", "sh", "-c", line)
}

// run is try for what must succeed; it returns all output.
func (b *box) run(line string) string {
	b.t.Helper()
	r := b.try(line)
	if r.code != 0 {
		b.t.Fatalf("%s: exit code %d: %s\n%s", line, r.code, r.all(), b.try("journalctl -u pingap -n 30 --no-pager").stdout)
	}
	return strings.TrimSpace(r.all())
}

// eventually runs a line until it succeeds.
func (b *box) eventually(line string) {
	b.t.Helper()
	err := within(patience, func() error {
		if r := b.try(line); r.code != 0 {
			return errors.New(r.all())
		}
		return nil
	})
	if err != nil {
		b.t.Fatalf("%s: %v", line, err)
	}
}

// boxClient speaks to servers in the network namespace that a file names.
func boxClient(netns string, keepAlive bool) *http.Client {
	return &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: !keepAlive,
		DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) { return dialIn(ctx, netns, addr) }}}
}

// dialIn makes the socket on a thread that has entered the namespace; a socket stays in the one it was made in.
func dialIn(ctx context.Context, netns, addr string) (net.Conn, error) {
	there, err := os.Open(netns)
	if err != nil {
		return nil, err
	}
	defer there.Close()
	type outcome struct {
		conn net.Conn
		err  error
	}
	done := make(chan outcome, 1)
	go func() { // ends with the dial, which ctx bounds; its thread, never unlocked, ends with it
		runtime.LockOSThread()
		if err := unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- outcome{nil, fmt.Errorf("enter %s: %w", netns, err)}
			return
		}
		var d net.Dialer
		conn, err := d.DialContext(ctx, "tcp", addr)
		done <- outcome{conn, err}
	}()
	o := <-done
	return o.conn, o.err
}

// boxGet returns status and body.
func boxGet(c *http.Client, url string) (int, string, error) {
	r, err := c.Get(url)
	if err != nil {
		return 0, "", err
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	return r.StatusCode, string(body), err
}
