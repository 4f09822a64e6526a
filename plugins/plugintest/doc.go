// Package plugintest is for the tests of plugins: it builds instances from the TOML a user would write,
// and exchanges from the text of a request.
//
// It runs in tests only. It is not the proxy: it calls no step by itself, and sends nothing.
package plugintest
