package telemetry

import (
	"fmt"
	"strings"

	"go.uber.org/zap/zapcore"
)

// levelOff is above every level that is logged.
const levelOff = zapcore.FatalLevel + 1

// ParseLevel reads a level, or a comma list of directives such as "info,module=debug", of which the
// first plain level counts: there are no levels per module. A list without one means info.
func ParseLevel(text string) (zapcore.Level, error) {
	for _, directive := range strings.Split(text, ",") {
		directive = strings.TrimSpace(directive)
		if directive == "" || strings.Contains(directive, "=") {
			continue
		}
		switch strings.ToLower(directive) {
		case "trace", "debug":
			return zapcore.DebugLevel, nil
		case "info":
			return zapcore.InfoLevel, nil
		case "warn", "warning":
			return zapcore.WarnLevel, nil
		case "error":
			return zapcore.ErrorLevel, nil
		case "off":
			return levelOff, nil
		}
		return zapcore.InfoLevel, fmt.Errorf("log level %q is not trace, debug, info, warn, error or off", clip(directive))
	}
	return zapcore.InfoLevel, nil
}

// PickLevel returns the level text that holds: the configuration's, else the environment's RUST_LOG if
// it is a level, else info.
func PickLevel(configured, rustLog string) string {
	if configured != "" {
		return configured
	}
	if _, err := ParseLevel(rustLog); err == nil && rustLog != "" {
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
