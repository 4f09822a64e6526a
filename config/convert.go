package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// badValue says what is wrong with a value, and with which element of a list.
type badValue struct {
	element int // -1 for the whole value
	message string
}

func bad(format string, args ...any) *badValue {
	return &badValue{element: -1, message: fmt.Sprintf(format, args...)}
}

// convert checks a TOML value against the key and gives string, int64, bool or []string.
func (k *Key) convert(v any) (any, *badValue) {
	switch k.Type {
	case "integer":
		if n, ok := v.(int64); ok {
			return n, k.checkRange(n)
		}
	case "boolean":
		if b, ok := v.(bool); ok {
			return b, nil
		}
	case "duration":
		return k.convertDuration(v)
	case "size":
		return k.convertSize(v)
	case "share":
		return k.convertShare(v)
	case "list":
		return convertList(v)
	case "string", "secret":
		if s, ok := v.(string); ok {
			return s, k.checkEnum(s)
		}
	}
	if k.Type == "secret" {
		return nil, bad("expected a string") // what was found may be the secret
	}
	return nil, bad("expected %s, found %s", k.expected(), describe(v))
}

// expected names what the key takes, with an example where the form is not obvious.
func (k *Key) expected() string {
	switch k.Type {
	case "integer":
		return strings.TrimSuffix("an integer, "+rangeText(k), ", ")
	case "boolean":
		return "true or false"
	case "duration":
		return `a duration such as "10s" or "1m 30s"`
	case "size":
		return `a size such as "64kib" or "10mb"`
	case "share":
		return `a share such as 0.25 or "25%"`
	case "list":
		return "a list of strings"
	}
	return "a string"
}

func (k *Key) convertDuration(v any) (any, *badValue) {
	s, ok := v.(string)
	if !ok {
		return nil, bad("expected %s, found %s", k.expected(), describe(v))
	}
	d, err := ParseDuration(s)
	if err != nil {
		return nil, bad("expected %s: %v", k.expected(), err)
	}
	return int64(d), k.checkRange(int64(d))
}

func (k *Key) convertSize(v any) (any, *badValue) {
	switch v := v.(type) {
	case int64:
		if v < 0 {
			return nil, bad("expected %s, found %d", k.expected(), v)
		}
		return v, k.checkRange(v)
	case string:
		n, err := ParseSize(v)
		if err != nil {
			return nil, bad("expected %s: %v", k.expected(), err)
		}
		return int64(n), k.checkRange(int64(n))
	}
	return nil, bad("expected %s, found %s", k.expected(), describe(v))
}

func (k *Key) convertShare(v any) (any, *badValue) {
	var text string
	switch v := v.(type) {
	case int64:
		text = strconv.FormatInt(v, 10)
	case float64:
		text = strconv.FormatFloat(v, 'f', -1, 64)
	case string:
		text = v
	default:
		return nil, bad("expected %s, found %s", k.expected(), describe(v))
	}
	n, err := ParseShare(text)
	if err != nil {
		return nil, bad("expected %s: %v", k.expected(), err)
	}
	return int64(n), k.checkRange(int64(n))
}

func convertList(v any) (any, *badValue) {
	items, ok := v.([]any)
	if !ok {
		return nil, bad("expected a list of strings, found %s", describe(v))
	}
	out := make([]string, len(items))
	for i, item := range items {
		s, ok := item.(string)
		if !ok {
			return nil, &badValue{element: i, message: "expected a string, found " + describe(item)}
		}
		out[i] = s
	}
	return out, nil
}

func (k *Key) checkRange(n int64) *badValue {
	if k.min != nil && n < *k.min || k.max != nil && n > *k.max {
		return bad("expected %s, found %s", rangeText(k), k.print(n))
	}
	return nil
}

// rangeText is "a to b", "at least a", "at most b" or "".
func rangeText(k *Key) string {
	switch {
	case k.min != nil && k.max != nil:
		return k.print(*k.min) + " to " + k.print(*k.max)
	case k.min != nil:
		return "at least " + k.print(*k.min)
	case k.max != nil:
		return "at most " + k.print(*k.max)
	}
	return ""
}

// print writes a number of the key in its unit.
func (k *Key) print(n int64) string {
	switch k.Type {
	case "duration":
		return Duration(n).String()
	case "size":
		return Size(n).String()
	case "share":
		return Share(n).String()
	}
	return strconv.FormatInt(n, 10)
}

func (k *Key) checkEnum(s string) *badValue {
	if len(k.Enum) == 0 {
		return nil
	}
	for _, word := range k.Enum {
		if s == word {
			return nil
		}
	}
	return bad("expected %s, found %q", strings.Join(k.Enum, " or "), clip(s))
}

// describe names a TOML value without its content, which may be secret.
func describe(v any) string {
	switch v := v.(type) {
	case string:
		return "a string"
	case int64:
		return "the integer " + strconv.FormatInt(v, 10)
	case float64:
		return "the number " + strconv.FormatFloat(v, 'g', -1, 64)
	case bool:
		return strconv.FormatBool(v)
	case time.Time:
		return "a date"
	case []any:
		return "a list"
	case map[string]any:
		return "a table"
	case []map[string]any:
		return "a list of tables"
	}
	return "something else"
}
