package telemetry

import (
	"fmt"
	"strings"

	"go.uber.org/zap/zapcore"
)

// levelOff is above every level that is logged.
const levelOff = zapcore.FatalLevel + 1

// Levels are the least levels that are logged, of everything and of single components.
type Levels struct {
	plain zapcore.Level
	of    []componentLevel
	least zapcore.Level // of all of these
}

type componentLevel struct {
	name  string
	level zapcore.Level
}

// maxDirectives bounds a list of levels.
const maxDirectives = 64

// ParseLevels reads a level, or a comma list of directives such as "info,control=debug", of which the first plain level counts, and
// for a component the first that names it. Components are named as lines show them; those that do not exist do nothing. A list without a
// plain level means info.
func ParseLevels(text string) (Levels, error) {
	l, found := Levels{plain: zapcore.InfoLevel}, false
	directives := strings.Split(text, ",")
	for _, directive := range directives[:min(len(directives), maxDirectives)] {
		name, word, named := strings.Cut(strings.TrimSpace(directive), "=")
		if !named {
			word = name
		}
		if word = strings.TrimSpace(word); word == "" || !named && found {
			continue
		}
		level, ok := levelOf(word)
		if !ok {
			return Levels{plain: zapcore.InfoLevel, least: zapcore.InfoLevel}, fmt.Errorf("log level %q is not trace, debug, info, warn, error or off", clip(word))
		}
		if named {
			l.of = append(l.of, componentLevel{strings.TrimSpace(name), level})
			continue
		}
		l.plain, found = level, true
	}
	l.least = l.plain
	for _, c := range l.of {
		l.least = min(l.least, c.level)
	}
	return l, nil
}

// level returns what holds for a component: what is said of it, or of one that it is part of.
func (l *Levels) level(component string) zapcore.Level {
	for _, c := range l.of {
		if rest, ok := strings.CutPrefix(component, c.name); ok && (rest == "" || rest[0] == '.') {
			return c.level
		}
	}
	return l.plain
}

func levelOf(word string) (zapcore.Level, bool) {
	switch strings.ToLower(word) {
	case "trace", "debug":
		return zapcore.DebugLevel, true
	case "info":
		return zapcore.InfoLevel, true
	case "warn", "warning":
		return zapcore.WarnLevel, true
	case "error":
		return zapcore.ErrorLevel, true
	case "off":
		return levelOff, true
	}
	return zapcore.InfoLevel, false
}

// PickLevel returns the level text that holds: the configuration's, else the environment's RUST_LOG if
// it is a level, else info.
func PickLevel(configured, rustLog string) string {
	if configured != "" {
		return configured
	}
	if _, err := ParseLevels(rustLog); err == nil && rustLog != "" {
		return rustLog
	}
	return "info"
}

// levelName is the level as lines show it.
func levelName(level zapcore.Level) string {
	switch {
	case level <= zapcore.DebugLevel:
		return "DEBUG"
	case level == zapcore.InfoLevel:
		return "INFO"
	case level == zapcore.WarnLevel:
		return "WARN"
	}
	return "ERROR"
}

// severityOf is the syslog severity of a level.
func severityOf(level zapcore.Level) Severity {
	switch {
	case level <= zapcore.DebugLevel:
		return SeverityDebug
	case level == zapcore.InfoLevel:
		return SeverityInfo
	case level == zapcore.WarnLevel:
		return SeverityWarning
	case level == zapcore.ErrorLevel:
		return SeverityError
	}
	return SeverityCritical
}
