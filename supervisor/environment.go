package supervisor

import (
	"fmt"
	"slices"
	"strings"
)

// maxVariables is how many variables a configuration may name; the kernel bounds their values.
const maxVariables = 1024

// ours reports whether a variable, or a setting NAME=value, is meant for the supervisor alone.
func ours(variable string) bool {
	return hasPrefix(variable, "NOTIFY_SOCKET", "LISTEN_", "WATCHDOG_", "TABLEFLIP_", "FDSTORE")
}

// secret reports whether workers may not be told a variable, whatever the configuration says: ours, the credentials of
// the panel, and where the configuration is, which may have a password in it.
func secret(variable string) bool {
	return ours(variable) || hasPrefix(variable, "PINGAP_ADMIN_", "PINGAP_CONF")
}

func hasPrefix(text string, prefixes ...string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(text, p) })
}

// controlEnv is the environment of control.
func (s *supervisor) controlEnv() []string {
	return slices.DeleteFunc(slices.Clone(s.o.ControlEnv), ours)
}

// lookUp finds the values of variables that a configuration names. One that is not set, or secret, is left out.
func (s *supervisor) lookUp(names []string) (map[string]string, error) {
	if len(names) > maxVariables {
		return nil, fmt.Errorf("%d environment variables, at most %d", len(names), maxVariables)
	}
	values := map[string]string{}
	for _, name := range names {
		if value, set := s.o.Env(name); set && !secret(name) {
			values[name] = value
		}
	}
	return values, nil
}
