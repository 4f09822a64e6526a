package config

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
)

// Address is where a server listens or a backend is reached.
type Address struct {
	Network string // "tcp" or "unix"
	Host    string // name or IP without brackets; empty for unix and for ":port"
	Port    int    // 0 for unix
	Path    string // of a unix socket
}

// String is the address as net.Dial and net.Listen take it.
func (a Address) String() string {
	if a.Network == "unix" {
		return a.Path
	}
	return net.JoinHostPort(a.Host, strconv.Itoa(a.Port))
}

const (
	unixPrefix = "unix:"
	// maxUnixPath is sun_path less its terminating NUL.
	maxUnixPath = 107
)

var errAddrEmpty = errors.New("expected host:port, [v6]:port or unix:/path, found nothing")

// ParseListen reads one address of servers.X.addr. Port 0 is a free port of the system's
// choice.
func ParseListen(text string) (Address, error) {
	if text == "" {
		return Address{}, errAddrEmpty
	}
	if path, ok := strings.CutPrefix(text, unixPrefix); ok {
		return unixAddress(path)
	}
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		return Address{}, fmt.Errorf("address %q: expected host:port, [v6]:port or unix:/path", clip(text))
	}
	return tcpAddress(host, port, 0)
}

// Addresses are the listening addresses of the server. Entries that do not parse, which
// Load refuses, are left out.
func (s *Server) Addresses() []Address {
	var out []Address
	for _, text := range strings.Split(s.Addr, ",") {
		if a, err := ParseListen(strings.TrimSpace(text)); err == nil {
			out = append(out, a)
		}
	}
	return out
}

// Backend is one entry of upstreams.X.addrs.
type Backend struct {
	Address
	Weight int  // at least 1
	Backup bool // gets requests only while no other can
}

// backupWord behind an address marks a backend that is spare.
const backupWord = "backup"

// ParseBackend reads "host[:port]", "[v6][:port]" or "unix:/path", with a weight and the word backup behind it, in this order, where
// wanted.
func ParseBackend(text string, defaultPort int) (Backend, error) {
	addr, weight, backup, err := cutWeight(text)
	if err != nil {
		return Backend{}, err
	}
	b := Backend{Weight: weight, Backup: backup}
	if b.Address, err = backendAddress(addr, defaultPort); err != nil {
		return Backend{}, err
	}
	return b, nil
}

// cutWeight takes weight and backup off an entry of addrs.
func cutWeight(text string) (addr string, weight int, backup bool, err error) {
	words, weight := strings.Fields(text), 1
	if n := len(words); n > 1 && words[n-1] == backupWord {
		backup, words = true, words[:n-1]
	}
	if len(words) > 2 {
		return "", 0, false, fmt.Errorf("backend %q: expected an address, then a weight, then %q", clip(text), backupWord)
	}
	if len(words) == 2 {
		if weight, err = strconv.Atoi(words[1]); err != nil || weight < 1 || weight > maxWeight {
			return "", 0, false, fmt.Errorf("backend %q: expected a weight of 1 to %d after the blank", clip(text), maxWeight)
		}
	}
	if len(words) > 0 {
		addr = words[0]
	}
	return addr, weight, backup, nil
}

// maxWeight bounds the weight of a backend, so that sums of weights cannot overflow.
const maxWeight = 65535

// Backends are the entries of addrs. Entries that do not parse, which Load refuses, are
// left out. For docker discovery addrs holds labels and this means nothing.
func (u *Upstream) Backends() []Backend {
	var out []Backend
	for _, text := range u.Addrs {
		if b, err := ParseBackend(text, u.defaultPort()); err == nil {
			out = append(out, b)
		}
	}
	return out
}

func (u *Upstream) defaultPort() int {
	if u.SNI != "" {
		return 443
	}
	return 80
}

func backendAddress(text string, defaultPort int) (Address, error) {
	if text == "" {
		return Address{}, errors.New("expected host[:port], [v6][:port] or unix:/path, found nothing")
	}
	if path, ok := strings.CutPrefix(text, unixPrefix); ok {
		return unixAddress(path)
	}
	if net.ParseIP(text) != nil && strings.Contains(text, ":") {
		return Address{}, fmt.Errorf("address %q: an IPv6 address needs brackets, expected [%s]", clip(text), clip(text))
	}
	if inner, ok := bracketed(text); ok {
		return tcpAddress(inner, strconv.Itoa(defaultPort), 1)
	}
	if !strings.Contains(text, ":") {
		return tcpAddress(text, strconv.Itoa(defaultPort), 1)
	}
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		return Address{}, fmt.Errorf("address %q: expected host[:port], [v6][:port] or unix:/path", clip(text))
	}
	if host == "" {
		return Address{}, fmt.Errorf("address %q: expected a host before the port", clip(text))
	}
	return tcpAddress(host, port, 1)
}

func bracketed(text string) (string, bool) {
	if strings.HasPrefix(text, "[") && strings.HasSuffix(text, "]") {
		return text[1 : len(text)-1], true
	}
	return "", false
}

func unixAddress(path string) (Address, error) {
	if !strings.HasPrefix(path, "/") {
		return Address{}, fmt.Errorf("address %q: expected unix: and an absolute path", clip(unixPrefix+path))
	}
	if len(path) > maxUnixPath || strings.ContainsRune(path, 0) {
		return Address{}, fmt.Errorf("address %q: a socket path has at most %d bytes and no NUL", clip(unixPrefix+path), maxUnixPath)
	}
	return Address{Network: "unix", Path: path}, nil
}

func tcpAddress(host, port string, least int) (Address, error) {
	n, err := strconv.Atoi(port)
	if err != nil || n < least || n > 65535 {
		return Address{}, fmt.Errorf("port %q: expected a number from %d to 65535", clip(port), least)
	}
	if !validHost(host) {
		return Address{}, fmt.Errorf("host %q: expected a name or an IP address", clip(host))
	}
	return Address{Network: "tcp", Host: host, Port: n}, nil
}

// validHost accepts IP literals (with zone) and names of letters, digits, dots, dashes
// and underscores. Empty is every local address.
func validHost(host string) bool {
	if host == "" || net.ParseIP(host) != nil {
		return true
	}
	if before, _, ok := strings.Cut(host, "%"); ok && net.ParseIP(before) != nil {
		return true
	}
	if len(host) > 253 || strings.HasPrefix(host, ".") || strings.Contains(host, "..") {
		return false
	}
	for i := 0; i < len(host); i++ {
		if c := host[i]; !isLetter(c) && !isDigit(c) && c != '.' && c != '-' && c != '_' {
			return false
		}
	}
	return true
}
