package auth

import (
	"fmt"
	"strings"
	"time"

	"pingap/config"
	"pingap/config/credential"
	"pingap/control/admin/api"
)

// Category is that of the plugins whose parameters are read here.
const Category = "admin"

// Defaults of the plugin's parameters (plugins/admin).
const (
	defaultAge   = 48 * time.Hour
	defaultFails = 10
)

// Settings are what a plugin's parameters say of who may come.
type Settings struct {
	users  map[string]user
	tokens []credential.Token
	age    time.Duration // of a session, the longest
	fails  int           // of an address, until it is locked out
	digest string        // of the parameters
}

type user struct {
	credential.User
	role api.Role
}

// ParseSettings reads parameters that plugins/admin has checked. getenv looks up what "$ENV:NAME" names.
func ParseSettings(params map[string]any, getenv func(string) string) (*Settings, error) {
	s := &Settings{users: map[string]user{}, age: defaultAge, fails: defaultFails}
	r := reader{params: params, getenv: getenv}
	for _, list := range []struct {
		key  string
		role api.Role
	}{{"authorizations", api.Writer}, {"read_authorizations", api.Reader}} {
		for i, text := range r.texts(list.key) {
			u, err := credential.ParseUser(text)
			if err != nil {
				return nil, fmt.Errorf("%s: entry %d: %w", list.key, i+1, err)
			}
			s.users[u.Name] = user{User: u, role: list.role}
		}
	}
	for i, table := range r.tables("tokens") {
		t := reader{params: table, getenv: getenv}
		token, err := credential.ParseToken(t.text("name"), orElse(t.text("role"), "read"), t.text("expires"), t.text("token"))
		if err != nil {
			return nil, fmt.Errorf("tokens: entry %d: %w", i+1, err)
		}
		s.tokens = append(s.tokens, token)
	}
	if text := r.text("max_age"); text != "" {
		age, err := config.ParseDuration(text)
		if err != nil {
			return nil, fmt.Errorf("max_age: %w", err)
		}
		s.age = age.Std()
	}
	if n, ok := params["ip_fail_limit"].(int64); ok && n > 0 {
		s.fails = int(n)
	}
	s.digest = digest(fmt.Sprint(r.seen, s.age, s.fails))
	return s, nil
}

// reader takes values out of parameters, however TOML or a snapshot gives them, and notes what it took.
type reader struct {
	params map[string]any
	getenv func(string) string
	seen   []any
}

func (r *reader) text(key string) string {
	text, _ := r.params[key].(string)
	return r.expand(text)
}

func (r *reader) expand(text string) string {
	if name, ok := strings.CutPrefix(text, "$ENV:"); ok {
		return r.getenv(name)
	}
	return text
}

func (r *reader) texts(key string) []string {
	var all []string
	switch list := r.params[key].(type) {
	case []any:
		for _, item := range list {
			text, _ := item.(string)
			all = append(all, r.expand(text))
		}
	case []string:
		for _, text := range list {
			all = append(all, r.expand(text))
		}
	}
	r.seen = append(r.seen, key, all)
	return all
}

func (r *reader) tables(key string) []map[string]any {
	var all []map[string]any
	switch list := r.params[key].(type) {
	case []any:
		for _, item := range list {
			if table, ok := item.(map[string]any); ok {
				all = append(all, table)
			}
		}
	case []map[string]any:
		all = list
	}
	r.seen = append(r.seen, key, all)
	return all
}

func orElse(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}
