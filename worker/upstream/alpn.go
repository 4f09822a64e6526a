package upstream

import "strings"

// protocols are the versions of HTTP that an upstream's alpn allows.
type protocols struct{ h1, h2 bool }

// parseALPN reads alpn; what it does not know is HTTP/1.
func parseALPN(text string) protocols {
	switch strings.ToUpper(text) {
	case "H2":
		return protocols{h2: true}
	case "H2H1":
		return protocols{h1: true, h2: true}
	}
	return protocols{h1: true}
}

// offers are the names sent in TLS; h2 tells whether who connects can speak HTTP/2.
func (p protocols) offers(h2 bool) []string {
	switch {
	case !h2 || !p.h2:
		return []string{protocolHTTP1}
	case p.h1:
		return []string{protocolHTTP2, protocolHTTP1}
	}
	return []string{protocolHTTP2}
}

// Multiplexed reports whether requests go by Share: alpn has HTTP/2, and in the clear, where nothing can
// be agreed on, nothing else.
func (u *Upstream) Multiplexed() bool {
	return u.protocols.h2 && (u.tls != nil || !u.protocols.h1)
}

// SpeaksHTTP1 reports whether requests may go by Take and Dial: those that HTTP/2 has no form for.
func (u *Upstream) SpeaksHTTP1() bool { return u.protocols.h1 }
