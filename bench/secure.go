package main

import (
	"slices"
)

// Variants beyond plain HTTP/1.1. Not every proxy of the table can do them, and each only is compared where it can.
const (
	variantTLS     variant = "tls"         // as plain, over TLS with HTTP/1.1 and HTTP/2
	variantTLSIdle variant = "tls-idle"    // as tls, in fresh processes
	variantH2Idle  variant = "h2-idle"     // the same
	variantH2C     variant = "h2c"         // as plain, HTTP/2 in the clear
	variantH2Up    variant = "h2-upstream" // HTTP/1.1 in front, HTTP/2 in the clear behind
	variantGRPC    variant = "grpc"        // HTTP/2 in the clear on both sides
)

// maker is what makes the requests of a row.
type maker string

const (
	loadGen       maker = ""           // gen, HTTP/1.1 in the clear
	loadH1        maker = "h1"         // h2load over TLS, HTTP/1.1
	loadH2        maker = "h2"         // h2load over TLS, HTTP/2
	loadH2C       maker = "h2c"        // h2load in the clear, HTTP/2
	loadHandshake maker = "handshakes" // peer: a connection with a full handshake for each request
	loadResumed   maker = "resumed"    // peer: the same, with a ticket
	loadIdle      maker = "idle"       // peer: idle connections over TLS, HTTP/1.1
	loadIdleH2    maker = "idle-h2"    // peer: the same, HTTP/2
	loadGHZ       maker = "ghz"        // ghz: unary gRPC in the clear
)

const (
	hugeUpload = 100 << 20
	idleConns  = 4_000 // each needs a handshake
)

// secureRows are those for TLS, HTTP/2 and gRPC, all on one thread.
func secureRows() []row {
	small := row{Threads: 1, Path: "/small", Length: smallAnswer}
	with := func(name string, v variant, l maker, conns, streams int) row {
		r := small
		r.Name, r.Variant, r.Load, r.Conns, r.Streams = name+", 1 thread", v, l, conns, streams
		return r
	}
	large := func(r row) row { r.Path, r.Length = "/1m", largeAnswer; return r }
	upload := with("h2 over TLS, 100 MiB upload", variantTLS, loadH2, 1, 1)
	upload.Path, upload.Body, upload.Total = "/upload", hugeUpload, 5
	resting := func(name string, v variant, l maker) row {
		r := with(name, v, l, 0, 0)
		r.Idle, r.Once = idleConns, true
		return r
	}
	return []row{
		with("TLS keep-alive, 64 conns", variantTLS, loadH1, 64, 1),
		large(with("TLS 1 MiB, 4 conns", variantTLS, loadH1, 4, 1)),
		with("TLS, full handshakes, 16 conns", variantTLS, loadHandshake, 16, 1),
		with("TLS, resumed handshakes, 16 conns", variantTLS, loadResumed, 16, 1),
		with("h2 over TLS, 0.2 KiB, 8 conns of 32 streams", variantTLS, loadH2, 8, 32),
		large(with("h2 over TLS, 1 MiB, 4 conns of 1 stream", variantTLS, loadH2, 4, 1)),
		upload,
		with("h2c, 0.2 KiB, 8 conns of 32 streams", variantH2C, loadH2C, 8, 32),
		with("h2 upstream, 64 conns", variantH2Up, loadGen, 64, 0),
		with("gRPC unary, 8 conns of 8 calls", variantGRPC, loadGHZ, 8, 8),
		resting("idle 4,000 TLS conns", variantTLSIdle, loadIdle),
		resting("idle 4,000 h2 conns over TLS", variantH2Idle, loadIdleH2),
	}
}

// tls says whether clients come over TLS.
func (v variant) tls() bool { return v == variantTLS || v == variantTLSIdle || v == variantH2Idle }

// serves says which proxies are compared in a variant.
func (p proxy) serves(v variant) bool {
	switch v {
	case variantTLS, variantTLSIdle, variantH2Idle, variantH2C, variantGRPC:
		return slices.Contains([]string{"nginx", "haproxy", "pingap"}, p.name)
	case variantH2Up:
		return slices.Contains([]string{"go", "haproxy", "pingap"}, p.name)
	}
	return p.name != "go"
}
