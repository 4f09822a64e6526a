// Package schema says what objects of a configuration may hold, for forms: the keys of the tree, from the tags that docs/configuration.md is
// made of, and the parameters of plugins as they declare them. It runs in control, which does not know the plugins: cmd/pingap, which does,
// hands them in.
package schema
