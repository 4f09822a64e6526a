// Package config is the vocabulary of a Pingap configuration: one documented tree of
// types, their defaults, parsing, validation, the snapshot handed to workers and the
// difference between two configurations.
//
// Every key is described once, by the tags of its struct field (see key.go). Defaults,
// detection of unknown keys, docs/configuration.md and the class of a change all come
// from those tags.
//
// Load is pure: it reads no file, no environment and no network. Whoever calls it hands
// in the documents and, where wanted, the functions that check plugin parameters and
// resolve names. A Config is read-only after Load.
//
// It runs in the validating child of control (Load, Encode, Diff), in control and in the
// workers (OpenSnapshot). The supervisor uses its types only and never parses.
package config
