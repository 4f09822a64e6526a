package route

import (
	"pingap/message"
)

// Trusted is the set of peers whose forwarded fields are believed. A nil Trusted believes nobody.
type Trusted struct {
	ranges []addrRange // sorted, disjoint
	unix   bool        // peers on unix sockets are trusted
}

// ClientIP sets rec.ClientIP and rec.ClientIPText: the peer's address, or, if the peer is trusted,
// the rightmost entry of X-Forwarded-For that is not trusted, else X-Real-IP.
func ClientIP(rec *message.Record, trusted *Trusted) {
	rec.ClientIP = rec.Conn.Remote.Addr().Unmap()
	rec.ClientIPText = rec.Conn.RemoteText
	if trusted == nil || !trusted.peer(rec) {
		return
	}
	trusted.forwarded(rec)
}
