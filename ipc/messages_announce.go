package ipc

// Bounds of an announcement, in bytes.
const (
	MaxTopic    = 4096 + 64 // a path and some words
	MaxAnnounce = 64 << 10
)

// Announce is a word of one worker, or of control, to all workers: that something is to be forgotten, say. It changes nothing that lasts: who
// comes later never hears of it. It goes from worker or control to the supervisor, and from there to all workers, the sender among them. A
// sender that is unsure whether it went out says it again, so who hears it twice must come to no harm.
type Announce struct {
	Topic string `json:"topic"` // who hears it: by convention the category of a plugin, and what tells its instances apart
	Body  []byte `json:"body,omitempty"`
}

// Valid reports whether it keeps the bounds.
func (a *Announce) Valid() bool {
	return a.Topic != "" && len(a.Topic) <= MaxTopic && len(a.Body) <= MaxAnnounce
}

// Announced answers Announce: a worker has heard it, or all that serve have.
type Announced struct {
	Workers int      `json:"workers,omitempty"` // that have
	Missing []string `json:"missing,omitempty"` // those that have not, and why
}
