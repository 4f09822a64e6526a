package backend

// Window counts the requests of one span of time, and their failures: from the highest bit on its number (20), requests (22), failures (22).
// A full one is halved, which keeps the share.
type Window uint64

const (
	countBits   = 22
	maxCount    = 1<<countBits - 1
	windowBits  = 64 - 2*countBits
	numberShift = 2 * countBits
)

// WindowOf is the word that the window of a number is in.
func WindowOf(number int64) int { return WindowEven + int(number&1) }

// Counts are those of the window with a number; nothing for another.
func (w Window) Counts(number int64) (requests, failures uint64) {
	if uint64(w)>>numberShift != uint64(number)%(1<<windowBits) {
		return 0, 0
	}
	return uint64(w) >> countBits & maxCount, uint64(w) & maxCount
}

// Add counts one request in the window with a number, and begins it where this was another.
func (w Window) Add(number int64, failed bool) Window {
	requests, failures := w.Counts(number)
	if requests == maxCount {
		requests, failures = requests/2, failures/2
	}
	requests++
	if failed {
		failures = min(failures+1, maxCount)
	}
	return Window(uint64(number)%(1<<windowBits)<<numberShift | requests<<countBits | failures)
}
