package route

import (
	"fmt"
	"net/netip"
	"strings"

	"pingap/config"
)

type hostKind uint8

const (
	hostExact hostKind = iota
	hostWildcard
	hostRegex
)

// maxHost is the longest host name in bytes. Longer request hosts match no literal.
const maxHost = config.MaxHost

// hostRule is one entry of a location's host list.
type hostRule struct {
	kind  hostKind
	text  string // lower case; of a wildcard the part behind the star, with its dot
	regex *expression
}

// compileHosts compiles entries name, *.name and ~regex; none is any host.
func compileHosts(entries []string) ([]hostRule, error) {
	var rules []hostRule
	for _, entry := range entries {
		rule, err := compileHost(entry)
		if err != nil {
			return nil, err
		}
		rules = append(rules, rule)
	}
	return rules, nil
}

func compileHost(entry string) (hostRule, error) {
	if entry[0] == '~' {
		regex, err := compileExpression(strings.TrimSpace(entry[1:]))
		return hostRule{kind: hostRegex, regex: regex}, err
	}
	name := strings.TrimSuffix(strings.ToLower(entry), ".")
	if name == "" {
		return hostRule{}, fmt.Errorf("invalid host: %s", entry)
	}
	if len(name) > maxHost {
		return hostRule{}, fmt.Errorf("a name of %d bytes, at most %d", len(name), maxHost)
	}
	suffix, wildcard := strings.CutPrefix(name, "*")
	switch {
	case !wildcard && !strings.Contains(name, "*"):
		return hostRule{kind: hostExact, text: bracket(name)}, nil
	case wildcard && len(suffix) > 1 && suffix[0] == '.' && !strings.Contains(suffix, "*"):
		return hostRule{kind: hostWildcard, text: suffix}, nil
	}
	return hostRule{}, fmt.Errorf("invalid host wildcard pattern: %s", entry)
}

// bracket puts an IPv6 literal into the brackets that it has in a request.
func bracket(name string) string {
	if addr, err := netip.ParseAddr(name); err == nil && addr.Is6() {
		return "[" + name + "]"
	}
	return name
}

// match is the plain meaning of a rule: name is the request host in lower case without the dot of
// the root, original the host as received.
func (h *hostRule) match(name, original []byte) bool {
	switch h.kind {
	case hostExact:
		return string(name) == h.text
	case hostWildcard:
		return len(name) > len(h.text) && name[0] != '.' && string(name[len(name)-len(h.text):]) == h.text
	}
	return h.regex.regex.Match(original)
}
