package acme

import (
	"math/rand/v2"
	"time"
)

const (
	day = 24 * time.Hour
	// usualBuffer is how long before its end a certificate is renewed, unless a third of its life is shorter.
	usualBuffer = 30 * day
	// spread is the time over which renewals that are due at once are spread.
	spread = time.Hour

	firstWait = time.Minute
	longWait  = day
)

// renewAt says when a certificate is renewed. jitter, from 0 up to 1, moves it later, by an hour or a tenth of the buffer at most.
func renewAt(notBefore, notAfter time.Time, bufferDays int, jitter float64) time.Time {
	life := notAfter.Sub(notBefore)
	buffer := min(usualBuffer, life/3)
	if bufferDays > 0 {
		// More than half would order a certificate again as soon as it is there.
		buffer = min(time.Duration(bufferDays)*day, life/2)
	}
	later := time.Duration(float64(min(spread, buffer/10)) * jitter)
	return notAfter.Add(-buffer + later)
}

// backOff is the time until the next attempt after so many failures: a minute, doubled each time, up to a day. While a
// certificate still serves, it is a quarter of what it has left at most, so that one of a short life gets its tries too.
func backOff(failures int, left time.Duration) time.Duration {
	wait := longWait
	if failures < 12 { // 2^11 minutes are more than a day
		wait = min(longWait, firstWait<<max(0, failures-1))
	}
	if left > 0 {
		wait = min(wait, max(firstWait, left/4))
	}
	return wait + time.Duration(rand.Float64()*float64(wait)/4)
}
