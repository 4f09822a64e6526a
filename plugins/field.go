package plugins

import (
	"errors"
	"fmt"
	"strings"

	"pingap/message"
)

// ParseField reads a field as configurations write it, "name: value". The value may be empty.
func ParseField(text string) (name, value string, err error) {
	name, value, ok := strings.Cut(text, ":")
	if !ok {
		return "", "", errors.New("expected \"name: value\"")
	}
	name, value = strings.TrimSpace(name), strings.TrimSpace(value)
	if err := CheckFieldName(name); err != nil {
		return "", "", err
	}
	if !message.ValidValue([]byte(value)) {
		return "", "", fmt.Errorf("the value of %s has a character that a field may not have", name)
	}
	return name, value, nil
}

// CheckFieldName refuses what is no field name, and the names of fields that only the proxy may write
// because the connection and the bounds of messages depend on them (RFC 9110 section 7.6.1, RFC 9112 section 6).
func CheckFieldName(name string) error {
	if !message.ValidToken([]byte(name)) {
		return fmt.Errorf("%q is not the name of a field", clip(name))
	}
	// Some peers read an underscore as a dash.
	switch strings.ReplaceAll(strings.ToLower(name), "_", "-") {
	case "connection", "content-length", "host", "keep-alive", "proxy-connection", "te", "trailer",
		"transfer-encoding", "upgrade":
		return fmt.Errorf("%s is written by the proxy and cannot be changed", name)
	}
	return nil
}

// Disown removes every field that a backend could take for the one called name: who may write it is the plugin alone. Some
// peers read an underscore as a dash.
func Disown(fields *message.Fields, name string) {
	for i := 0; i < fields.Len(); {
		if spelled := fields.List()[i].Name; sameField(spelled, name) {
			fields.Del(string(spelled)) // perhaps several, all from here on
			continue
		}
		i++
	}
}

// sameField compares names without case, and takes underscores for dashes.
func sameField(a []byte, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if foldName(a[i]) != foldName(b[i]) {
			return false
		}
	}
	return true
}

func foldName(c byte) byte {
	switch {
	case c == '_':
		return '-'
	case c >= 'A' && c <= 'Z':
		return c | 0x20
	}
	return c
}
