package main

import (
	"fmt"
	"strings"
)

// flagSpec describes one flag of the command line. A table of them is the only
// place where a flag is spelled: parsing, environment and help read it.
type flagSpec struct {
	long  string
	short byte   // 0 when there is none
	value string // name of the value in the help; empty for a switch
	env   string // variable that stands in when the flag is absent; a switch is on when it is not empty
	help  string
	set   func(o *options, value string) error
	// later names the feature that is not built yet: the flag is refused.
	later string
	// strict refuses its variable too: to go on without the feature would be another thing than what was asked for.
	strict bool
}

// usageError is a command line that cannot be understood; exit code 2.
type usageError struct{ text string }

func (e usageError) Error() string { return e.text }

func usagef(format string, args ...any) error {
	return usageError{fmt.Sprintf(format, args...)}
}

// parser walks over arguments with a table of flags.
type parser struct {
	flags []flagSpec
	args  []string
	given map[string]bool // long names seen
	opts  *options
}

// parse sets options from args until the first argument that is no flag, or
// the end, and returns what is left. "--" ends the flags.
func (p *parser) parse() (rest []string, err error) {
	for len(p.args) > 0 {
		arg := p.args[0]
		switch {
		case arg == "--":
			return p.args[1:], nil
		case strings.HasPrefix(arg, "--"):
			p.args = p.args[1:]
			err = p.long(arg[2:])
		case len(arg) > 1 && arg[0] == '-':
			p.args = p.args[1:]
			err = p.shorts(arg[1:])
		default:
			return p.args, nil
		}
		if err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// words sets options from all args, and returns what is no flag: they may be mixed.
func (p *parser) words() (list []string, err error) {
	for {
		rest, err := p.parse()
		if err != nil || len(rest) == 0 {
			return list, err
		}
		list, p.args = append(list, rest[0]), rest[1:]
	}
}

// long handles --name, --name=value and --name value.
func (p *parser) long(text string) error {
	name, value, attached := strings.Cut(text, "=")
	for i := range p.flags {
		if p.flags[i].long == name {
			return p.apply(&p.flags[i], "--"+name, value, attached)
		}
	}
	return usagef("unknown flag --%s", name)
}

// shorts handles -d, -dt, -c value, -cvalue, -c=value and -dc value.
func (p *parser) shorts(text string) error {
	for i := 0; i < len(text); i++ {
		f := p.short(text[i])
		name := "-" + text[i:i+1]
		if f == nil {
			return usagef("unknown flag %s", name)
		}
		if f.value != "" {
			value, attached := text[i+1:], i+1 < len(text)
			return p.apply(f, name, strings.TrimPrefix(value, "="), attached)
		}
		if err := p.apply(f, name, "", false); err != nil {
			return err
		}
	}
	return nil
}

func (p *parser) short(c byte) *flagSpec {
	for i := range p.flags {
		if p.flags[i].short == c {
			return &p.flags[i]
		}
	}
	return nil
}

func (p *parser) apply(f *flagSpec, name, value string, attached bool) error {
	if f.value == "" && attached {
		return usagef("%s takes no value", name)
	}
	if f.value != "" && !attached {
		if len(p.args) == 0 {
			return usagef("%s needs a value: %s", name, f.value)
		}
		value, p.args = p.args[0], p.args[1:]
	}
	p.given[f.long] = true
	if f.later != "" {
		p.opts.later = append(p.opts.later, fmt.Sprintf("%s is not available yet: %s", name, f.later))
		return nil
	}
	if err := f.set(p.opts, value); err != nil {
		return usagef("%s: %v", name, err)
	}
	return nil
}

// environment lets variables stand in for the flags that were not given.
func (p *parser) environment(getenv func(string) string) error {
	for i := range p.flags {
		f := &p.flags[i]
		if f.env == "" || p.given[f.long] {
			continue
		}
		value := getenv(f.env)
		if value == "" {
			continue
		}
		if f.later != "" && f.strict {
			return usagef("%s is not available yet: %s", f.env, f.later)
		}
		if f.later != "" {
			p.opts.warnings = append(p.opts.warnings, fmt.Sprintf("%s is ignored, not available yet: %s", f.env, f.later))
			continue
		}
		if err := f.set(p.opts, value); err != nil {
			return usagef("%s: %v", f.env, err)
		}
	}
	return nil
}
