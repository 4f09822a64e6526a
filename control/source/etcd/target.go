package etcd

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"pingap/config"
)

// Defaults and bounds of a Target.
const (
	defaultTimeout = 10 * time.Second
	defaultConnect = 5 * time.Second
	maxTimeout     = 5 * time.Minute
	maxHosts       = 32
	maxURL         = 8 << 10 // bytes
	defaultPort    = "2379"
	minSecret      = 32 // characters: keys are derived from it by HKDF, which makes guessing no dearer
)

// Secret is a text that never shows where a value is printed or made JSON of.
type Secret string

// String hides it.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "[redacted]"
}

// GoString hides it from %#v.
func (s Secret) GoString() string { return `"` + s.String() + `"` }

// MarshalText hides it from JSON.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Target says where in which etcd a configuration is. Parse makes one; the zero value is none.
type Target struct {
	Hosts    string        `json:"hosts,omitempty"` // host:port, separated by commas
	Path     string        `json:"path,omitempty"`  // begins with a slash, does not end with one
	Timeout  time.Duration `json:"timeout,omitempty"`
	Connect  time.Duration `json:"connect,omitempty"`
	User     string        `json:"user,omitempty"`
	Password Secret        `json:"password,omitempty"`

	TLS        bool   `json:"tls,omitempty"`
	Cert       string `json:"cert,omitempty"` // paths of PEM files
	Key        string `json:"key,omitempty"`
	CA         string `json:"ca,omitempty"`
	ServerName string `json:"server_name,omitempty"`

	History bool `json:"history,omitempty"` // keep what is overwritten

	// ACMESecret is what nodes seal with that get certificates together; empty where each does so for itself.
	ACMESecret Secret `json:"acme_secret,omitempty"`
}

// ACMEState is where nodes keep what they have in common of certificates: beside the configuration, not in it.
func (t Target) ACMEState() Target {
	t.Path += "-state/acme"
	t.History = false
	return t
}

// Is reports whether a value of -c means etcd.
func Is(conf string) bool {
	return strings.HasPrefix(conf, "etcd://") || strings.HasPrefix(conf, "etcds://")
}

// Parse understands etcd://host:2379,host:2379/path?options. No error repeats what could be a password.
func Parse(conf string) (Target, error) {
	scheme, rest, found := strings.Cut(conf, "://")
	if !found || scheme != "etcd" && scheme != "etcds" {
		return Target{}, errors.New("expected etcd:// or etcds:// in front")
	}
	if len(conf) > maxURL {
		return Target{}, fmt.Errorf("longer than %d bytes", maxURL)
	}
	t := Target{Timeout: defaultTimeout, Connect: defaultConnect, TLS: scheme == "etcds"}
	rest, query, _ := strings.Cut(rest, "?")
	hosts, path, _ := strings.Cut(rest, "/")
	if err := t.hosts(hosts); err != nil {
		return Target{}, err
	}
	path = strings.Trim(path, "/")
	if path == "" || !printable(path) {
		return Target{}, errors.New("expected the path of the configuration behind the hosts, such as etcd://localhost:2379/pingap")
	}
	t.Path = "/" + path
	values, err := url.ParseQuery(query)
	if err != nil {
		return Target{}, errors.New("the options behind ? are not well-formed: special characters in them are written as %XX")
	}
	return t, t.options(values)
}

func printable(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r == 0x7f || r == 0xfffd })
}

func (t *Target) hosts(list string) error {
	if strings.Contains(list, "@") {
		return errors.New("user and password are options: ?user=NAME&password=SECRET")
	}
	var hosts []string
	for host := range strings.SplitSeq(list, ",") {
		if host = strings.TrimSpace(host); host == "" {
			continue
		}
		name, port, err := net.SplitHostPort(host)
		if err != nil {
			name, port = strings.Trim(host, "[]"), defaultPort
		}
		if name == "" || port == "" || !printable(name) || strings.ContainsAny(name, "/?#@[]") || strings.Trim(port, "0123456789") != "" {
			return fmt.Errorf("host %q: expected host:port", host)
		}
		hosts = append(hosts, net.JoinHostPort(name, port))
	}
	if len(hosts) == 0 || len(hosts) > maxHosts {
		return fmt.Errorf("expected 1 to %d hosts, separated by commas, found %d", maxHosts, len(hosts))
	}
	t.Hosts = strings.Join(hosts, ",")
	return nil
}

func (t *Target) options(values url.Values) error {
	texts := map[string]*string{"user": &t.User, "password": (*string)(&t.Password), "cert": &t.Cert, "key": &t.Key, "ca": &t.CA,
		"server_name": &t.ServerName, "acme_secret": (*string)(&t.ACMESecret)}
	spans := map[string]*time.Duration{"timeout": &t.Timeout, "connect_timeout": &t.Connect}
	switches := map[string]*bool{"tls": &t.TLS, "enable_history": &t.History}
	for name := range values {
		value := values.Get(name)
		var err error
		switch {
		case texts[name] != nil:
			*texts[name] = value
		case spans[name] != nil:
			*spans[name], err = span(value)
		case switches[name] != nil:
			*switches[name], err = isTrue(value)
		case name == "separation": // the layout is always one key an object
		default:
			err = errors.New("unknown option, expected one of " + strings.Join(optionNames(), ", "))
		}
		if err != nil {
			return fmt.Errorf("%.40q: %w", name, err)
		}
	}
	return t.agree()
}

func optionNames() []string {
	return []string{"timeout", "connect_timeout", "user", "password", "tls", "cert", "key", "ca", "server_name", "enable_history",
		"acme_secret"}
}

// agree refuses options that need another one.
func (t *Target) agree() error {
	switch {
	case (t.User == "") != (t.Password == ""):
		return errors.New("user and password are needed together")
	case (t.Cert == "") != (t.Key == ""):
		return errors.New("cert and key are needed together")
	case t.ACMESecret != "" && len(t.ACMESecret) < minSecret:
		return fmt.Errorf("acme_secret has less than %d characters: whoever reads etcd could guess it; openssl rand -hex 32 makes one", minSecret)
	case !t.TLS && (t.Cert != "" || t.CA != "" || t.ServerName != ""):
		t.TLS = true // what is only meant for TLS asks for it
	}
	return nil
}

func span(text string) (time.Duration, error) {
	d, err := config.ParseDuration(text)
	if err == nil && (d.Std() < 10*time.Millisecond || d.Std() > maxTimeout) {
		err = fmt.Errorf("expected 10ms to %s", maxTimeout)
	}
	return d.Std(), err
}

func isTrue(text string) (bool, error) {
	if !slices.Contains([]string{"true", "false"}, text) {
		return false, errors.New("expected true or false")
	}
	return text == "true", nil
}

// String names the target without user and password.
func (t Target) String() string { return t.url(false) }

// URL is the target with everything that Parse needs, the password too.
func (t Target) URL() string { return t.url(true) }

func (t Target) url(whole bool) string {
	q := url.Values{}
	set := func(name, value string, wanted bool) {
		if wanted {
			q.Set(name, value)
		}
	}
	set("timeout", config.Duration(t.Timeout).String(), t.Timeout != defaultTimeout)
	set("connect_timeout", config.Duration(t.Connect).String(), t.Connect != defaultConnect)
	set("user", t.User, whole && t.User != "")
	set("password", string(t.Password), whole && t.Password != "")
	set("acme_secret", string(t.ACMESecret), whole && t.ACMESecret != "")
	set("cert", t.Cert, t.Cert != "")
	set("key", t.Key, t.Key != "")
	set("ca", t.CA, t.CA != "")
	set("server_name", t.ServerName, t.ServerName != "")
	set("enable_history", "true", t.History)
	scheme := "etcd://"
	if t.TLS {
		scheme = "etcds://"
	}
	text := scheme + t.Hosts + t.Path
	if len(q) > 0 {
		text += "?" + q.Encode()
	}
	return text
}

// Prefix is what the keys of the configuration begin with.
func (t Target) Prefix() string { return t.Path + "/" }
