package admin

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"pingap/config/credential"
	"pingap/plugins"
)

const (
	maxUsers = 100 // of each list; as many tokens
	front    = "/admin/"
)

// Factory declares the plugin. Control reads the same parameters (control/admin/auth).
func Factory() plugins.Factory {
	return plugins.Factory{
		Category: "admin",
		Summary:  "Serves the admin panel and its API below a path.",
		Steps:    []plugins.Step{plugins.Request},
		Params: []plugins.Param{
			{Name: "path", Type: plugins.String, Default: "/", Help: "Path below which the interface is; requests elsewhere go on."},
			{Name: "authorizations", Type: plugins.Strings, Secret: true,
				Help: "Who may log in and change everything: user:password, or base64 of it, one entry each. In place of the password may be its argon2id hash (pingap hash)."},
			{Name: "read_authorizations", Type: plugins.Strings, Secret: true, Help: "Who may log in and look, in the same form."},
			{Name: "tokens", Type: plugins.Tables, Table: []plugins.Param{
				{Name: "name", Type: plugins.String, Required: true, Help: "Name for the audit log."},
				{Name: "role", Type: plugins.String, Default: "read", Enum: []string{"read", "write"}, Help: "What it may do."},
				{Name: "expires", Type: plugins.String, Help: "When it ends: 2030-01-31T12:00:00Z, or a date. Empty is never."},
				{Name: "token", Type: plugins.String, Required: true, Secret: true, Help: "The token, 20 characters or more, or sha256: and its sum in hexadecimal."},
			}, Help: "What programs may show in the field Authorization, as Bearer."},
			{Name: "max_age", Type: plugins.Duration, Default: "2d", Help: "How long a session lasts, at most 30d. Unused ones end after a quarter of it."},
			{Name: "ip_fail_limit", Type: plugins.Int, Default: int64(10), Min: 1, Max: 1000, Help: "Failed logins and tokens of a client's address after which it is locked out for 5 minutes."},
		},
		New: build,
	}
}

// admin is an instance.
type admin struct {
	path  string // without the slash at its end; empty is everything
	front string // of the path at control
}

func build(p *plugins.Parameters) (plugins.Plugin, error) {
	path, err := p.Path("path")
	if err != nil {
		return nil, err
	}
	if err := checkCredentials(p); err != nil {
		return nil, err
	}
	if age := p.Duration("max_age"); age < time.Minute || age > 30*24*time.Hour {
		return nil, plugins.Errorf("max_age", "expected 1m to 30d")
	}
	return &admin{path: strings.TrimRight(path, "/"), front: front + url.PathEscape(p.Name())}, nil
}

// checkCredentials refuses what cannot be read, and having none.
func checkCredentials(p *plugins.Parameters) error {
	seen := map[string]bool{}
	for _, key := range []string{"authorizations", "read_authorizations"} {
		list := p.Strings(key)
		if len(list) > maxUsers {
			return plugins.Errorf(key, "expected at most %d entries", maxUsers)
		}
		for i, text := range list {
			u, err := credential.ParseUser(text)
			switch {
			case err != nil:
				return plugins.Errorf(key, "entry %d: %v", i+1, err)
			case seen[u.Name]:
				return plugins.Errorf(key, "entry %d: the user is there already", i+1)
			}
			seen[u.Name] = true
		}
	}
	tokens := p.Tables("tokens")
	if len(tokens) > maxUsers {
		return plugins.Errorf("tokens", "expected at most %d", maxUsers)
	}
	for i, t := range tokens {
		if _, err := credential.ParseToken(t.String("name"), t.String("role"), t.String("expires"), t.String("token")); err != nil {
			return plugins.Errorf(fmt.Sprintf("tokens[%d]", i), "%v", err)
		}
	}
	if len(seen) == 0 && len(tokens) == 0 {
		return plugins.Errorf("authorizations", "expected somebody who may come in: without authorizations, read_authorizations and tokens nobody could be told from anybody")
	}
	return nil
}

// Decide passes requests below the path on, and lets everything else go on.
func (a *admin) Decide(e *plugins.Exchange) plugins.Decision {
	path := e.Request.NormalPath()
	if len(path) < len(a.path) || string(path[:len(a.path)]) != a.path || len(path) == 0 || path[0] != '/' {
		return plugins.Continue
	}
	rest := path[len(a.path):]
	if len(rest) == 0 {
		return plugins.Respond(a.toFolder(), "admin")
	}
	if rest[0] != '/' {
		return plugins.Continue
	}
	target := append([]byte(a.front), rest...)
	if e.Request.HasQuery {
		target = append(append(target, '?'), e.Request.Query...)
	}
	return plugins.Respond(&plugins.Answer{Inside: &plugins.Inside{Target: target, Prefix: a.path}}, "admin")
}

// Foresee says what is known here: who gets what is control's business.
func (a *admin) Foresee(e *plugins.Exchange) plugins.Foresight {
	d := a.Decide(e)
	if d.Answer != nil && d.Answer.Inside != nil {
		return plugins.Foresight{Decision: d, Why: "control answers below this path, by who has logged in"}
	}
	return plugins.Foresight{Decision: d}
}

// toFolder leads from the path to what is below it. It says where relative to the request: whoever stands in front may have other paths.
func (a *admin) toFolder() *plugins.Answer {
	last := a.path[strings.LastIndexByte(a.path, '/')+1:]
	answer := &plugins.Answer{Status: 307}
	answer.AddField("Location", "./"+last+"/")
	return answer
}
