package explain

import (
	"net/http"
	"slices"
	"strings"

	"pingap/message"
	"pingap/worker/proxy"
)

// Protocols of a client.
const (
	ProtocolHTTP1 = "http/1.1"
	ProtocolH2    = "h2"
	ProtocolGRPC  = "grpc" // h2, and the fields of a call
)

// preface is what a client begins with that knows that the server speaks HTTP/2 (RFC 9113 section 3.4).
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// settleProtocol makes "grpc" a call over HTTP/2, of which what is not said is as clients have it.
func (q *Question) settleProtocol() error {
	switch q.Protocol {
	case "":
		q.Protocol = ProtocolHTTP1
	case ProtocolHTTP1, ProtocolH2:
	case ProtocolGRPC:
		q.Protocol = ProtocolH2
		if q.Method == "" {
			q.Method = "POST"
		}
		q.Headers = slices.Clone(q.Headers)
		for _, h := range [][2]string{{"content-type", "application/grpc"}, {"te", "trailers"}} {
			if !q.has(h[0], "") {
				q.Headers = append(q.Headers, h)
			}
		}
	default:
		return mistake(http.StatusBadRequest, "the protocol is http/1.1, h2 or grpc, not %.20q", q.Protocol)
	}
	return nil
}

// has reports whether there is a header of a name, and of a value where one is given.
func (q *Question) has(name, value string) bool {
	return slices.ContainsFunc(q.Headers, func(h [2]string) bool {
		return strings.EqualFold(h[0], name) && (value == "" || strings.EqualFold(h[1], value))
	})
}

// setList writes the head as a client of HTTP/2 would. Who asks for a WebSocket as in HTTP/1 means what HTTP/2 has for it: an extended CONNECT
// (RFC 8441 section 5).
func (a *asked) setList(q *Question, target string) {
	scheme := "http"
	if a.secure {
		scheme = "https"
	}
	a.list = [][2]string{{":method", a.request.Method}, {":scheme", scheme}, {":authority", a.request.Host}, {":path", target}}
	tunnel := q.has("upgrade", "websocket")
	if tunnel {
		a.list[0][1] = "CONNECT"
		a.list = append(a.list, [2]string{":protocol", "websocket"})
	}
	for _, h := range q.Headers {
		name := strings.ToLower(h[0])
		if name == "host" || tunnel && (name == "upgrade" || name == "connection" && strings.EqualFold(h[1], "upgrade")) {
			continue
		}
		a.list = append(a.list, [2]string{name, h[1]})
	}
}

// fill gives a rehearsal the head in what the client and this server agree on.
func (a *asked) fill(r *proxy.Rehearsal, server *proxy.Server) {
	switch {
	case a.h2 && server.SpeaksHTTP2():
		r.List = &message.Fields{}
		for _, f := range a.list {
			r.List.Add(f[0], []byte(f[1]))
		}
		if r.Conn.TLS != nil {
			r.Conn.TLS.Protocol = ProtocolH2
		}
	case a.h2 && !a.secure:
		r.Head = []byte(preface)
	default:
		r.Head = a.head
	}
}

// spokenTo is what backends are spoken to in.
func spokenTo(r *proxy.Rehearsal) string {
	switch {
	case !r.Shared:
		return ProtocolHTTP1
	case r.Upstream.SpeaksHTTP1():
		return ProtocolH2 + ", " + ProtocolHTTP1
	}
	return ProtocolH2
}

// addProtocolNotes tells what becomes of a request by the protocol that it comes in.
func (a *asked) addProtocolNotes(e *Explanation, r *proxy.Rehearsal, server *proxy.Server) {
	note := func(text string) { e.Notes = append(e.Notes, text) }
	switch {
	case a.h2 && r.List == nil && a.secure:
		note("server " + server.Name + " does not offer HTTP/2 (enabled_h2): the client asks in HTTP/1.1, if it can")
	case a.h2 && r.List == nil:
		note("server " + server.Name + " does not speak HTTP/2 (enabled_h2)")
	}
	if e.Upstream == nil || r.Answered {
		return
	}
	if r.Call != "" && !r.Shared {
		note("the call goes on in HTTP/1.1: for HTTP/2 upstream " + e.Upstream.Name + " needs alpn = H2")
	}
	if r.Tunnel {
		note("it asks for a tunnel: if the upstream agrees, what follows passes both ways unread")
	}
}
