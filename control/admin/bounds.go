package admin

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"pingap/control/admin/api"
)

// How long a request may take.
const (
	smallBody  = 1 << 20
	readTime   = 30 * time.Second // for a small body to come
	importTime = 2 * time.Minute  // for a larger one
	writeTime  = 3 * time.Minute  // for an answer: an apply may have to wait for the one before it, and for workers
)

// bound sets the time limits of a route, in place of those of the server. A stream has none: those who write it bound each write.
func bound(w http.ResponseWriter, route api.Route) error {
	c := http.NewResponseController(w)
	now := time.Now()
	read, write := now.Add(readTime), now.Add(writeTime)
	if route.Body > smallBody {
		read = now.Add(importTime)
	}
	if route.Stream {
		read, write = time.Time{}, time.Time{}
	}
	if err := c.SetReadDeadline(read); err != nil {
		return fmt.Errorf("time limit: %w", err)
	}
	if err := c.SetWriteDeadline(write); err != nil {
		return fmt.Errorf("time limit: %w", err)
	}
	return nil
}

// sameSite refuses what a browser was made to send by a page from elsewhere. The unix socket asks for no password, and some make a port of
// it (ssh -L): a page must neither write there, nor read by a name of its own that it had resolved to this machine.
func sameSite(r *http.Request) error {
	if !localName(r.Host) {
		return api.Errorf(http.StatusForbidden, "the host is not this machine")
	}
	return notCross(r)
}

func notCross(r *http.Request) error {
	var protect http.CrossOriginProtection
	if err := protect.Check(r); err != nil {
		return api.Errorf(http.StatusForbidden, "the request comes from another site")
	}
	return nil
}

// localName says whether a host cannot be a name of the DNS: nobody else has a say in what it means.
func localName(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.Trim(host, "[]"), ".")
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	return !strings.Contains(host, ".") || strings.HasSuffix(host, ".localhost")
}
