// Package admin gives the admin interface to the clients of a location: it passes requests below a path on to control. It runs in workers and owns
// nothing. Who may do what is judged by control, which reads the same parameters; here they are only checked. What cannot be asked without
// credentials must not be configured without: New refuses that.
package admin
