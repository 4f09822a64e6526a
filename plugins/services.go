package plugins

import (
	"context"
	"errors"
	"sync"

	"go.uber.org/zap"

	"pingap/arena"
)

// Services are what a worker lends its plugins. In control, which only checks parameters, there are none: every method gives what says so.
// A nil Services is one that has nothing.
type Services struct {
	// Log is where plugins write, with a name of their own (zap.Logger.Named).
	Log *zap.Logger
	// Arena has the rates and counters that all processes of this instance share.
	Arena *arena.Arena
	// Tell sends a message to all workers of this instance, the own one included, and returns when all that serve have taken it.
	// topic names who hears it: by convention the category of the plugin.
	Tell func(ctx context.Context, topic string, body []byte) error
	// Images makes pictures anew in another process.
	Images func(ctx context.Context, job Picture) ([]byte, error)

	// Figures returns the figures of this worker.
	Figures func() Figures

	mu     sync.Mutex
	kept   map[string]any
	ears   map[string]map[int]func(body []byte)
	number int
}

// Figures are those of one worker process.
type Figures struct {
	Version    string // of this build
	Accepted   uint64 // requests that came, finished or not
	Processing int64  // requests that are not finished
}

// ErrUnavailable is an error of a service that is not there now and may be later.
var ErrUnavailable = errors.New("not available now")

// Picture is an image that is to be made anew.
type Picture struct {
	Data    []byte
	From    string // its media type
	To      string // "jpeg", "png", "webp", "avif"
	Quality int    // 1 to 100; 0 for lossless where there is such
	Speed   int    // of the encoder, 1 to 10; 0 for its default
}

// Logger returns a log with a name of its own; one that goes nowhere where there are no services.
func (s *Services) Logger(name string) *zap.Logger {
	if s == nil || s.Log == nil {
		return zap.NewNop()
	}
	return s.Log.Named(name)
}

// Keep returns what make makes for a key, once a process: it outlives the instance, and applies. It is for state that must not be lost with a
// change of parameters.
func (s *Services) Keep(key string, make func() any) any {
	if s == nil {
		return make()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if v, found := s.kept[key]; found {
		return v
	}
	if s.kept == nil {
		s.kept = map[string]any{}
	}
	v := make()
	s.kept[key] = v
	return v
}

// Hear has f called for each message of a topic, one at a time, until the function that it returns is called. f must not wait.
func (s *Services) Hear(topic string, f func(body []byte)) (stop func()) {
	if s == nil {
		return func() {}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ears == nil {
		s.ears = map[string]map[int]func([]byte){}
	}
	if s.ears[topic] == nil {
		s.ears[topic] = map[int]func([]byte){}
	}
	s.number++
	n := s.number
	s.ears[topic][n] = f
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.ears[topic], n)
	}
}

// Heard gives a message to those who hear its topic. The worker calls it, one message at a time.
func (s *Services) Heard(topic string, body []byte) {
	s.mu.Lock()
	var all []func([]byte)
	for _, f := range s.ears[topic] {
		all = append(all, f)
	}
	s.mu.Unlock()
	for _, f := range all {
		f(body)
	}
}
