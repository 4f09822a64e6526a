package config

import (
	"bytes"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// Write gives a configuration as one TOML document: every key that has not its default, in the order of the tree. Loaded
// again it is the same configuration, as far as a snapshot keeps one. What --admin implies is left out. Without secrets their places hold "[redacted]".
func Write(c *Config, secrets bool) []byte {
	w := &writer{schema: newSchema(), secrets: secrets}
	w.object(KindBasic, "", &c.Basic)
	writeAll(w, KindServer, c.Servers)
	writeAll(w, KindLocation, c.Locations)
	writeAll(w, KindUpstream, c.Upstreams)
	writeAll(w, KindPlugin, c.Plugins)
	writeAll(w, KindCertificate, c.Certificates)
	return bytes.TrimLeft(w.out.Bytes(), "\n")
}

type writer struct {
	out     bytes.Buffer
	schema  *schema
	secrets bool // written as they are
}

func writeAll[V any](w *writer, kind Kind, objects map[string]V) {
	for _, name := range sortedKeys(objects) {
		if implied(kind, name) {
			continue
		}
		w.object(kind, name, objects[name])
	}
}

func (w *writer) object(kind Kind, name string, pointer any) {
	w.out.WriteString("\n[" + kind.Table())
	if kind != KindBasic {
		w.out.WriteString("." + keyText(name))
	}
	w.out.WriteString("]\n")
	object := reflect.ValueOf(pointer).Elem()
	t := w.schema[kind]
	for i := range t.Keys {
		k := &t.Keys[i]
		if field := object.Field(k.field); k.Class != Same && !k.isDefault(field) {
			text := w.field(k, field)
			switch {
			case k.File == "" || w.secrets:
			case k.Type == "secret" && isPath(pointer, k):
				text = quoteText(field.String()) // a path is no secret
			case holdsKey(field.String()):
				text = quoteText(redacted)
			}
			w.out.WriteString(k.Name + " = " + text + "\n")
		}
	}
	if p, ok := pointer.(*Plugin); ok {
		for _, key := range sortedKeys(p.Params) {
			w.out.WriteString(keyText(key) + " = " + w.param(key, p.Params[key], false) + "\n")
		}
	}
}

// field writes the value of a key.
func (w *writer) field(k *Key, field reflect.Value) string {
	switch k.Type {
	case "secret":
		if !w.secrets {
			return quoteText(redacted)
		}
		return quoteText(field.String())
	case "duration", "size":
		return quoteText(k.print(field.Int()))
	case "share":
		return k.print(field.Int())
	case "list":
		var items []string
		for i := range field.Len() {
			text := field.Index(i).String()
			if k.Name == "locations" && implied(KindLocation, text) {
				continue
			}
			items = append(items, quoteText(w.text(text)))
		}
		return "[" + strings.Join(items, ", ") + "]"
	case "string":
		text := field.String()
		if !w.secrets {
			text = redactURL(text)
		}
		return quoteText(text)
	case "boolean":
		return strconv.FormatBool(field.Bool())
	}
	return strconv.FormatInt(field.Int(), 10)
}

// text hides what is secret in a text that may be a header or a URL.
func (w *writer) text(text string) string {
	if w.secrets {
		return text
	}
	return redactHeader(redactURL(text))
}

// param writes a value of a plugin's parameters. What is hidden keeps its type, texts become "[redacted]".
func (w *writer) param(name string, v any, hidden bool) string {
	hidden = hidden || !w.secrets && soundsSecret(name)
	switch v := v.(type) {
	case string:
		if hidden {
			return quoteText(redacted)
		}
		return quoteText(w.text(v))
	case float64:
		return floatText(v)
	case time.Time:
		return v.Format(time.RFC3339Nano)
	case []any:
		items := make([]string, len(v))
		for i := range v {
			items[i] = w.param("", v[i], hidden)
		}
		return "[" + strings.Join(items, ", ") + "]"
	case map[string]any:
		items := make([]string, 0, len(v))
		for _, key := range sortedKeys(v) {
			items = append(items, keyText(key)+" = "+w.param(key, v[key], hidden))
		}
		return "{" + strings.Join(items, ", ") + "}"
	case bool:
		return strconv.FormatBool(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case int: // parameters made by code in place of TOML
		return strconv.Itoa(v)
	}
	return quoteText(redacted) // Load makes no other type
}

// floatText writes a float so that it does not read as an integer.
func floatText(f float64) string {
	switch {
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	case math.IsNaN(f):
		return "nan"
	}
	text := strconv.FormatFloat(f, 'g', -1, 64)
	if !strings.ContainsAny(text, ".e") {
		text += ".0"
	}
	return text
}

// keyText writes a key, in quotes where TOML wants them.
func keyText(name string) string {
	bare := func(c byte) bool { return isLetter(c) || isDigit(c) || c == '-' || c == '_' }
	if name == "" || prefixLen(name, bare) < len(name) {
		return quoteText(name)
	}
	return name
}

// quoteText writes a basic string of TOML 1.0, which knows fewer escapes than Go.
func quoteText(text string) string {
	const hex = "0123456789abcdef"
	b := append(make([]byte, 0, len(text)+2), '"')
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"', c == '\\':
			b = append(b, '\\', c)
		case c == '\n':
			b = append(b, '\\', 'n')
		case c == '\t':
			b = append(b, '\\', 't')
		case c < ' ', c == 0x7f:
			b = append(b, `\u00`...)
			b = append(b, hex[c>>4], hex[c&15])
		default:
			b = append(b, c)
		}
	}
	return string(append(b, '"'))
}
