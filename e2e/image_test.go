package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The files of the container image, with the binary as process 1 of namespaces of its own and as the user of the image: it serves,
// takes note of the end of processes that it did not start, and finishes what is in flight before it ends.
func TestImageAsProcessOne(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("not started as root")
	}
	for _, tool := range []string{"unshare", "chroot", "nsenter", "ip"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
	c := runImage(t, image(t))
	web := boxClient(fmt.Sprintf("/proc/%d/ns/net", c.pid), false)
	c.eventually(func() error {
		status, body, err := boxGet(web, "http://127.0.0.1:8080/")
		if err == nil && (status != 200 || !strings.Contains(body, welcome)) {
			err = fmt.Errorf("%d %q", status, body)
		}
		return err
	})
	c.reaps()

	answer := make(chan error, 1)
	go func() { // ends with the answer
		_, body, err := boxGet(web, "http://127.0.0.1:8080/slow")
		if err == nil && body != "slow" {
			err = fmt.Errorf("body %q", body)
		}
		answer <- err
	}()
	c.eventually(func() error {
		out, err := c.inside("/usr/bin/pingap", "status", "--json").Output()
		if err == nil && !strings.Contains(string(out), `"connections": 1`) {
			err = fmt.Errorf("no connection: %s", out)
		}
		return err
	})
	if err := syscall.Kill(c.pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := <-answer; err != nil {
		t.Errorf("in flight: %v", err)
	}
	select {
	case err := <-c.ended:
		if err != nil {
			t.Errorf("the container: %v\n%s", err, read(t, c.output))
		}
	case <-time.After(patience):
		t.Error("the container did not end")
	}
}

// image puts together what packaging/Dockerfile copies, and /dev and /proc, which an engine mounts.
func image(t *testing.T) (root string) {
	t.Helper()
	dir := t.TempDir()
	out, root := filepath.Join(dir, "out"), filepath.Join(dir, "root")
	if text, err := exec.Command("../packaging/container.sh", out, os.Getenv(binaryPath)).CombinedOutput(); err != nil {
		t.Fatalf("container.sh: %v\n%s", err, text)
	}
	script := `set -e
cp -a "$0/root" "$1"; chmod 755 "$1"; chown -R 65532:65532 "$0/own"
for d in run/pingap var/lib/pingap; do mkdir -p "$(dirname "$1/$d")"; cp -a "$0/own/$d" "$1/$d"; done
mkdir "$1/proc" "$1/dev"; mknod -m 666 "$1/dev/null" c 1 3`
	if text, err := exec.Command("sh", "-c", script, out, root).CombinedOutput(); err != nil {
		t.Fatalf("put the image together: %v\n%s", err, text)
	}
	conf := filepath.Join(root, "etc/pingap/pingap.toml")
	text := strings.Replace(read(t, conf), `plugins = ["welcome"]`, `plugins = ["slow", "welcome"]`, 1)
	write(t, conf, text+"\n[plugins.slow]\ncategory = \"mock\"\npath = \"/slow\"\ndata = \"slow\"\ndelay = \"2s\"\n")
	return root
}

// imageRun is the image while it runs.
type imageRun struct {
	t      *testing.T
	pid    int // of the image's process 1, as seen from here
	ended  chan error
	output string
}

func runImage(t *testing.T, root string) *imageRun {
	t.Helper()
	script := `ip link set lo up && mount -t proc proc "$0/proc" && exec chroot --userspec=65532:65532 "$0" /usr/bin/pingap -c /etc/pingap/pingap.toml`
	cmd := exec.Command("unshare", "--pid", "--fork", "--kill-child", "--mount", "--net", "sh", "-c", script, root)
	c := &imageRun{t: t, ended: make(chan error, 1), output: filepath.Join(t.TempDir(), "out")}
	cmd.Stdout = create(t, c.output)
	cmd.Stderr = cmd.Stdout
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	over := make(chan struct{})
	go func() { // ends with the container
		c.ended <- cmd.Wait()
		close(over)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // and with it the container, whose end closes over
		<-over
	})
	c.eventually(func() error {
		children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", cmd.Process.Pid, cmd.Process.Pid))
		if err != nil {
			return err
		}
		c.pid, err = strconv.Atoi(strings.TrimSpace(string(children)))
		if err == nil && !strings.Contains(cmdline(c.pid), "/usr/bin/pingap") {
			err = errors.New("not started yet")
		}
		return err
	})
	return c
}

func (c *imageRun) eventually(try func() error) {
	c.t.Helper()
	if err := within(patience, try); err != nil {
		c.t.Fatalf("%v\n%s", err, read(c.t, c.output))
	}
}

// inside is a command in the namespaces of the image.
func (c *imageRun) inside(name string, args ...string) *exec.Cmd {
	return exec.Command("nsenter", append([]string{"-t", strconv.Itoa(c.pid), "-p", "-m", "-n", "-r", "-w", name}, args...)...)
}

// reaps leaves processes behind whose parents are gone, and waits until nothing is known of them any more.
func (c *imageRun) reaps() {
	c.t.Helper()
	// No shell is in the image: this one comes from outside, into its process namespace only.
	enter := exec.Command("nsenter", "-t", strconv.Itoa(c.pid), "-p", "sh", "-c", "for i in 1 2 3; do sleep 3 >/dev/null 2>&1 & done")
	if text, err := enter.CombinedOutput(); err != nil {
		c.t.Fatalf("%v: %s", err, text)
	}
	orphans := func() (list []string) {
		entries, err := filepath.Glob("/proc/[0-9]*/status")
		if err != nil {
			c.t.Fatal(err)
		}
		for _, path := range entries {
			text, err := os.ReadFile(path)
			if err == nil && strings.HasPrefix(string(text), "Name:\tsleep\n") && strings.Contains(string(text), fmt.Sprintf("\nPPid:\t%d\n", c.pid)) {
				list = append(list, path)
			}
		}
		return list
	}
	c.eventually(func() error {
		if n := len(orphans()); n != 3 {
			return fmt.Errorf("%d processes have come to process 1, want 3", n)
		}
		return nil
	})
	c.eventually(func() error {
		if left := orphans(); len(left) > 0 {
			return fmt.Errorf("still there: %q", left)
		}
		return nil
	})
}
