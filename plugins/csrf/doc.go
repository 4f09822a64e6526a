// Package csrf refuses requests that another site makes a browser send: what changes something must bring a token both as a
// cookie, which browsers add by themselves, and as a field, which only a script of this site can add.
//
// A token is signed with the key of the configuration, so any worker of any instance knows its own without memory. It is bound
// to nobody: it shows that a script of this site asks, not who. It runs in workers and owns nothing.
package csrf
