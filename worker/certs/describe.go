package certs

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"time"

	"pingap/config/pki"
	"pingap/message"
)

// Describe is what records keep of an encrypted connection. Everything that comes from the client is made fit for logs and
// header fields.
func Describe(state *tls.ConnectionState, handshake time.Duration) *message.TLS {
	d := &message.TLS{
		Version: pki.VersionName(state.Version), Cipher: pki.CipherName(state.CipherSuite), Handshake: int64(handshake),
		ServerName: printable(state.ServerName), Protocol: state.NegotiatedProtocol, Resumed: state.DidResume,
	}
	if len(state.VerifiedChains) > 0 && len(state.PeerCertificates) > 0 {
		client := state.PeerCertificates[0]
		sum := sha256.Sum256(client.Raw)
		d.Client = &message.Client{Subject: printable(client.Subject.String()), Fingerprint: hex.EncodeToString(sum[:])}
	}
	return d
}
