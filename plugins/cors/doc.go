// Package cors lets pages of other origins use a location's responses (Cross-Origin Resource Sharing, as the Fetch standard of the WHATWG has it).
// It answers the question that browsers ask before a request (OPTIONS), and adds fields to responses.
//
// It decides nothing about who may come: a browser obeys these fields, anything else does not look at them.
//
// It runs in workers and owns nothing.
package cors
