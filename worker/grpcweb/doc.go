// Package grpcweb translates between gRPC-web, which browsers speak over any HTTP, and gRPC (gRPC's PROTOCOL-WEB). It turns heads into heads and
// bytes into bytes; who reads and writes them is the proxy's business.
//
//	Match(fields)              is it a call, and in which of the forms
//	Call.RewriteRequest        the head as gRPC has it
//	Decoder                    a body in text form, as it comes, into bytes; one in binary form needs nothing
//	Call.RewriteResponse       the head as gRPC-web has it
//	Encoder                    the body of the answer, in text form if that is wanted, and the trailers as its last frame
//
// Messages themselves are the same in both protocols and never looked at. An answer that is only a head (grpc-status stands in it) stays one, as the
// protocol says: it has no body, and no frame with trailers. CORS belongs to its plugin.
//
// Nothing is buffered but three bytes, nothing allocates after warm-up. It runs in workers.
package grpcweb
