package main

// template is the minimal configuration that --template prints.
const template = `[basic]
log_level = "INFO"
name = "pingap"
pid_file = "/run/pingap.pid"

[servers.httpServer]
access_log = "combined"
addr = "0.0.0.0:80"
locations = ["httpLocation"]

[locations.httpLocation]
path = "/"
upstream = "httpUpstream"

[upstreams.httpUpstream]
addrs = ["127.0.0.1:5000"]
`
