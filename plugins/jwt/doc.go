// Package jwt lets only requests with a valid JSON Web Token (RFC 7519) pass, and signs what an upstream says of a user as one.
//
// Which algorithms are allowed follows from the configuration and the type of the key, never from the token alone: a public key is no
// secret of HMAC, and "none" does not exist here. A token is untrusted until its signature was verified.
//
// It runs in workers. With a key set it owns the goroutine that fetches it; closing it ends that, and the delays of those that wait.
package jwt
