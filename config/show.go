package config

import (
	"bytes"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"pingap/config/pki"
)

// show writes the value of a key as TOML would, without secrets; "" for the default.
func (k *Key) show(field reflect.Value) string {
	if k.isDefault(field) {
		return ""
	}
	switch k.Type {
	case "secret":
		return redacted
	case "duration", "size":
		return strconv.Quote(k.print(field.Int()))
	case "share":
		return k.print(field.Int())
	case "list":
		items := make([]string, field.Len())
		for i := range items {
			items[i] = strconv.Quote(redactHeader(redactURL(field.Index(i).String())))
		}
		return "[" + strings.Join(items, ", ") + "]"
	case "string":
		return strconv.Quote(redactURL(field.String()))
	}
	return fmt.Sprint(field.Interface())
}

// showIn is show for a field of an object. A secret that names a file shows its path.
func (k *Key) showIn(object any, field reflect.Value) string {
	switch {
	case k.File == "":
	case k.Type == "secret" && isPath(object, k):
		return strconv.Quote(field.String())
	case holdsKey(field.String()):
		return redacted
	}
	return k.show(field)
}

// holdsKey says whether a text is PEM, or base64 of PEM, with a private key in it, wherever it stands: certificate and key may be
// one text.
func holdsKey(text string) bool {
	data, ok := pki.DecodePEM(text)
	return ok && bytes.Contains(data, []byte("PRIVATE KEY"))
}

// isPath says whether a key was read as the path of a file.
func isPath(object any, k *Key) bool {
	_, ok := (*filesOf(object))[k.Name]
	return ok
}

// showParam writes a parameter of a plugin. Only its plugin knows which are secret, so
// every name that sounds like it is.
func showParam(name string, v any) string {
	if soundsSecret(name) {
		return redacted
	}
	switch v := v.(type) {
	case string:
		return strconv.Quote(redactHeader(redactURL(v)))
	case time.Time:
		return v.Format(time.RFC3339Nano)
	case []any:
		items := make([]string, len(v))
		for i := range v {
			items[i] = showParam("", v[i])
		}
		return "[" + strings.Join(items, ", ") + "]"
	case map[string]any:
		items := make([]string, 0, len(v))
		for _, key := range sortedKeys(v) {
			items = append(items, strings.Map(printable, key)+" = "+showParam(key, v[key]))
		}
		return "{ " + strings.Join(items, ", ") + " }"
	}
	return fmt.Sprint(v)
}

func soundsSecret(name string) bool {
	name = strings.ToLower(name)
	for _, word := range []string{"secret", "passw", "token", "key", "auth", "credential", "cookie", "session"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}

// redactHeader hides the value of name:value when the name sounds secret.
func redactHeader(text string) string {
	if name, _, ok := strings.Cut(text, ":"); ok && soundsSecret(name) {
		return name + ":" + redacted
	}
	return text
}

// redactURL hides user and password, and the query, of a URL that has a user or a query
// that sounds secret.
func redactURL(text string) string {
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok {
		return text
	}
	end := prefixLen(rest, func(c byte) bool { return c != '/' && c != '?' && c != '#' })
	if at := strings.LastIndexByte(rest[:end], '@'); at >= 0 {
		rest = redacted + rest[at:]
	}
	if before, query, found := strings.Cut(rest, "?"); found && soundsSecret(query) {
		rest = before + "?" + redacted
	}
	return scheme + "://" + rest
}
