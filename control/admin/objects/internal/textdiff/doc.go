// Package textdiff compares two texts line by line and writes the unified form. What differs too much is shown as replaced, so that neither
// time nor memory grow with it. It runs in control.
package textdiff
