// Package grpc has what a proxy needs to know of gRPC: how to tell a call, what its status codes are called and which one stands for a failure of
// the proxy itself, its deadline, and how a message is written into a field. A call passes as any
// other request does; of its body no more is looked at than where a message ends.
//
// It runs in workers, does no input or output, and on the path of a call nothing here allocates.
package grpc
