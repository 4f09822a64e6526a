package config

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// maxVariableName bounds the name of an environment variable in bytes.
const maxVariableName = 128

// Variables are the names of all environment variables that may stand in values which are made while serving: in header
// values ($NAME), also in parameters of plugins, which may be a variable as a whole ($ENV:NAME), and in access logs ({$NAME}). They are sorted. Names of variables of a
// request, such as $host, may be among them.
func (c *Config) Variables() []string {
	found := map[string]bool{}
	for _, l := range c.Locations {
		for _, list := range [][]string{l.ProxySetHeaders, l.ProxyAddHeaders} {
			for _, header := range list {
				addHeaderVariable(found, header)
			}
		}
	}
	tag := regexp.MustCompile(`\{\$([^{}]*)\}`)
	for _, s := range c.Servers {
		for _, match := range tag.FindAllStringSubmatch(s.AccessLog, -1) {
			addVariable(found, match[1])
		}
	}
	for _, p := range c.Plugins {
		addParameter(found, p.Params)
	}
	return slices.Sorted(maps.Keys(found))
}

// addParameter looks through a value of a plugin's parameters. Each text in it may be a header, or a variable.
func addParameter(found map[string]bool, value any) {
	switch v := value.(type) {
	case string:
		if name, ok := strings.CutPrefix(v, "$ENV:"); ok {
			addVariable(found, name)
			return
		}
		addHeaderVariable(found, v)
	case []any:
		for _, item := range v {
			addParameter(found, item)
		}
	case map[string]any:
		for _, item := range v {
			addParameter(found, item)
		}
	}
}

// addHeaderVariable takes name:$NAME.
func addHeaderVariable(found map[string]bool, header string) {
	_, value, _ := strings.Cut(header, ":")
	if name, ok := strings.CutPrefix(strings.TrimSpace(value), "$"); ok && !strings.HasPrefix(name, "http_") {
		addVariable(found, name)
	}
}

func addVariable(found map[string]bool, name string) {
	if name != "" && len(name) <= maxVariableName && prefixLen(name, isVariableByte) == len(name) {
		found[name] = true
	}
}

func isVariableByte(c byte) bool {
	return c == '_' || c == '-' || c == '.' || isDigit(c) || isLetter(c)
}
