// Package images makes pictures anew: smaller ones that look the same.
//
// Decoding what others made is the work of a process of its own, the maker: a child of control with limits of memory and time, which may
// die at any time and is made anew. It is there only while it is needed:
//
//	worker --connect--> abstract socket --first client--> Keeper (control) starts the maker
//	worker --Picture--> maker: decode, encode --PictureMade--> worker
//	nobody came for a minute, or much work done: the maker ends; a picture took too long, memory is out, control is gone: it ends at once
//
// The socket's name and token reach workers as an item of ipc.State. Whoever knows them may have pictures made: the token keeps others of
// the machine away.
//
//	convert.go  one picture: what is taken, what is made of it
//	maker.go    the maker's loop
//	confine.go  its limits
//	keeper.go   control's side: the socket, and the process behind it
//
// JPEG and PNG are made by the standard library, WebP without loss by nativewebp. There is no encoder for AVIF, and none for WebP with loss,
// in pure Go.
package images
