package source

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"pingap/control/source/etcd"
)

// Errors that a caller may want to tell apart.
var (
	ErrUnsupported = errors.New("not supported yet")
	ErrNotFound    = errors.New("does not exist")
	ErrEmpty       = errors.New("holds no configuration")
)

// Location says where a configuration is kept. The zero value is no location.
type Location struct {
	// Path is absolute: a file, or a directory that is read recursively.
	// With Text it is only the name that messages show.
	Path string `json:"path"`
	// Text is the configuration itself, for the quick start and the sample,
	// which have no file. Such a location never changes.
	Text string `json:"text,omitempty"`
	// Separation is the layout in which a directory is written: one file an
	// object. It does not change how the directory is read.
	Separation bool `json:"separation,omitempty"`
	// History asks to keep the old version of every file that is overwritten;
	// only honoured together with Separation.
	History bool `json:"history,omitempty"`
	// Etcd says where in etcd the configuration is; zero where it is not. Its password does not go into JSON.
	Etcd etcd.Target `json:"etcd,omitzero"`
}

// Base is what relative locations refer to.
type Base struct {
	Home string // replaces a leading ~
	Dir  string // replaces the working directory; must be absolute
}

// Memory returns a location whose only document is text, shown as name.
func Memory(name, text string) Location {
	return Location{Path: name, Text: text}
}

// Parse understands the value of -c: a path, with ~ and relative paths made
// absolute, and optionally ?separation&enable_history=true behind it. Whether
// the path exists is found out by Read.
func Parse(conf string, base Base) (Location, error) {
	if conf == "" {
		return Location{}, errors.New("no configuration given")
	}
	if etcd.Is(conf) {
		return parseEtcd(conf, base)
	}
	path, query, _ := strings.Cut(conf, "?")
	path, err := Absolute(path, base)
	if err != nil {
		return Location{}, err
	}
	if err := supported(path); err != nil {
		return Location{}, err
	}
	loc := Location{Path: path}
	if err := loc.options(query); err != nil {
		return Location{}, fmt.Errorf("configuration %s: %w", path, err)
	}
	return loc, nil
}

// parseEtcd understands a value of -c that means etcd. Files that it names are made absolute.
func parseEtcd(conf string, base Base) (Location, error) {
	target, err := etcd.Parse(conf)
	if err != nil {
		return Location{}, fmt.Errorf("configuration in etcd: %w", err)
	}
	for _, path := range []*string{&target.Cert, &target.Key, &target.CA} {
		if *path == "" {
			continue
		}
		if *path, err = Absolute(*path, base); err != nil {
			return Location{}, fmt.Errorf("configuration in etcd: %w", err)
		}
	}
	return Location{Path: "etcd:" + target.Path, Separation: true, History: target.History, Etcd: target}, nil
}

// Remote reports whether the location is reached over the network: it may be away for a while.
func (l Location) Remote() bool { return l.Etcd.Hosts != "" }

// Conf is the value of -c that leads to the location, its password included.
func (l Location) Conf() string {
	if l.Remote() {
		return l.Etcd.URL()
	}
	return l.String()
}

// SameAs reports whether a text that String has once given names this location, whatever options it had.
func (l Location) SameAs(text string) bool {
	before, _, _ := strings.Cut(text, "?")
	now, _, _ := strings.Cut(l.String(), "?")
	return before == now
}

// Redact hides the password in a text that may be, or hold, a value of -c.
func Redact(text string) string {
	words := strings.Split(text, " ")
	for i, word := range words {
		at := strings.Index(word, "etcd://")
		if other := strings.Index(word, "etcds://"); at < 0 {
			at = other
		}
		if at < 0 {
			continue
		}
		if target, err := etcd.Parse(word[at:]); err == nil {
			words[i] = word[:at] + target.String()
		} else {
			words[i] = word[:at] + "etcd://[redacted]"
		}
	}
	return strings.Join(words, " ")
}

// String names the location: the value of -c that leads to it, without user and password.
func (l Location) String() string {
	if l.Remote() {
		return l.Etcd.String()
	}
	s := l.Path
	if l.Separation {
		s += "?separation=true"
	}
	if l.History {
		s += "&enable_history=true"
	}
	return s
}

// Fixed reports whether the location can never change while running.
func (l Location) Fixed() bool { return l.Text != "" }

func (l *Location) options(query string) error {
	values, err := url.ParseQuery(query)
	if err != nil {
		return fmt.Errorf("options %q: %w", query, err)
	}
	if values.Has("separation") {
		l.Separation = values.Get("separation") != "false"
	}
	switch v := values.Get("enable_history"); {
	case !values.Has("enable_history"), v == "false":
	case v == "true":
		l.History = l.Separation
	default:
		return fmt.Errorf("enable_history=%s: expected true or false", v)
	}
	return nil
}

// Absolute replaces a leading ~ and makes a relative path absolute.
func Absolute(path string, base Base) (string, error) {
	if path == "" {
		return "", errors.New("the path is empty")
	}
	if path == "~" || strings.HasPrefix(path, "~/") {
		if base.Home == "" {
			return "", fmt.Errorf("%s: the home directory is not known", path)
		}
		return filepath.Clean(base.Home + path[1:]), nil
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(base.Dir, path)
	}
	return filepath.Clean(path), nil
}

func supported(path string) error {
	switch ext := filepath.Ext(path); ext {
	case ".hcl", ".kdl":
		return fmt.Errorf("configuration %s: the %s format is %w: use .toml", path, ext, ErrUnsupported)
	}
	return nil
}
