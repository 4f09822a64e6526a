package upstream

import (
	"bytes"
	"net/netip"

	"pingap/message"
)

// hostVariable as sni stands for the host of the request.
const hostVariable = "$host"

// Target is for whom a connection to a backend is: where sni is $host the name in it, and with the PROXY
// protocol the client's connection. Requests with an equal target share connections. The zero value is the
// target of every upstream with neither; a Target is used again and again to keep its memory.
type Target struct {
	key                 []byte // what connections are told apart by; empty where all are equal
	name                int    // length of the name that key begins with
	source, destination netip.AddrPort
}

// Aim makes t the target of a request. It does not allocate once t has been used.
func (u *Upstream) Aim(t *Target, rec *message.Record) {
	t.key, t.name = t.key[:0], 0
	if u.tls != nil && u.tls.perHost {
		t.key = appendName(t.key, rec.Request.HostName())
		t.name = len(t.key)
	}
	if u.proxyVersion != 0 {
		t.source, t.destination = rec.Conn.Remote, rec.Conn.Local.AddrPort()
		t.key = append(t.key, ' ') // no name has one
		t.key = t.source.AppendTo(t.key)
		t.key = append(t.key, ' ')
		t.key = t.destination.AppendTo(t.key)
	}
}

// appendName appends a host as TLS names it: in lower case, without brackets or the dot at the end. A host
// that is none gives nothing.
func appendName(dst, host []byte) []byte {
	out, ok := lowerHost(dst, bytes.TrimSuffix(host, []byte(".")))
	if !ok {
		return dst
	}
	return out
}
