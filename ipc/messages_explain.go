package ipc

import "encoding/json"

// Bounds of Explain and of its answer, in bytes.
const (
	MaxExplain   = 64 << 10
	MaxExplained = 8 << 20
)

// Explain asks a worker what it would do. Control sends it to the supervisor, and that to the worker with most to do of those that accept. Nothing
// changes by it, and nobody but the worker looks into Body.
type Explain struct {
	What string          `json:"what"` // request or routes
	Body json.RawMessage `json:"body,omitempty"`
	// Answer is memory of control's, MaxExplained bytes that can neither grow nor shrink: the worker writes its answer there, as workers have no
	// descriptors to give.
	Answer Slot `json:"answer"`
}

// What is asked for; the bodies are those of package worker/explain.
const (
	ExplainRequest = "request" // the way of one request
	ExplainRoutes  = "routes"  // the locations of a server in their order
)

// Explained answers Explain, or Refused does.
type Explained struct {
	// Status is that of an HTTP answer: 200, or one that says what is wrong with the question; then Problem has the words.
	Status  int    `json:"status"`
	Problem string `json:"problem,omitempty"`
	Length  int    `json:"length,omitempty"` // bytes of JSON that are in Answer
}
