// Package plugins is the contract between the proxy and its plugins: what a plugin is, the steps at
// which it may act, what it sees (the Exchange), and how it declares its parameters. Each plugin is a
// package in a folder of its own below this one.
//
// # A plugin
//
// A Factory names a category, declares the parameters as data and builds instances. New does all
// validation; an instance that exists works. An instance implements one or more step interfaces:
//
//	Decider            at early_request, request or proxy_upstream: may answer by itself
//	UpstreamResponder  when the upstream's response head is there
//	Responder          before the response head goes to the client
//	BodyFilterer       may give a filter through which the response body passes
//	io.Closer          if it owns anything that must end
//
// When a site is built each location gets one slice per step with just the plugins that have it, so
// that a location without plugins costs a nil check.
//
// # Deciding and doing
//
// A Decider changes heads only through the Exchange it is given, and returns its answer as a value;
// the proxy sends it. The proxy can therefore run a plugin against a copy of the heads and only say
// what it would have done (shadow mode, explain) without any change in a plugin. A Decider that does more than decide, or asks others, has a
// Foresee for explain (foresee.go); one that does not says so with Factory.Plain.
//
// # Process
//
// Plugins run in workers, on the goroutine of the connection: they may block. They keep no
// reference to an Exchange or to bytes of it after the step returns (a Filter that is an Ender may keep the Exchange until its End), know
// neither engine nor other plugins, and start no goroutine without a Close that ends it. Control builds them too, to check parameters.
package plugins
