// Package docker knows the containers that run, from the engine's API on its unix socket. It runs in the control process.
//
// An Engine is shared by all who want to know. While there are any, one goroutine of it keeps the list, and another one reads the
// engine's stream of events; with the last one they end.
//
//	events: a container stops        it is out of the list at once
//	events: anything of a container  the list is asked for, half a second later, so that many events are one question
//	events: the stream is (back) on  the list is asked for: what happened in between was missed
//	no events                        the list is asked for as often as the subscribers want
//
// Whatever the engine sends is bounded in size and time. It only reads: no container is started, stopped or looked into. The subset
// of the API is what every version has: GET /containers/json and GET /events.
package docker
