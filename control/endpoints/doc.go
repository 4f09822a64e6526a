// Package endpoints says where the backends of all upstreams are, and how they are: it joins what discovery finds, what health checks say
// and what operators want, gives each backend a record of the arena, and has the result told to all workers, as state beside the
// configuration. It runs in the control process.
//
// It owns the list of each upstream and the rows of the arena's records. It looks nothing up, connects to nothing and sends nothing
// itself: a Finder, a Checker and a Publisher do. It knows nothing of workers.
//
// # Names
//
//	pool      an upstream by its name, whatever the configuration says of it today: what is known of backends belongs here, by address
//	form      one way to say where the backends are (config.Upstream.Source); while a change of that is applied there are two
//	backend   an address: health, wishes and record stay as long as any form of its pool lists it, and a minute longer
//	wish      what an operator wants of an address; it outlives the address by a day
//
// # A change of the configuration
//
//	Stage ─> upstreams that changed are decoded ─> new forms: discovery, first checks (1 s at most) ─> published ─> proposal
//	                                                             applied: Applied, old forms are withdrawn ─┤
//	                                                             refused: Refused, the new ones are         ┘
//
// # What is told
//
//	discovery, checks, operators ─> state under mu ─> names of items that are dirty ─(20 ms)─> items as they are then ─> Publisher
//
// Only names wait: however fast backends change, what waits is bounded by what there is, and the newest state is told. What could
// not be told is dirty again.
//
// # After a crash
//
// Resume takes the items that the supervisor has kept. A form that was read back keeps its backends until discovery has had an answer for
// each entry, so nothing is forgotten because a name server is away at the wrong time; a backend keeps its health until a check says
// otherwise.
package endpoints
