package route

import (
	"fmt"

	"pingap/config"
	"pingap/message"
)

// headerRule is one field that the location sends to the upstream.
type headerRule struct {
	name  string
	value message.Value
}

type headerRules struct {
	set, add []headerRule
}

// reverseProxyHeaders are the fields of enable_reverse_proxy_headers.
func reverseProxyHeaders() []string {
	return []string{
		"X-Real-IP:$remote_addr",
		"X-Forwarded-For:$proxy_add_x_forwarded_for",
		"X-Forwarded-Proto:$scheme",
		"X-Forwarded-Host:$host",
		"X-Forwarded-Port:$server_port",
	}
}

func compileHeaders(cfg *config.Location, env func(string) (string, bool)) (headerRules, error) {
	var rules headerRules
	entries := cfg.ProxySetHeaders
	if cfg.EnableReverseProxyHeaders {
		entries = append(reverseProxyHeaders(), entries...)
	}
	var err error
	if rules.set, err = compileHeaderList(entries, config.ParseSetHeader, env); err != nil {
		return rules, fmt.Errorf("proxy_set_headers: %w", err)
	}
	if rules.add, err = compileHeaderList(cfg.ProxyAddHeaders, config.ParseAddHeader, env); err != nil {
		return rules, fmt.Errorf("proxy_add_headers: %w", err)
	}
	return rules, nil
}

// compileHeaderList compiles entries that parse judges.
func compileHeaderList(entries []string, parse func(string) (name, value string, err error), env func(string) (string, bool)) ([]headerRule, error) {
	var rules []headerRule
	for _, entry := range entries {
		name, value, err := parse(entry)
		if err != nil {
			return nil, err
		}
		rules = append(rules, headerRule{name, message.CompileValue(value, env)})
	}
	return rules, nil
}

// valueSpace is the room on the stack for a value; a longer one costs an allocation.
const valueSpace = 512

func (h *headerRules) apply(rec *message.Record, fields *message.Fields) {
	var space [valueSpace]byte
	for i := range h.set {
		fields.Set(h.set[i].name, h.set[i].value.Append(space[:0], rec))
	}
	for i := range h.add {
		fields.Add(h.add[i].name, h.add[i].value.Append(space[:0], rec))
	}
}
