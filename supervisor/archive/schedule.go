package archive

import (
	"time"

	"pingap/ipc"
)

// every is how often files are looked at whose age may have come, busyWait how long one that was written to is given.
const (
	every    = time.Hour
	busyWait = time.Minute
)

// ExitBusy is the exit code of the child when a file was still written to.
const ExitBusy = 3

// Schedule says when old log files are looked after. One child at a time does it. It belongs to the supervisor's loop.
type Schedule struct {
	// Compress is what the live configuration wants of logs whose own options name no compression.
	Compress ipc.LogCompress

	runs  bool
	again bool      // wanted while a child ran, or a file was busy
	last  time.Time // start of the last
	daily time.Time // of the last that compressed as Compress says
}

// Due reports whether it is time: each hour, in the hour of Compress, and some time after a file was busy.
func (s *Schedule) Due(now time.Time) bool {
	return s.again && now.Sub(s.last) >= busyWait || now.Sub(s.last) >= every || now.Before(s.last) || s.dailyDue(now)
}

func (s *Schedule) dailyDue(now time.Time) bool {
	if s.Compress.Algorithm == "" || now.Hour() != s.Compress.Hour {
		return false
	}
	return s.daily.YearDay() != now.YearDay() || s.daily.Year() != now.Year()
}

// Open is a log file that is open.
type Open struct {
	Target ipc.LogTarget
	Path   string // with the date
}

// Begin returns what a child is to do now, no logs for nothing. While one runs it is put off.
func (s *Schedule) Begin(now time.Time, files []Open) Job {
	if s.runs {
		s.again = true
		return Job{}
	}
	var compress ipc.LogCompress
	if s.dailyDue(now) {
		compress, s.daily = s.Compress, now
	}
	s.again, s.last = false, now
	var job Job
	for _, f := range files {
		r := f.Target.Rotation
		l := Log{Path: f.Target.Path, Rolling: f.Target.Rolling, Current: f.Path, MaxAge: r.MaxAge, MaxFiles: r.MaxFiles,
			Compression: r.Compression, Level: r.Level}
		if r.Compression == "" {
			l.Compression, l.Level, l.After = compress.Algorithm, compress.Level, compress.After
		}
		if f.Target.Network == "" && (l.MaxAge > 0 || l.MaxFiles > 0 || l.Compression != "") {
			job.Logs = append(job.Logs, l)
		}
	}
	return job
}

// Began notes that a child is at it.
func (s *Schedule) Began() { s.runs = true }

// Ended notes its end, and reports whether it has failed. What was busy is tried again.
func (s *Schedule) Ended(code int) (failed bool) {
	s.runs = false
	s.again = s.again || code == ExitBusy
	return code != 0 && code != ExitBusy
}
