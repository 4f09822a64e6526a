package worker

import (
	"os"
	"time"

	"pingap/ipc"
	"pingap/plugins"
	"pingap/telemetry"
)

// Options of Run. Conn is required.
type Options struct {
	Conn       *ipc.Conn         // to the supervisor; Run closes it
	Plugins    []plugins.Factory // every plugin of this build
	Slot       int               // as the supervisor counts, for Hello
	Generation int
	Build      string // Go build id of this image, for Hello
	Version    string // of pingap, for error pages
	// Log is where the application log goes if the supervisor hands no file over. Its form and level come from the
	// configuration; RustLog is the level where that has none.
	Log     telemetry.Options
	RustLog string
	// Signals are TERM and QUIT, to drain; again to exit at once. nil for none.
	Signals <-chan os.Signal
	// OwnProcess lets Run set what holds for the whole process: name, threads, memory limit, umask.
	OwnProcess bool
	Timings    Timings
}

// Timings are the bounds of every wait; zero fields have the default.
type Timings struct {
	Start         time.Duration // HELLO to START, 30 s
	Send          time.Duration // for the supervisor to take an answer, 5 s
	Beat          time.Duration // between heartbeats, 1 s
	BeatAnswer    time.Duration // for the engine to answer one, 5 s
	Resync        time.Duration // for who came to the rescue to say that it is the supervisor, 5 s
	AcceptPause   time.Duration // between looks whether accepting may go on, 100 ms
	AcceptRest    time.Duration // for the queue of a dropped listener to be taken, 5 s
	DrainMargin   time.Duration // after the last time-out of a drain, for what was cut to end by itself, 3 s
	Cut           time.Duration // for connections to end that were cut, 1 s
	Announce      time.Duration // for all workers to hear an announcement, 4 s
	AnnouncePause time.Duration // before one is said again, while there is no supervisor, 50 ms
}

func (t Timings) withDefaults() Timings {
	set := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	set(&t.Start, 30*time.Second)
	set(&t.Send, 5*time.Second)
	set(&t.Beat, time.Second)
	set(&t.BeatAnswer, 5*time.Second)
	set(&t.Resync, 5*time.Second)
	set(&t.AcceptPause, 100*time.Millisecond)
	set(&t.AcceptRest, 5*time.Second)
	set(&t.DrainMargin, 3*time.Second)
	set(&t.Cut, time.Second)
	set(&t.Announce, 4*time.Second)
	set(&t.AnnouncePause, 50*time.Millisecond)
	return t
}
