package config

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
)

// EffectiveWeight orders the locations of a server, highest first; equal weights keep the
// order of the server's list. The path counts with its prefix character; a host counts 128,
// one with a regex in it its whole length.
func (l *Location) EffectiveWeight() int {
	if l.Weight >= 0 {
		return l.Weight
	}
	weight := 0
	if len(l.Path) > 1 {
		switch l.Path[0] {
		case '=':
			weight = 1024
		case '~':
			weight = 256
		default:
			weight = 512
		}
		weight += min(len(l.Path), 64)
	}
	if l.Host == "" {
		return weight
	}
	for _, part := range strings.Split(l.Host, ",") {
		if strings.HasPrefix(part, "~") {
			return weight + len(l.Host)
		}
	}
	return weight + 128
}

// Hosts are the entries of host, trimmed, empty ones dropped. None is any host.
func (l *Location) Hosts() []string {
	var hosts []string
	for _, part := range strings.Split(l.Host, ",") {
		if part = strings.TrimSpace(part); part != "" {
			hosts = append(hosts, part)
		}
	}
	return hosts
}

// MaxHost is the longest host in bytes that a location may name (RFC 1035, section 2.3.4, has 255 with its length bytes).
// Longer request hosts fit no name.
const MaxHost = 255

// checkHost judges one entry of a location's host.
func checkHost(host string) error {
	if pattern, ok := strings.CutPrefix(host, "~"); ok {
		return checkRegex(strings.TrimSpace(pattern))
	}
	host = strings.TrimSuffix(host, ".") // of the root
	switch {
	case host == "":
		return errors.New(`host ".": expected a name`)
	case len(host) > MaxHost:
		return fmt.Errorf("host %q: expected at most %d bytes, found %d", clip(host), MaxHost, len(host))
	case !strings.Contains(host, "*"):
		return nil
	}
	rest, ok := strings.CutPrefix(host, "*.")
	if !ok || rest == "" || strings.Contains(rest, "*") {
		return fmt.Errorf("host %q: expected a name, *.name with one leading star, or ~regex", clip(host))
	}
	return nil
}

// checkPath judges a location's path.
func checkPath(path string) error {
	if pattern, ok := strings.CutPrefix(strings.TrimSpace(path), "~"); ok {
		return checkRegex(strings.TrimSpace(pattern))
	}
	return nil
}

func checkRegex(pattern string) error {
	if _, err := regexp.Compile(pattern); err != nil {
		return fmt.Errorf("expected a regular expression: %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	return nil
}

// ParseRewrite splits a rewrite at single blanks into the regex and its replacement. One
// word with a $ replaces the whole path; one word without, or more than two words, removes
// what the regex matches.
func ParseRewrite(text string) (pattern, replacement string) {
	words := strings.Split(text, " ")
	switch {
	case len(words) == 2:
		return words[0], words[1]
	case len(words) == 1 && strings.Contains(text, "$"):
		return ".*", text
	}
	return words[0], ""
}

// Match is one condition of match_headers, match_query or match_cookies.
type Match struct {
	Name  string
	Value string
	Exact bool // false: the name must be present, whatever its value
}

var errMatchName = errors.New("expected name:value or name, found no name")

// ParseMatch reads "name:value" or "name".
func ParseMatch(text string) (Match, error) {
	name, value, exact := strings.Cut(text, ":")
	m := Match{Name: strings.TrimSpace(name), Value: strings.TrimSpace(value), Exact: exact}
	if m.Name == "" {
		return m, errMatchName
	}
	return m, nil
}

var errHeaderColon = errors.New("expected name:value, found no colon")

// ParseHeader reads "Name:value" and judges both (RFC 9110, section 5).
func ParseHeader(text string) (name, value string, err error) {
	name, value, found := strings.Cut(text, ":")
	if !found {
		return "", "", errHeaderColon
	}
	name, value = strings.TrimSpace(name), strings.TrimSpace(value)
	if name == "" || prefixLen(name, isTokenByte) < len(name) {
		return "", "", fmt.Errorf("header name %q: expected letters, digits and !#$%%&'*+-.^_`|~", clip(name))
	}
	for i := 0; i < len(value); i++ {
		if c := value[i]; c < 0x20 && c != '\t' || c == 0x7f {
			return "", "", fmt.Errorf("value of header %s: expected no control characters", clip(name))
		}
	}
	return name, value, nil
}

// ParseSetHeader reads an entry of proxy_set_headers: a header that is not the engine's own.
func ParseSetHeader(text string) (name, value string, err error) {
	if name, value, err = ParseHeader(text); err == nil && ownField(name) {
		err = fmt.Errorf("header %s: the proxy itself writes the fields of framing and of connections", clip(name))
	}
	return name, value, err
}

// ParseAddHeader reads an entry of proxy_add_headers: one for proxy_set_headers that may stand twice.
func ParseAddHeader(text string) (name, value string, err error) {
	if name, value, err = ParseSetHeader(text); err == nil && strings.EqualFold(name, "host") {
		err = fmt.Errorf("header %s: a request has one; replace it with proxy_set_headers", clip(name))
	}
	return name, value, err
}

// ownField reports whether a field concerns a connection and the messages on it (RFC 9110, section 7.6.1), which is the
// engine's business alone. A name with "_" for "-" counts as well: servers behind us may take it for the same field.
func ownField(name string) bool {
	switch strings.ReplaceAll(strings.ToLower(name), "_", "-") {
	case "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer", "keep-alive", "proxy-connection",
		"http2-settings", "expect":
		return true
	}
	return false
}

// isTokenByte is tchar of RFC 9110, section 5.6.2.
func isTokenByte(c byte) bool {
	return isLetter(c) || isDigit(c) || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

// ParseNetwork reads an address or a network such as 10.0.0.0/8. A single address is a
// network of its whole length; IPv4 written as IPv6 becomes IPv4.
func ParseNetwork(text string) (netip.Prefix, error) {
	text = strings.TrimSpace(text)
	if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	network, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("expected an IP address or a network such as 10.0.0.0/8, found %q", clip(text))
	}
	if addr := network.Addr(); addr.Is4In6() && network.Bits() >= 96 {
		network = netip.PrefixFrom(addr.Unmap(), network.Bits()-96)
	}
	return network.Masked(), nil
}
