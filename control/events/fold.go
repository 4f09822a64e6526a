package events

import "time"

// maxFolds bounds the objects that are remembered; events about more are told as they come.
const maxFolds = 4096

// folds hold back events about an object that one was told of just now. They belong to the bus, and its lock.
type folds struct {
	length time.Duration
	byKey  map[string]*fold
	order  []*fold // by their end: all are of one length
}

// fold is the time after an event was told.
type fold struct {
	key   string
	until time.Time
	held  *Event // the last one since; nil for none
	count int    // of those since
}

func newFolds(length time.Duration) folds { return folds{length: length, byKey: map[string]*fold{}} }

// admit says whether an event is told now.
func (f *folds) admit(e Event, now time.Time) bool {
	if e.Object == "" {
		return true
	}
	key := e.Category + " " + e.Object
	if w := f.byKey[key]; w != nil {
		w.held = &e
		w.count += e.Count
		return false
	}
	f.begin(key, now)
	return true
}

func (f *folds) begin(key string, now time.Time) {
	if len(f.byKey) >= maxFolds {
		return
	}
	w := &fold{key: key, until: now.Add(f.length)}
	f.byKey[key] = w
	f.order = append(f.order, w)
}

// due are the events whose time has come, and the time until the next.
func (f *folds) due(now time.Time) (told []Event, wait time.Duration) {
	for len(f.order) > 0 && !f.order[0].until.After(now) {
		w := f.order[0]
		f.order[0] = nil
		f.order = f.order[1:]
		delete(f.byKey, w.key)
		if w.held != nil {
			told = append(told, w.told())
			f.begin(w.key, now)
		}
	}
	if len(f.order) == 0 {
		return told, time.Hour
	}
	return told, f.order[0].until.Sub(now)
}

// end are all that are held; nothing is any more.
func (f *folds) end() []Event {
	var told []Event
	for _, w := range f.order {
		if w.held != nil {
			told = append(told, w.told())
		}
	}
	f.byKey, f.order = map[string]*fold{}, nil
	return told
}

func (w *fold) told() Event {
	e := *w.held
	e.Count = w.count
	return e
}
