// Package drain is the arithmetic of a soft end: when a connection that is idle closes, when one at work is cut, and how many ended
// which way. It holds no connection, has no clock and no goroutine of its own; worker/proxy asks it. It runs in workers.
//
//	begin          idle grace         spread            timeout             long timeout   spread
//	  |-----------------|----------------|------ ... ------|------- ... --------|-------------|
//	   answers say close  idle ones close,                  requests are cut      tunnels, event streams and long
//	                      each at a moment                                        downloads end, each at a moment
//	                      of its own                                              of its own
//
// Hurry shortens all of it and lengthens nothing.
package drain
