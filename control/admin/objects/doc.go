// Package objects is the part of the admin interface about the configuration: objects and their schema, changes, versions and what is said about
// the instance, in our own shapes and in those of the original.
//
// It runs in control, and asks it for everything by the interface Control: what the source holds, what a change would come to, and to make one.
// It never writes itself. A change is made of what the source holds at that moment (internal/written), is judged whole by the child that judges
// reloads, written by compare-and-swap and applied; there is one at a time.
//
//	body ──> wishes ──> Edit ──> control: source ──> Edit.Change ──> candidate ──> judged ──> written ──> applied ──> Applied
//	                                                                     │            │ errors        refused ──> source as before
//	                                                                     └ dry_run ──> Preview
//
// What is secret is shown by nothing here; internal/written says how it comes back.
package objects
