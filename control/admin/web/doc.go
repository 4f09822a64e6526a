// Package web is the panel: pages that a browser shows, with nothing from any other host. It runs in the control process.
//
// The sources (TypeScript, Preact; src/) are built by `make panel` into dist/, which is checked in and embedded: who builds pingap needs no
// node. A test holds that dist is what the sources make, and that it stays small. What is under dist/assets has the hash of its content in its
// name and is kept by browsers forever; index.html is asked for each time. All addresses are relative, so that the panel works below any prefix.
//
// mock/ answers in place of the API while the panel is worked on: npm run dev. Package web knows nothing of the API, of sessions or of who asks.
package web
