// Package refererrestriction lets requests pass, or refuses them, by the host of the page that led to them (Referer).
//
// Browsers tell it, most of the time; other clients say what they like. It keeps pictures from being shown on other sites, and protects nothing.
//
// It runs in workers and owns nothing.
package refererrestriction
