// Package judge runs load generators that nobody here wrote, h2load and ghz, makes sure that every answer was a good one, and says what
// CPU time the proxy took for each. It is part of the bench tool, runs outside of pingap's processes, and starts nothing but these programs,
// pinned to the core of the load, for a time that the caller sets.
package judge
