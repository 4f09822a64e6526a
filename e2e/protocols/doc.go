// Package protocols lets programs that nobody here wrote judge the built binary: h2spec, the conformance suite of Connect, the interop
// programs of grpc-go, npm's ws and http-cache-tests, curl, Chromium and testssl.sh. It holds tests only, and runs in the test process; the
// proxy is a child on free loopback ports, with run and state directories of its own, stopped by its own process id.
//
// # Tools
//
// `make tools` (install.sh) puts them below bin/tools, or installs Debian's packages. A tool that is not there skips its tests by name, so
// that the closing line of `make test` counts them.
//
// # Does the judge judge?
//
// PROTOCOLS_SUBJECT=haproxy or nginx puts that proxy in pingap's place, PROTOCOLS_SUBJECT=direct leaves out the proxy where the suite has a
// server of its own. nginx fails 25 cases of h2spec, HAProxy none over TLS. What the suites say of the others is worth a look whenever
// they say something of pingap. A cache may fail no required case of http-cache-tests that nginx passes: testdata/caches-nginx.txt is its list.
// PROTOCOLS_BINARY=/path/to/pingap judges a binary that is there, in place of building one.
//
// The conformance runner wants to start the server it tests. It is told to start this test binary again with PROTOCOLS_ROLE set, which
// starts the reference server and a proxy in front of it, and names the port of the proxy (conformance_server_test.go).
package protocols
