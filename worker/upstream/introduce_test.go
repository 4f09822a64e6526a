package upstream

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"testing"

	"pingap/config"
	"pingap/message"
	"pingap/worker/proxyproto"
)

// introduced reads the PROXY header that each connection begins with, and hands it on.
type introduced struct {
	net.Conn
	r *bufio.Reader
}

func (i introduced) Read(p []byte) (int, error) { return i.r.Read(p) }

func readHeader(nc net.Conn) (proxyproto.Header, introduced, error) {
	i := introduced{nc, bufio.NewReader(nc)}
	for size := 1; ; size++ {
		buf, err := i.r.Peek(size)
		if err != nil {
			return proxyproto.Header{}, i, err
		}
		h, n, err := proxyproto.Parse(buf)
		if err != nil || n > 0 {
			_, _ = i.r.Discard(n) // it was peeked at
			return h, i, err
		}
	}
}

func TestTheClientIsIntroducedBeforeAnythingElse(t *testing.T) {
	ca := newCA(t)
	cert, key := ca.issue(t, tlsOptions{names: []string{"a.test"}})
	pair, err := tls.X509KeyPair([]byte(cert), []byte(key))
	if err != nil {
		t.Fatal(err)
	}
	for _, version := range []string{"v1", "v2"} {
		for _, sni := range []string{"", "a.test"} {
			headers := make(chan proxyproto.Header, 10)
			server := listenWith(t, "tcp", "127.0.0.1:0", func(nc net.Conn) io.ReadWriteCloser {
				h, rest, err := readHeader(nc)
				if err != nil {
					t.Error(err)
				}
				headers <- h
				if sni != "" {
					return tls.Server(rest, &tls.Config{Certificates: []tls.Certificate{pair}})
				}
				return rest
			})
			u := build(t, &config.Upstream{Addrs: []string{server.address()}, SNI: sni, VerifyCert: true, CA: ca.pem, ProxyProtocol: version}, Options{})
			b := u.Backends()[0]
			one, two := client("192.0.2.1:1000", "198.51.100.9:443"), client("192.0.2.2:1000", "198.51.100.9:443")
			var target Target
			dialFor := func(rec *message.Record) *Conn {
				t.Helper()
				u.Aim(&target, rec)
				c, err := b.Dial(context.Background(), &target)
				if err != nil {
					t.Fatal(err)
				}
				ping(t, c)
				if h := <-headers; h.Source != rec.Conn.Remote || h.Destination != rec.Conn.Local.AddrPort() || h.Local == rec.Conn.Remote.IsValid() {
					t.Errorf("%s: %+v", version, h)
				}
				return c
			}
			first, second := dialFor(one), dialFor(two)
			b.Put(first)
			b.Put(second)
			if u.Aim(&target, one); b.Take(&target) != first || b.Take(&target) != nil {
				t.Error("connections of clients are mixed up")
			}
			if b.Take(&Target{}) != nil {
				t.Error("a connection of a client was given to somebody else")
			}
			first.Discard()
			unknown := client("", "")
			if dialFor(unknown).Discard(); b.Take(&target) != nil {
				t.Error("a connection out of nowhere")
			}
		}
	}
}

func client(remote, local string) *message.Record {
	rec := request("/")
	if remote != "" {
		rec.Conn.Remote, rec.Conn.Local = netip.MustParseAddrPort(remote), message.EndpointOf(netip.MustParseAddrPort(local))
	}
	return rec
}

func TestAConnectionOfOurOwnIntroducesNobody(t *testing.T) {
	headers := make(chan proxyproto.Header, 1)
	server := listenWith(t, "tcp", "127.0.0.1:0", func(nc net.Conn) io.ReadWriteCloser {
		h, rest, err := readHeader(nc)
		if err != nil {
			t.Error(err)
		}
		headers <- h
		return rest
	})
	u := build(t, &config.Upstream{Addrs: []string{server.address()}, ProxyProtocol: "v2"}, Options{})
	dial(t, u.Backends()[0]).Discard()
	if h := <-headers; !h.Local || h.Source.IsValid() {
		t.Errorf("%+v", h)
	}
}
