package plugins

import (
	"errors"
	"fmt"
)

// Error is a parameter that New refuses.
type Error struct {
	// Key is the parameter at fault; empty when it is not a single one.
	Key string
	// Message says what was expected. It never holds a secret.
	Message string
}

// Error returns key and message.
func (e *Error) Error() string {
	if e.Key == "" {
		return e.Message
	}
	return e.Key + ": " + e.Message
}

// Errorf makes an Error for a parameter.
func Errorf(key, format string, args ...any) *Error {
	return &Error{Key: key, Message: fmt.Sprintf(format, args...)}
}

// EntryErrorf makes an Error for the entry with this index (from 0) of a list; users read it
// counted from 1.
func EntryErrorf(key string, index int, format string, args ...any) *Error {
	return Errorf(key, "entry %d: %s", index+1, fmt.Sprintf(format, args...))
}

// TableErrorf makes an Error for a key of the table with this index (from 0) of an array of tables.
func TableErrorf(key string, index int, in, format string, args ...any) *Error {
	return Errorf(fmt.Sprintf("%s[%d].%s", key, index, in), format, args...)
}

// Problem is one finding about a plugin's table.
type Problem struct {
	// Key is the parameter, "category", "step", or empty for the plugin as a whole.
	Key string
	// Message says what was expected.
	Message string
	// Warning lets the configuration pass.
	Warning bool
}

// Warner is a plugin with something to say to whoever checks its table: parameters that are right and have no effect, say.
type Warner interface {
	Warnings() []Problem
}

// Warnf makes a Problem that lets the configuration pass.
func Warnf(key, format string, args ...any) Problem {
	return Problem{Key: key, Message: fmt.Sprintf(format, args...), Warning: true}
}

// problemsOf takes an error of New apart: joined errors are one problem each.
func problemsOf(err error) []Problem {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []Problem
		for _, each := range joined.Unwrap() {
			all = append(all, problemsOf(each)...)
		}
		return all
	}
	var own *Error
	if errors.As(err, &own) {
		return []Problem{{Key: own.Key, Message: own.Message}}
	}
	return []Problem{{Message: err.Error()}}
}

// refusal makes one error of the problems that are not warnings; nil if there are none.
func refusal(problems []Problem) error {
	var all []error
	for _, p := range problems {
		if !p.Warning {
			all = append(all, &Error{Key: p.Key, Message: p.Message})
		}
	}
	return errors.Join(all...)
}
