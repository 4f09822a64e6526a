package adminaddr

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	"pingap/config/credential"
)

const (
	defaultPort = "80"
	maxPath     = 200 // bytes of the prefix
)

// Admin is what --admin says.
type Admin struct {
	Authorization string // user:password, as the plugin has it
	Addr          string // host:port, [v6]:port or unix:/path
	Prefix        string // path without a slash at its end; empty for all of the server
	MaxAge        string // as the plugin has it; empty for its default
}

var errForm = errors.New("expected user:password@host:port, optionally with /prefix and ?max_age=2d behind it")

// Parse reads [user:password@|base64(user:password)@]host:port[/prefix][?max_age=2d]. User and password are escaped as in a URL. Somebody must be named.
func Parse(text string) (Admin, error) {
	var a Admin
	// Base64 may hold a slash, a host cannot hold an at sign.
	at := strings.LastIndexByte(text, '@')
	if at < 0 {
		if strings.HasPrefix(text, "unix:") {
			return a, errors.New("no user is named: the socket admin.sock of the run directory is always there, and needs none")
		}
		return a, errors.New("no user is named: expected user:password@ in front of the address, or everybody who reaches it could change everything")
	}
	var err error
	if a.Authorization, err = authorization(text[:at]); err != nil {
		return Admin{}, err
	}
	rest, query, _ := strings.Cut(text[at+1:], "?")
	if a.MaxAge, err = maxAge(query); err != nil {
		return Admin{}, err
	}
	if path, ok := strings.CutPrefix(rest, "unix:"); ok {
		if !strings.HasPrefix(path, "/") || len(path) > 107 {
			return Admin{}, errors.New("expected unix: and an absolute path")
		}
		a.Addr = rest
		return a, nil
	}
	host, prefix, found := strings.Cut(rest, "/")
	if found {
		if a.Prefix, err = pathOf("/" + prefix); err != nil {
			return Admin{}, err
		}
	}
	a.Addr, err = address(host)
	if err != nil {
		return Admin{}, err
	}
	return a, nil
}

func authorization(text string) (string, error) {
	if strings.Contains(text, ":") {
		name, password, _ := strings.Cut(text, ":")
		name, nerr := url.PathUnescape(name)
		password, perr := url.PathUnescape(password)
		if nerr != nil || perr != nil {
			return "", errors.New("user or password: expected %25 for a percent sign")
		}
		text = name + ":" + password
	} else {
		data, err := base64.StdEncoding.DecodeString(text)
		if err != nil || !strings.Contains(string(data), ":") {
			return "", errors.New("expected user:password@, or base64 of user:password, in front of the address")
		}
		text = string(data)
	}
	_, err := credential.ParseUser(text)
	return text, err
}

// Authorization is the part in front of the address for a user and a password.
func Authorization(user, password string) string {
	return base64.StdEncoding.EncodeToString([]byte(user+":"+password)) + "@"
}

func maxAge(query string) (string, error) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return "", errForm
	}
	for name, list := range values {
		if name != "max_age" || len(list) != 1 || list[0] == "" {
			return "", fmt.Errorf("behind the question mark: expected max_age=2d")
		}
	}
	return values.Get("max_age"), nil
}

func pathOf(path string) (string, error) {
	path = strings.TrimRight(path, "/")
	if path == "" {
		return "", nil
	}
	u, err := url.Parse(path)
	if err != nil || u.EscapedPath() != path || len(path) > maxPath || strings.Contains(path, "//") || strings.Contains(path, "/.") {
		return "", errors.New("expected a plain path behind the address, such as /pingap")
	}
	return path, nil
}

// address completes host, host:port, [v6] and [v6]:port.
func address(text string) (string, error) {
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		host, port, err = net.SplitHostPort(text + ":" + defaultPort)
	}
	n, nerr := strconv.ParseUint(port, 10, 16)
	if err != nil || nerr != nil || strings.ContainsAny(host, " ,/?#@[]") || text == "" {
		return "", errForm
	}
	return net.JoinHostPort(host, strconv.FormatUint(n, 10)), nil
}
