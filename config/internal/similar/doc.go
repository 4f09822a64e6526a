// Package similar says how far apart two names are, for "did you mean" behind an unknown one. It is part of the vocabulary of the configuration, in
// whatever process reads one; it knows no names.
package similar
