// Package explain says what would become of a request: which location takes it and why the others do not, how its path is rewritten, what each
// plugin says, which backend is chosen and why; and in what order the locations of a server are tried.
//
// It owns no decision. A request is made of what is asked (request.go), a server is found for it (choose.go), and the proxy rehearses it
// (worker/proxy, Rehearse): by the code that serves requests, without any effect. What that found is put into words here (words.go).
//
// It runs in workers, asked by control, and in the command `pingap explain --config`, on a site without sockets. The forms of questions and answers
// are those of the HTTP API; control passes them on unread.
package explain
