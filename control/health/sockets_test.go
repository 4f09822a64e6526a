package health

import (
	"errors"
	"fmt"
	"net"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Sockets that were used before must know nothing of it: neither of the connection they had, nor of the way it ended.
func TestSocketsAreUsedAgain(t *testing.T) {
	for _, network := range []string{"127.0.0.1:0", "[::1]:0"} {
		ln, err := net.Listen("tcp", network)
		if err != nil {
			t.Logf("%s: %v", network, err)
			continue
		}
		live := serveOn(t, ln, mute)
		r := newRig(t)
		c := check(t, "tcp://a?check_frequency=1s&failure=1")
		for i := range 3 * mostSpares {
			r.c.Set(fmt.Sprint(i), target1(live, c))
		}
		for i := range 3 * mostSpares {
			r.checked(fmt.Sprint(i))
		}
		time.Sleep(1500 * time.Millisecond) // once more, all of them
		for i := range 20 {
			name := fmt.Sprint("late ", i)
			to := live
			if i%2 == 1 {
				to = nobody(t)
			}
			r.c.Set(name, target1(to, c))
			r.checked(name)
		}
		r.stop()
		for _, res := range r.all() {
			if want := res.Key == live; !res.First || res.Healthy != want || !want && res.Reason != "connection refused" {
				t.Fatalf("%+v", res)
			}
		}
	}
}

// A port that nobody listens on may be chosen for this end: the kernel then connects the socket to itself.
func TestAConnectionToItselfIsRefused(t *testing.T) {
	low, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err != nil {
		t.Fatal(err)
	}
	var p ports
	if _, err := fmt.Sscan(string(low), &p.low, &p.high); err != nil || chosenPorts() != p || !p.has(p.high) || p.has(p.low-1) {
		t.Fatalf("%q is %+v: %v", low, chosenPorts(), err)
	}
	c := New(Options{})
	var n *target
	for port := p.high; ; port-- { // somebody may have some of them
		n = takeUp(target1("127.0.0.1:"+fmt.Sprint(port), check(t, "tcp://a"))[0], nil)
		if err := n.resolve(); err != nil {
			t.Fatal(err)
		}
		if n.fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
			t.Fatal(err)
		}
		defer unix.Close(n.fd)
		if err = unix.Bind(n.fd, n.to); err == nil {
			break
		}
		if !errors.Is(err, unix.EADDRINUSE) || port == p.low {
			t.Fatal(err)
		}
	}
	if err := unix.Connect(n.fd, n.to); err != nil {
		t.Fatal(err)
	}
	if err := c.connected(n, false); err != unix.ECONNREFUSED {
		t.Errorf("%v", err)
	}
}

// A process that has no descriptors left knows nothing of backends.
func TestALackOfDescriptorsSaysNothing(t *testing.T) {
	for _, err := range []error{outcomeErr("EMFILE"), outcomeErr("EADDRNOTAVAIL")} {
		if o := outcomeOf(err); o.verdict != unmade {
			t.Errorf("%v is %+v", err, o)
		}
	}
	r := newRig(t)
	to := newCounting(t)
	r.checked("nothing") // it runs
	restore := exhaust(t)
	r.c.Set("u", target1(to.to, check(t, "tcp://a?failure=1")))
	for end := time.Now().Add(patient); r.logged.Len() == 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("nothing was said")
		}
	}
	if all := r.all(); len(all) != 0 || r.logged.All()[0].Message != "health checks cannot be made" {
		t.Errorf("%+v, %v", all, r.logged.All())
	}
	restore()
	if got := r.await(0); !got.Healthy {
		t.Errorf("%+v", got)
	}
	r.stop()
}
