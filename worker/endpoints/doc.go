// Package endpoints keeps what control tells of the backends of upstreams, and hands it to the upstreams it is about: those that serve,
// those being built, and those that come later, as the list of a changed upstream comes before the change. It runs in workers.
//
// It owns the lists, by the name and the source of an upstream, and knows the upstreams that are in use. An upstream keeps the list that it got
// last, also when control has withdrawn it: it may be one that only a draining worker serves.
package endpoints
