package config

import "strings"

// impliedServer is the name of the server that certificates imply.
const impliedServer = "lets encrypt"

// addImplied adds what a configuration only implies: where a certificate is to be proved by http-01 and no server listens on port 80,
// which is where a CA looks, a server without locations. It answers challenges, as all servers do, and nothing else.
func (l *loader) addImplied() {
	addr := l.config.Basic.ACMEHTTPAddr
	if l.opt.NoACME || addr == "" || l.config.Servers[impliedServer] != nil || !l.provesByHTTP() || l.listensForCA(addr) {
		return
	}
	l.config.newObject(l.schema[KindServer], KindServer, impliedServer)
	l.config.Servers[impliedServer].Addr = addr
}

// provesByHTTP says whether some certificate is to be issued by way of http-01.
func (l *loader) provesByHTTP() bool {
	for _, c := range l.config.Certificates {
		if c.ACME != "" && len(c.DomainList()) > 0 && c.ChallengeType() == "http-01" {
			return true
		}
	}
	return false
}

// listensForCA says whether a server listens on port 80, or at the address that is configured for this.
func (l *loader) listensForCA(addr string) bool {
	for _, s := range l.config.Servers {
		for _, a := range s.Addresses() {
			if a.Network == "tcp" && a.Port == 80 {
				return true
			}
			for _, text := range strings.Split(addr, ",") {
				if wanted, err := ParseListen(strings.TrimSpace(text)); err == nil && wanted.String() == a.String() {
					return true
				}
			}
		}
	}
	return false
}

// checkACMEAddr judges the address of the implied server, empty for none.
func (l *loader) checkACMEAddr(e *entry, b *Basic) {
	if b.ACMEHTTPAddr == "" {
		return
	}
	for _, text := range strings.Split(b.ACMEHTTPAddr, ",") {
		if _, err := ParseListen(strings.TrimSpace(text)); err != nil {
			l.fail(e.problem(err.Error(), "acme_http_addr"))
		}
	}
}
