// Package rlimits bounds what this process may use, for good: control's children, which read what others wrote, call it before they do.
package rlimits
