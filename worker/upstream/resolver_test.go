package upstream

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"pingap/config"
)

// nameServer answers queries for IPv4 addresses over UDP: name (absolute) to addresses.
func nameServer(t *testing.T, zone map[string][]string) string {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	wait.Go(func() { // ends when the socket is closed
		buf := make([]byte, 512)
		for {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			if answer := dnsAnswer(buf[:n], zone); answer != nil {
				_, _ = pc.WriteTo(answer, from)
			}
		}
	})
	t.Cleanup(func() { _ = pc.Close(); wait.Wait() })
	return pc.LocalAddr().String()
}

// dnsAnswer makes the answer to a query with one question (RFC 1035 section 4).
func dnsAnswer(query []byte, zone map[string][]string) []byte {
	const header = 12
	name, end := "", header
	for end < len(query) && query[end] != 0 {
		next := end + 1 + int(query[end])
		name += string(query[end+1:next]) + "."
		end = next
	}
	question := query[header : end+5]
	isA := binary.BigEndian.Uint16(question[len(question)-4:]) == 1
	addrs, known := zone[strings.ToLower(name)]
	if !isA {
		addrs = nil
	}
	out := append([]byte{query[0], query[1], 0x81, 0x80, 0, 1, 0, byte(len(addrs)), 0, 0, 0, 0}, question...)
	if !known {
		out[3] |= 3 // no such name
	}
	for _, text := range addrs {
		ip := netip.MustParseAddr(text).As4()
		out = append(out, 0xc0, header, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4)
		out = append(out, ip[:]...)
	}
	return out
}

func TestOwnNameServersAreAsked(t *testing.T) {
	server := nameServer(t, map[string][]string{"web.corp.": {"127.0.0.2", "127.0.0.1"}})
	u := build(t, &config.Upstream{Addrs: []string{"web:81", "none:81"}, DNSServer: server, DNSDomain: "corp"}, Options{})
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	defer cancel()
	u.WaitReady(ctx)
	if got := addrsOf(u); got != "127.0.0.1:81 127.0.0.2:81" {
		t.Errorf("%q", got)
	}
}

func TestTheNextNameServerIsAskedWhenOneIsSilent(t *testing.T) {
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := silent.LocalAddr().String()
	_ = silent.Close() // refused at once
	server := nameServer(t, map[string][]string{"web.corp.": {"127.0.0.1"}})
	resolver, err := newResolver(&config.Upstream{DNSServer: closed + "," + server})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	defer cancel()
	started := time.Now()
	addrs, err := resolver.LookupNetIP(ctx, "ip4", "web.corp.")
	if err != nil || len(addrs) != 1 {
		t.Errorf("%v %v after %v", addrs, err, time.Since(started))
	}
}

func TestNameServersAreAddresses(t *testing.T) {
	servers, err := nameServers(" 10.0.0.1, 10.0.0.2:5353,2001:db8::1,[2001:db8::1]:54,")
	if err != nil || strings.Join(servers, " ") != "10.0.0.1:53 10.0.0.2:5353 [2001:db8::1]:53 [2001:db8::1]:54" {
		t.Errorf("%q %v", servers, err)
	}
	for _, list := range []string{"ns.local", "10.0.0.1,ns:53", "10.0.0.1:"} {
		if _, err := New(&config.Upstream{Addrs: []string{"a"}, DNSServer: list}, Options{}); err == nil || !strings.Contains(err.Error(), "expected an IP address") {
			t.Errorf("%q: %v", list, err)
		}
	}
}
