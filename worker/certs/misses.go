package certs

import (
	"crypto/tls"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// missPause is the least time between two lines about clients that got no certificate.
const missPause = 10 * time.Second

// misses counts handshakes without a certificate and keeps their log lines few.
type misses struct {
	count  atomic.Uint64
	told   atomic.Uint64 // count at the last line
	toldAt atomic.Int64  // its time in ns since 1970
}

// miss counts a client that got no certificate, and logs it unless a line about another was written lately.
func (l *Live) miss(hello *tls.ClientHelloInfo, why error) {
	m := &l.missed
	count := m.count.Add(1)
	last, now := m.toldAt.Load(), time.Now().UnixNano()
	if l.Log == nil || now-last < int64(missPause) || !m.toldAt.CompareAndSwap(last, now) {
		return
	}
	fields := []zap.Field{zap.String("name", printable(hello.ServerName)), zap.NamedError("reason", why),
		zap.Uint64("since_last_line", count-m.told.Swap(count))}
	if hello.Conn != nil {
		fields = append(fields, zap.Stringer("client", hello.Conn.RemoteAddr()))
	}
	l.Log.Warn("no certificate for a client", fields...)
}

// maxPrintable bounds what of a client's words is kept or shown, in bytes.
const maxPrintable = 1024

// printable makes a text from outside fit for a log and a header field: what is not visible ASCII or a blank becomes \XX, its
// length is bounded.
func printable(text string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(text) && b.Len() < maxPrintable; i++ {
		if c := text[i]; c < 0x20 || c > 0x7e {
			b.WriteString(string([]byte{'\\', hex[c>>4], hex[c&15]}))
			continue
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

// addressOf is the IP address of a connection's end; empty where it has none.
func addressOf(addr net.Addr) string {
	if tcp, ok := addr.(*net.TCPAddr); ok {
		if ip, ok := netip.AddrFromSlice(tcp.IP); ok {
			return ip.Unmap().String()
		}
	}
	return ""
}
