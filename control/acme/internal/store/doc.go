// Package store keeps small files safe: they appear whole or not at all, last over a crash, and are closed to others. It is
// used by package acme in the control process, and knows nothing of what it keeps.
package store
