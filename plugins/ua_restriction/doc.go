// Package uarestriction lets requests pass, or refuses them, by what their client says it is (User-Agent).
//
// Anybody can say anything: it keeps polite robots out, and nobody who wants to come in.
//
// It runs in workers and owns nothing.
package uarestriction
