// Package forwardauth asks a service over HTTP whether a request may pass. The service gets the head of the request, never its body; what it answers
// but 2xx is the client's answer. If it cannot be asked, nobody passes.
//
// It runs in workers and owns connections to the service: closing it ends them, and questions under way.
package forwardauth
