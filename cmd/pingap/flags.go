package main

import (
	"errors"
	"fmt"
	"strconv"
	"time"
)

// options are what the command line and the environment ask for.
type options struct {
	conf, syncTo   string
	upstream, addr string
	// Of the quick start as well: names to serve, certificate and key.
	domain, cert, key string

	sample bool

	daemon, test, template, version, help, upgrade bool

	log              string
	threads, workers int // -1 where not given
	autorestart      bool
	autoreload       bool
	admin            string // value of --admin with its user; empty for none
	cp               bool
	strict           bool

	runDir, stateDir string

	// Of verbs.
	wait, json, metrics, fast, secrets, full bool
	timeout                                  time.Duration
	client, server                           string
	http2, grpc                              bool
	headers                                  [][2]string

	// Of top and tail.
	once                                  bool
	window, location, status, slow, limit string

	later    []string // flags given whose feature is not built yet
	warnings []string
}

// confVariable stands in for -c.
const confVariable = "PINGAP_CONF"

const laterCopy = "converting configurations comes with a later version"

// dirFlags are understood on either side of a verb.
func dirFlags() []flagSpec {
	return []flagSpec{
		{long: "run-dir", value: "DIR", env: "PINGAP_RUN_DIR", set: text(func(o *options) *string { return &o.runDir }),
			help: "Directory of the control socket and the pid file. Default /run/pingap if usable, else $XDG_RUNTIME_DIR/pingap, else pingap-UID in the temporary directory."},
		{long: "help", short: 'h', set: on(func(o *options) *bool { return &o.help }), help: "Show this text."},
	}
}

// serveFlags are the flags of the proxy itself, without a verb.
func serveFlags() []flagSpec {
	own := []flagSpec{
		{long: "conf", short: 'c', value: "PATH", set: text(func(o *options) *string { return &o.conf }),
			help: "Configuration: a TOML file, a directory, optionally with ?separation=true behind it, or etcd://HOST:2379,HOST:2379/PATH?OPTIONS. Variable PINGAP_CONF, unless --upstream or --sample is given."},
		{long: "test", short: 't', set: on(func(o *options) *bool { return &o.test }),
			help: "Check the configuration, print every error with its place, and end."},
		{long: "daemon", short: 'd', env: "PINGAP_DAEMON", set: on(func(o *options) *bool { return &o.daemon }),
			help: "Run in the background. Returns 0 once requests are served, else 1 with the error."},
		{long: "log", value: "FILE", env: "PINGAP_LOG", set: text(func(o *options) *string { return &o.log }),
			help: "Application log, optionally with ?rolling=daily|hourly|minutely|never behind it. Default: standard error."},
		{long: "autoreload", env: "PINGAP_AUTORELOAD", set: on(func(o *options) *bool { return &o.autoreload }),
			help: "Watch the configuration and apply changes that are hot."},
		{long: "autorestart", short: 'a', env: "PINGAP_AUTORESTART", set: on(func(o *options) *bool { return &o.autorestart }),
			help: "Watch the configuration and apply every change."},
		{long: "strict", set: on(func(o *options) *bool { return &o.strict }), env: "PINGAP_STRICT",
			help: "Unknown keys in the configuration are errors, not warnings."},
		{long: "threads", value: "N", set: count(func(o *options) *int { return &o.threads }, 4096),
			help: "Threads of all workers together, in place of basic.threads. 0 means all cores."},
		{long: "workers", value: "N", set: count(func(o *options) *int { return &o.workers }, 256),
			help: "Worker processes, in place of basic.workers. 0 means 1 up to 2 cores, else 2."},
		{long: "upstream", value: "LIST", set: upstream,
			help: "Quick start without a configuration: serve these backends (host:port, comma list)."},
		{long: "addr", value: "LIST", set: text(func(o *options) *string { return &o.addr }),
			help: "Addresses to listen on with --upstream. Default 0.0.0.0:80, or 0.0.0.0:443 with --cert or --domain."},
		{long: "domain", value: "LIST", set: text(func(o *options) *string { return &o.domain }),
			help: "Host names to serve with --upstream (comma list). Without --cert their certificate comes from Let's Encrypt."},
		{long: "cert", value: "PATH", set: text(func(o *options) *string { return &o.cert }),
			help: "Certificate to serve TLS with --upstream: a PEM file, or a directory with certificate and key."},
		{long: "key", value: "PATH", set: text(func(o *options) *string { return &o.key }),
			help: "Private key of --cert: a PEM file or a directory. Default: in the directory, or the file, of --cert."},
		{long: "admin", value: "VALUE", env: "PINGAP_ADMIN_ADDR", set: text(func(o *options) *string { return &o.admin }),
			help: "Serve the admin panel: [USER:PASSWORD@]HOST:PORT[/PREFIX][?max_age=2d], user and password escaped as in a URL or together in base64. Everybody on the machine sees arguments: better by variable, PINGAP_ADMIN_USER and PINGAP_ADMIN_PASSWORD apart. A configuration that cannot be loaded does not end the start then."},
		{long: "cp", env: "PINGAP_CP", set: on(func(o *options) *bool { return &o.cp }),
			help: "Control panel only: serve --admin and nothing of the configuration of -c, which may be empty or broken."},
		{long: "sample", set: on(func(o *options) *bool { return &o.sample }),
			help: "Serve the built-in sample configuration on port 6188, with an upstream of its own."},
		{long: "sync", value: "CONF", set: text(func(o *options) *string { return &o.syncTo }),
			help: "Check the configuration of -c, write it to another place (CONF is a path or etcd://, as with -c), and end. What is included is written out; objects that are only there stay."},
		{long: "template", set: on(func(o *options) *bool { return &o.template }),
			help: "Print a minimal configuration and end."},
		{long: "state-dir", value: "DIR", env: "PINGAP_STATE_DIR", set: text(func(o *options) *string { return &o.stateDir }),
			help: "Directory of what must outlast a reboot. Default /var/lib/pingap if usable, else state in the run directory."},
		{long: "upgrade", short: 'u', env: "PINGAP_UPGRADE", set: on(func(o *options) *bool { return &o.upgrade }),
			help: "Hand the running instance over to the installed binary, as the verb upgrade --wait."},
		{long: "version", short: 'V', set: on(func(o *options) *bool { return &o.version }), help: "Show the version."},
	}
	return append(append(own, dirFlags()...), laterFlags()...)
}

// laterFlags belong to Pingap and are refused by name until they are built.
func laterFlags() []flagSpec {
	return []flagSpec{
		{long: "to-hcl", later: laterCopy},
		{long: "to-kdl", later: laterCopy},
	}
}

func text(field func(*options) *string) func(*options, string) error {
	return func(o *options, v string) error {
		if v == "" {
			return errors.New("the value is empty")
		}
		*field(o) = v
		return nil
	}
}

func on(field func(*options) *bool) func(*options, string) error {
	return func(o *options, _ string) error {
		*field(o) = true
		return nil
	}
}

// count parses a number from 0 to limit.
func count(field func(*options) *int, limit int) func(*options, string) error {
	return func(o *options, v string) error {
		n, err := strconv.Atoi(v)
		if err != nil || n < 0 || n > limit {
			return fmt.Errorf("%q: expected a number from 0 to %d", v, limit)
		}
		*field(o) = n
		return nil
	}
}

func upstream(o *options, v string) error {
	if v == "" {
		return errors.New("--upstream should not be empty")
	}
	o.upstream = v
	return nil
}

// seconds parses a time limit such as 30s or 2m; a bare number is seconds.
func seconds(field func(*options) *time.Duration) func(*options, string) error {
	return func(o *options, v string) error {
		d, err := time.ParseDuration(v)
		if n, nerr := strconv.Atoi(v); nerr == nil {
			d, err = time.Duration(n)*time.Second, nil
		}
		if err != nil || d <= 0 || d > 24*time.Hour {
			return fmt.Errorf("%q: expected a time such as 30s, at most 24h", v)
		}
		*field(o) = d
		return nil
	}
}

// serveOptions understands a command line without a verb.
func serveOptions(args []string, getenv func(string) string) (*options, []string, error) {
	o := &options{threads: -1, workers: -1}
	p := parser{flags: serveFlags(), args: args, given: map[string]bool{}, opts: o}
	rest, err := p.parse()
	if err != nil {
		return nil, nil, err
	}
	if len(rest) > 0 || o.help || o.version || o.template {
		return o, rest, p.onlyDirs(rest)
	}
	if err := p.environment(getenv); err != nil {
		return nil, nil, err
	}
	if o.conf == "" && o.upstream == "" && !o.sample {
		o.conf = getenv(confVariable)
	}
	if err := o.completeAdmin(getenv); err != nil {
		return nil, nil, err
	}
	return o, nil, o.check()
}

// onlyDirs refuses flags in front of a verb that mean nothing to it.
func (p *parser) onlyDirs(rest []string) error {
	if len(rest) == 0 {
		return nil
	}
	for name := range p.given {
		if name != "run-dir" && name != "help" {
			return usagef("--%s has no meaning in front of %q", name, rest[0])
		}
	}
	return nil
}

// check refuses flags that contradict each other.
func (o *options) check() error {
	if len(o.later) > 0 {
		return usageError{o.later[0]}
	}
	if o.upgrade {
		return nil
	}
	sources := 0
	for _, given := range []bool{o.conf != "", o.upstream != "", o.sample} {
		if given {
			sources++
		}
	}
	switch {
	case sources == 0:
		return usagef("no configuration: give -c PATH, --upstream LIST or --sample")
	case sources > 1:
		return usagef("-c, --upstream and --sample exclude each other")
	}
	if o.cp && (o.admin == "" || o.conf == "") {
		return usagef("--cp needs --admin, and -c for what it is the panel of")
	}
	return o.checkQuickStart()
}
