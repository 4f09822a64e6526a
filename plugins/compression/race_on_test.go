//go:build race

package compression

// raceEnabled tells that pools forget at random, and that everything is slow.
const raceEnabled = true
