package config

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// Source names what decides where the backends of an upstream are: upstreams with an equal Source have the same backends, whatever else
// differs. It is part of the keys under which processes speak of backends.
func (u *Upstream) Source() string {
	text, err := json.Marshal([]any{u.Addrs, u.Discovery, u.defaultPort(), u.IPv4Only, u.DNSServer, u.DNSDomain, u.DNSSearch})
	if err != nil {
		panic(err) // strings and numbers
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// StatusList reads a comma list of status codes, 100 to 599.
func StatusList(text string) ([]int, error) {
	var out []int
	for _, part := range splitList(text) {
		n, err := strconv.Atoi(part)
		if err != nil || n < 100 || n > 599 {
			return nil, fmt.Errorf("expected status codes of 100 to 599 with commas between, found %q", clip(part))
		}
		out = append(out, n)
	}
	return out, nil
}

// StickyCookie is the name of the cookie that sticky asks for; empty for none.
func (u *Upstream) StickyCookie() (string, error) {
	if u.Sticky == "" {
		return "", nil
	}
	const prefix = "cookie:"
	name, ok := strings.CutPrefix(u.Sticky, prefix)
	if !ok || !isCookieName(name) {
		return "", fmt.Errorf("expected cookie:name, found %q", clip(u.Sticky))
	}
	return name, nil
}

// isCookieName says whether it is a token (RFC 6265 section 4.1.1).
func isCookieName(name string) bool {
	for _, c := range []byte(name) {
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`()<>@,;:\"/[]?={}`, c) >= 0 {
			return false
		}
	}
	return name != ""
}
