// Package web is the one HTTP server of the control process. It listens on an abstract socket; workers hear its name and its token by an item
// of ipc.State, pass on what only control can answer, and stream the answer back.
//
// It owns the socket and its connections. Who comes is judged twice: by the user of the process at the other end, and by the token that each
// request shows. Everything that a peer can make grow has a limit. What is answered is not its business: handlers are mounted by the front of
// their path.
package web
