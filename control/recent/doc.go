// Package recent knows what has just been going on: requests, errors, latency, connections, processor and memory, of the instance, of each
// location and of each upstream, now and over the last hour.
//
// Once a second the Sampler reads the totals of the arena (arena/tally), which workers count anyway, and what the kernel says of each
// process; what lies between two samples are the rates. Nothing is asked of workers, and of the supervisor its status: each second
// while somebody looks, else each five seconds. All of it is in memory and begins anew with each control process.
//
// # What is kept
//
// A sample each second for five minutes, and one for each five seconds for an hour, of the instance, of the processes by slot, and of the maxTracked
// busiest locations and upstreams: 40 KiB each, so 10 MiB at most. Of every further one only the last second is known, in 2 KiB. With
// 1,000 locations that is 12 MiB if 256 of them have had requests, and 2 MiB if none has.
//
// Percentiles come from the histograms of the totals, whose buckets grow by 19 %; between their bounds they are interpolated.
//
// It runs in control. It writes nothing but answers.
package recent
