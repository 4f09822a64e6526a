// Package e2e drives the built binary from outside: command line, configuration layouts, reloads, signals, faults, and traffic
// of clients and backends that nobody here wrote. It holds tests only, and runs in the test process; every instance of pingap
// is a child with run and state directories of its own, on free loopback ports, and is stopped by its own process id.
//
// # Rules of the harness
//
// The binary is built once a run. An instance fails its test when it prints a panic or a data race, when it does not end after
// SIGTERM, or when one of its processes is left behind; what it printed is shown with the failure. The load client never
// retries: one request is one connection attempt or one use of a connection, and each that does not bring the expected answer
// counts as failed.
//
// # Faults
//
// Tests called TestFault put load on an instance and break something (underload_test.go, fault_*_test.go): each states load, fault and
// the requests that may be lost. Their load is package load, whose clients account for every request they began. The short forms run
// with `make test`, the long ones with `make soak`. TestFaultSystemd (systemd_test.go) does it in a real systemd with the unit of the packages.
//
// Tests of backends that heal (heal_*_test.go) have backends that die, hang, are slow or ill, and that count what arrives (heal_fleet_test.go): some in the test process,
// some in processes of their own that are killed, some behind toxiproxy (`make tools`), some of others (go-httpbin, nginx). Where a backend may get nothing, its own count is
// the witness. Names and containers come from servers of package backends.
//
// Environment: E2E_RACE=1 builds with the race detector; SOAK=1 runs the large version of the connection test; SOAK_MINUTES=60
// runs the long forms of the fault tests, with so long a soak; SOAK_SEED repeats its draw.
package e2e
