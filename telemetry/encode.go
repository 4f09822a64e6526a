package telemetry

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"go.uber.org/zap/zapcore"
)

// entryTime is RFC 3339 with microseconds, local.
const entryTime = "2006-01-02T15:04:05.000000Z07:00"

// maxMessage bounds the message and each value of an entry, in bytes; longer ones are cut.
const maxMessage = 256 << 10

// appendTextEntry appends "<time>  <LEVEL> <message> key=value ...", bare without time and level.
func appendTextEntry(dst []byte, e zapcore.Entry, bare bool, groups ...[]zapcore.Field) []byte {
	if !bare {
		dst = e.Time.Local().AppendFormat(dst, entryTime)
		dst = append(append(dst, "  "...), levelName(e.Level)...)
		dst = append(dst, ' ')
	}
	dst = appendPrintable(dst, e.Message, "")
	if e.LoggerName != "" {
		dst = appendTextValue(append(dst, " component="...), e.LoggerName)
	}
	if e.Stack != "" {
		dst = appendTextValue(append(dst, " stack="...), e.Stack)
	}
	eachField(groups, func(key string, value any) {
		dst = appendPrintable(append(dst, ' '), key, " =\"\\")
		dst = appendTextValue(append(dst, '='), textOf(value))
	})
	return dst
}

// appendJSONEntry appends {"timestamp":…,"level":…,"fields":{"message":…,…}}.
func appendJSONEntry(dst []byte, e zapcore.Entry, groups ...[]zapcore.Field) []byte {
	dst = e.Time.Local().AppendFormat(append(dst, `{"timestamp":"`...), entryTime)
	dst = append(append(dst, `","level":"`...), levelName(e.Level)...)
	dst = appendJSON(append(dst, `","fields":{"message":`...), clipTo(e.Message, maxMessage))
	if e.LoggerName != "" {
		dst = appendJSON(append(dst, `,"component":`...), e.LoggerName)
	}
	if e.Stack != "" {
		dst = appendJSON(append(dst, `,"stack":`...), e.Stack)
	}
	eachField(groups, func(key string, value any) {
		dst = appendJSON(append(dst, ','), key)
		dst = appendJSON(append(dst, ':'), value)
	})
	return append(dst, "}}"...)
}

func appendJSON(dst []byte, value any) []byte {
	if d, ok := value.(time.Duration); ok {
		value = d.String()
	}
	text, err := json.Marshal(value)
	if err != nil || len(text) > maxMessage {
		text, _ = json.Marshal(clipTo(textOf(value), maxMessage)) // a string always marshals
	}
	return append(dst, text...)
}

// eachField calls use for the fields in order. A field may give several keys (inline objects) or,
// like an error with details, two.
func eachField(groups [][]zapcore.Field, use func(key string, value any)) {
	for _, fields := range groups {
		for i := range fields {
			m := zapcore.NewMapObjectEncoder()
			fields[i].AddTo(m)
			for key, value := range m.Fields {
				use(key, value)
			}
		}
	}
}

func textOf(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case time.Time:
		return v.Format(time.RFC3339Nano)
	}
	return fmt.Sprint(value)
}

// appendTextValue appends a value, quoted where it would not stay in one piece.
func appendTextValue(dst []byte, text string) []byte {
	if text != "" && !strings.ContainsAny(text, " =\"\\") {
		return appendPrintable(dst, text, "")
	}
	dst = appendPrintable(append(dst, '"'), text, "\"\\")
	return append(dst, '"')
}

// appendPrintable appends text with control characters, bytes that are no UTF-8, and the bytes in also as
// \xHH, so that no value can begin a line of its own or steer a terminal.
func appendPrintable(dst []byte, text, also string) []byte {
	text = clipTo(text, maxMessage)
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		if !hidden(r, size) && (size > 1 || strings.IndexByte(also, text[i]) < 0) {
			dst = append(dst, text[i:i+size]...)
			i += size
			continue
		}
		for _, c := range []byte(text[i : i+size]) {
			dst = append(dst, '\\', 'x', hexDigits[c>>4], hexDigits[c&15])
		}
		i += size
	}
	return dst
}

const hexDigits = "0123456789abcdef"

// hidden reports whether a rune does not show as itself: controls (C0, DEL, C1), line separators, marks
// that change the direction of text, and invalid bytes.
func hidden(r rune, size int) bool {
	switch {
	case r < ' ', r >= 0x7f && r < 0xa0:
		return true
	case r == 0x2028 || r == 0x2029, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
		return true
	}
	return r == utf8.RuneError && size <= 1
}

func clipTo(text string, most int) string {
	if len(text) > most {
		return text[:most]
	}
	return text
}
