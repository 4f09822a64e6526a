// Package written knows a configuration as its documents hold it: which objects there are, where, and who names whom; what of them may be
// shown; and how documents look once some objects are others. Comments and order of what is not touched stay. It judges nothing: that is
// for the child that judges reloads. It runs in control.
//
// # Secrets
//
// What is secret is shown as a mark: ***, or in a list *** and the number of the element, from 1. A mark that comes back means what stands
// there now; so does a text that was shown in part ("https://[redacted]@host"). One that stands for nothing is a mistake.
package written
