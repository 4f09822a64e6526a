package pki

import (
	"bytes"
	"encoding/base64"
	"strings"
)

// Where several files lie in one directory, the names by which certificate and key are found, in this order.
const (
	certificateNames = "fullchain.pem cert.pem tls.crt server.crt cert.crt"
	keyNames         = "privkey.pem key.pem tls.key server.key cert.key"
)

// CertificateNames are the files that a directory is searched for when it stands for a certificate.
func CertificateNames() []string { return strings.Fields(certificateNames) }

// KeyNames are the files that a directory is searched for when it stands for a key.
func KeyNames() []string { return strings.Fields(keyNames) }

// DecodePEM gives the PEM that a text of the configuration is: written out, or as base64. Any other text is a path.
func DecodePEM(text string) ([]byte, bool) {
	if isPEM(text) {
		return []byte(text), true
	}
	if data, ok := decodeBase64(text); ok && isPEM(string(data)) {
		return data, true
	}
	return nil, false
}

// isPEM says whether a text is meant as PEM, well-formed or not.
func isPEM(text string) bool {
	begin := strings.Index(text, "-----BEGIN ")
	return begin >= 0 && strings.Contains(text[begin:], "-----END ") && strings.HasSuffix(strings.TrimSpace(text), "-----")
}

// DecodeDER gives the DER that a text of the configuration is: PEM of the type, or base64. Any other text is a path.
func DecodeDER(text string) ([]byte, bool) {
	if der, ok := DecodePEM(text); ok {
		return der, true
	}
	const sequence = 0x30 // what every structure here begins with
	if data, ok := decodeBase64(text); ok && len(data) > 1 && data[0] == sequence {
		return data, true
	}
	return nil, false
}

// decodeBase64 takes the standard alphabet, with blanks and line ends in between and padding or not.
func decodeBase64(text string) ([]byte, bool) {
	text = strings.Join(strings.Fields(text), "")
	if len(text) < 8 { // shorter than anything there is, and a word may look like base64
		return nil, false
	}
	data, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
	return data, err == nil
}

// TrimDER undoes the base64 or PEM in which a file may hold DER.
func TrimDER(data []byte) []byte {
	if len(data) > 0 && data[0] == 0x30 {
		return data
	}
	if block := firstBlock(data); block != nil {
		return block
	}
	if der, ok := decodeBase64(string(bytes.TrimSpace(data))); ok {
		return der
	}
	return data
}
