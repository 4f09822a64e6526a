// Package secure drives crypto/tls in the rhythm of worker/proxy: everything happens inside the
// callback of syscall.RawConn.Read, and nothing blocks there but a write to a full socket. It runs in
// workers, for clients and for backends.
//
// # What it does
//
// A Conn is a TLS connection over a socket. It is a net.Conn as any other, and has beside it ReadNow
// and WriteNow for the callback: they read and write the descriptor without the poller.
//
//	Conn ── tls.Conn ── link ── socket
//	         records     bytes
//
// crypto/tls believes that it has a net.Conn below; it is a link. A link reads the socket in large
// pieces and gives crypto/tls no more than the record that it is at. In ReadNow it answers ErrAgain
// where it would have to wait, a temporary error, which crypto/tls hands up and forgets: what came of
// a record stays with it. Records that belong to one message are gathered, and go out in one write.
//
// # The rules of crypto/tls
//
// During a handshake and on any write, an error stays for good, "again" too. So the handshake blocks,
// with a deadline, before the first callback; and a write that finds the socket full waits, with
// a deadline. A peer's KeyUpdate is answered inside a read; that write follows the same rule.
//
// # Edges
//
// ErrAgain says that the socket said EAGAIN. Drained saves that read: it tells that the last ReadNow
// read the socket, got less than it asked for, and that neither bytes nor a piece of a record are left. As
// in worker/proxy a FIN may hide behind such a read: who waits for more of a message reads on until
// ErrAgain.
//
// # The end
//
// close_notify is io.EOF. A FIN without it is io.ErrUnexpectedEOF: somebody may have cut the stream
// there, so a body that ends with the connection is not known to be whole.
//
// # Memory
//
// The buffer for reading exists while there are bytes in it, the one for writing while there is a
// write. An idle connection holds what crypto/tls holds: its state, and a buffer as large as the
// largest record that came.
//
// # What it will not do
//
// It knows no certificates, no configuration and no HTTP, but for the five bytes by which it tells
// HTTP in the clear from a client hello.
package secure
