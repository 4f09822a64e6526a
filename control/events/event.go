package events

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// Categories of events: what webhook_notifications lists.
const (
	BackendStatus        = "backend_status"
	UpstreamStatus       = "upstream_status"
	ServiceDiscoverFail  = "service_discover_fail"
	TLSValidity          = "tls_validity"
	ParseCertificateFail = "parse_certificate_fail"
	LetsEncrypt          = "lets_encrypt"
	DiffConfig           = "diff_config"
	ReloadConfig         = "reload_config"
	ReloadConfigFail     = "reload_config_fail"
	Restart              = "restart"
	RestartFail          = "restart_fail"
	WorkerExit           = "worker_exit"
	Rollback             = "rollback"
	Upgrade              = "upgrade"
)

// Level is how bad an event is.
type Level string

// Levels, as payloads have them.
const (
	Info  Level = "info"
	Warn  Level = "warn"
	Error Level = "error"
)

// Bounds of the texts of an event, in bytes.
const (
	maxTitle   = 256
	maxMessage = 8 << 10
)

// Event is something that happened.
type Event struct {
	Category string
	Level    Level
	Title    string // one line; empty is the category
	Message  string // may have several lines
	// Object is what it is about. Events of a category about the same one are told at most once a second, but for empty, which always is.
	Object string
	// Count is how many this one stands for; 0 is 1.
	Count int
}

// tidy bounds the texts, and takes what is not text out of them.
func (e Event) tidy() Event {
	e.Title, e.Message = clip(clean(e.Title), maxTitle), clip(clean(e.Message), maxMessage)
	if e.Title == "" {
		e.Title = e.Category
	}
	e.Count = max(e.Count, 1)
	return e
}

// clean makes a text valid UTF-8 without control characters, but for ends of lines, and without those that turn the direction of writing.
func clean(text string) string {
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "?"), "\r\n", "\n")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return r
		case r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029:
			return ' '
		case r == 0x200e || r == 0x200f || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069:
			return -1
		}
		return r
	}, text)
}

const cut = "…"

// clip bounds a text to some bytes, whole characters only.
func clip(text string, most int) string {
	if len(text) <= most {
		return text
	}
	end := most - len(cut)
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:max(end, 0)] + cut
}

// Names lists the names of several things, at most ten.
func Names(all []string) string {
	const most = 10
	if len(all) > most {
		all = append(slices.Clone(all[:most]), cut)
	}
	return strings.Join(all, ",")
}
