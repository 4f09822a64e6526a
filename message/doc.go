// Package message holds requests and responses as values: method, target, fields, status, and the
// Record of what is known of one exchange. It is the vocabulary that the protocol engines
// (worker/http1, later worker/http2), the plugins and the proxy share.
//
// # Ownership
//
// Names, values, targets and paths are views ([]byte) into memory that the head itself owns. They
// stay valid until the head is Reset, which the proxy does when an exchange is over; whoever wants
// to keep one longer copies it. Setting a field copies the new value into the head's memory, so
// that no caller's buffer is ever retained. After warm-up nothing here allocates.
//
// # Process
//
// It runs wherever requests are handled (workers), and knows nothing of sockets, configuration or
// plugins.
package message
