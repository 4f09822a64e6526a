// Package pictures asks the maker of pictures, another process, to make one anew. It is the client of the protocol of which control/images
// is the server.
//
// It runs in workers. It owns a connection for the time of one picture, and decodes nothing: what comes back is bytes.
package pictures
