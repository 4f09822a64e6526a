// Package plugs measures what plugins cost: a cache's hits, compression and files beside nginx, and plugins that only look at a request beside an instance
// without them. Two instances take turns under the same load; the figure is the median of the ratios of the rounds. It is a part of the bench.
package plugs
