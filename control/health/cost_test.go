package health

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

var costTime = flag.Duration("cost", 2*time.Second, "how long the cost of checks is measured")

// backendProcess makes the test binary a backend of other tests.
const backendProcess = "PINGAP_TEST_HEALTH_BACKEND"

func TestMain(m *testing.M) {
	if os.Getenv(backendProcess) != "" {
		backend()
		return
	}
	os.Exit(m.Run())
}

// backend accepts on all loopback addresses until its input ends; it answers requests with 200.
func backend() {
	ln, err := net.Listen("tcp4", "0.0.0.0:0")
	if err != nil {
		panic(err)
	}
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				for readHead(conn) != "" {
					fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
				}
				conn.Close()
			}()
		}
	}()
	fmt.Println(ln.Addr().(*net.TCPAddr).Port)
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func startBackend(t *testing.T) (port string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), backendProcess+"=1")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line)
}

func cpu() time.Duration {
	var u unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// A thousand upstreams of ten backends, every 10 s, are a thousand checks a second: these may take 3 % of a core, 30 us each. The bound
// here is wide, for machines that do other things meanwhile and for the race detector; -v says what it was.
func TestACheckCostsNextToNothing(t *testing.T) {
	for _, url := range []string{"tcp://a?check_frequency=1s", "http://a/?check_frequency=1s", "http://a/?check_frequency=1s&reuse"} {
		t.Run(url, func(t *testing.T) {
			port := startBackend(t)
			r := newRig(t)
			const upstreams, each = 100, 10
			c := check(t, url)
			for u := range upstreams {
				var targets []Target
				for b := range each {
					to := fmt.Sprintf("127.0.%d.%d:%s", u, b+1, port)
					targets = append(targets, target1(to, c)...)
				}
				r.c.Set(fmt.Sprint(u), targets)
			}
			for u := range upstreams {
				r.checked(fmt.Sprint(u))
			}
			begin, used := time.Now(), cpu()
			time.Sleep(*costTime)
			took, cost := time.Since(begin), cpu()-used
			checks := float64(upstreams*each) * took.Seconds()
			per := time.Duration(float64(cost) / checks)
			t.Logf("%v a check, %.2f %% of a core for 1000 a second", per, 100*float64(cost)/float64(took))
			if per > time.Millisecond {
				t.Errorf("%v a check", per)
			}
			for _, res := range r.all() {
				if !res.Healthy {
					t.Fatalf("%+v", res)
				}
			}
		})
	}
}
