// Package events tells people what happens to an instance: every event is logged, and sent to a webhook where the configuration wants it. It
// runs in the control process, and owns the queue of what is to be sent and the goroutines that send it. It decides nothing about what is
// worth an event: control does, where it happens, and Emit waits for nothing.
//
// # The way of an event
//
//	Emit ──> log, INFO ──> not wanted? ──> the end
//	  │                        └─ queue (bounded; the oldest goes first) ──> POST ──> 2xx: sent
//	  └─ the same about the same                                              │
//	     object within a second: held,                                        └─ 408, 425, 429, 5xx, no answer: again, later
//	     counted, the last one told                                              anything else, or too often: failed, said in the log
//
// Who receives with webhook_parallel 1 gets events in their order; with more, those about one object. While one is tried again those behind it
// wait. When control is stopped it sends for 1.5 s more what is waiting. When it crashes that is lost, with what it held for a second, and nothing else:
// what the supervisor tells is told again where control had not taken it.
//
// # Signatures
//
// With webhook_secret each request has, besides Pingap-Event and Pingap-Delivery (the same in each attempt), a header as Stripe's:
//
//	Pingap-Signature: t=1700000000,v1=5257a869...
//
// t is the time of the attempt in seconds, v1 the HMAC-SHA256, in hex, of t, a dot, and the body, keyed with the secret. Who receives computes it over
// the bytes that came, compares in constant time, and refuses what is older than some minutes, so that nothing can be replayed.
package events
