package cache

import (
	"errors"
	"net/netip"
	"regexp"
	"strings"
	"time"

	"pingap/config"
	"pingap/message"
	"pingap/plugins"
	"pingap/worker/cache"
)

// maxFileSize bounds max_file_size: bodies that fill memory are of this size.
const maxFileSize = 1 << 40

// Factory declares the plugin.
func Factory() plugins.Factory {
	return plugins.Factory{
		Category: "cache",
		Summary:  "Stores responses in memory or files, and answers with them, by RFC 9111.",
		Steps:    []plugins.Step{plugins.Request},
		Params: []plugins.Param{
			{Name: "directory", Type: plugins.String, Help: "Where responses are stored: empty or memory://?max_size=100mb for memory of each worker, lost with it; a path such as /var/cache/pingap?max_size=10gb&inactive=48h&levels=1:2 for files that all workers share. A max_size of memory without a unit is per cent of the default, an eighth of the memory that is free at start, at most 1 GiB."},
			{Name: "namespace", Type: plugins.String, Help: "Begin of all keys: instances with the same store and different namespaces share nothing. Letters, digits, dot, dash and underscore."},
			{Name: "headers", Type: plugins.Strings, Help: "Fields of requests whose values are part of the key, beside scheme, host, path and query."},
			{Name: "max_ttl", Type: plugins.Duration, Help: "Upper bound of how long a response is fresh; none without it."},
			{Name: "max_file_size", Type: plugins.Size, Default: "1mb", Help: "Longest body that is stored; a longer one passes."},
			{Name: "lock", Type: plugins.Duration, Default: "1s", Help: "How long requests wait for another one with the same key; 0s for not at all."},
			{Name: "eviction", Type: plugins.Bool, Help: "Accepted and without effect: a full store always drops what is used least (memory) or was used longest ago (files)."},
			{Name: "predictor", Type: plugins.Bool, Help: "If present, with any value, 128 addresses whose responses could not be stored are remembered: requests for them do not wait for each other."},
			{Name: "check_cache_control", Type: plugins.Bool, Help: "Responses without Cache-Control are not stored, even with Expires."},
			{Name: "purge_ip_list", Type: plugins.Strings, Help: "Addresses and networks whose requests with the method PURGE remove stored responses; empty is nobody."},
			{Name: "skip", Type: plugins.Regex, Help: "Paths, with their query, that are neither stored nor purged."},
			{Name: "heuristic", Type: plugins.Duration, Default: "0s", Help: "Responses that do not say how long they are fresh are so for a tenth of the time since Last-Modified, at most this long; 0s for never."},
			{Name: "stale_while_revalidate", Type: plugins.Duration, Default: "0s", Help: "How long a stale response is used while it is fetched anew, where it does not say so itself."},
			{Name: "stale_if_error", Type: plugins.Duration, Default: "0s", Help: "How long a stale response is used where the upstream fails, where it does not say so itself."},
			{Name: "set_cookie", Type: plugins.Bool, Default: false, Help: "Responses with Set-Cookie are stored, with it: everybody gets the cookie of who came first."},
			{Name: "ignore_request_directives", Type: plugins.Bool, Default: false, Help: "Cache-Control and Pragma of requests have no effect: clients cannot have the upstream asked."},
		},
		New: build,
	}
}

// cached is an instance.
type cached struct {
	cache     *cache.Cache // nil in control
	settings  cache.Settings
	namespace string
	headers   []string
	lock      time.Duration
	skip      *regexp.Regexp // nil for none
	purgers   []netip.Prefix
	deaf      bool // for directives of requests
	predictor *predictor
	others    *others
}

func build(p *plugins.Parameters) (plugins.Plugin, error) {
	c := &cached{
		namespace: p.String("namespace"), headers: p.Strings("headers"), lock: p.Duration("lock"), skip: p.Regex("skip"),
		deaf: p.Bool("ignore_request_directives"),
		settings: cache.Settings{
			MaxTTL: p.Duration("max_ttl"), Heuristic: p.Duration("heuristic"), NeedControl: p.Bool("check_cache_control"),
			StaleWhileRevalidate: p.Duration("stale_while_revalidate"), StaleIfError: p.Duration("stale_if_error"),
			SetCookie: p.Bool("set_cookie"), MaxBody: p.Size("max_file_size"),
		},
	}
	if p.Has("predictor") {
		c.predictor = &predictor{}
	}
	var purgeErr error
	c.purgers, purgeErr = readNetworks(p.Strings("purge_ip_list"))
	place, placeErr := parseDirectory(p.String("directory"))
	if err := errors.Join(purgeErr, placeErr, c.check()); err != nil {
		return nil, err
	}
	if p.Services() == nil {
		return c, nil // control only checks
	}
	var err error
	if c.cache, err = place.open(p.Services()); err != nil {
		return nil, plugins.Errorf("directory", "%v", err)
	}
	c.others = connect(p.Services(), c.cache, place.name())
	return c, nil
}

func (c *cached) check() error {
	var problems []error
	for i, name := range c.headers {
		if !message.ValidToken([]byte(name)) {
			problems = append(problems, plugins.EntryErrorf("headers", i, "expected the name of a field"))
		}
		c.headers[i] = strings.ToLower(name)
	}
	if len(c.headers) > 16 {
		problems = append(problems, plugins.Errorf("headers", "expected at most 16 entries"))
	}
	if strings.ContainsFunc(c.namespace, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && r != '.' && r != '-' && r != '_'
	}) {
		problems = append(problems, plugins.Errorf("namespace", "expected letters, digits, dot, dash and underscore only"))
	}
	if c.settings.MaxBody < 1 || c.settings.MaxBody > maxFileSize {
		problems = append(problems, plugins.Errorf("max_file_size", "expected 1 byte to 1tib"))
	}
	if c.lock > time.Minute {
		problems = append(problems, plugins.Errorf("lock", "expected at most 1m"))
	}
	return errors.Join(problems...)
}

// readNetworks reads a list of addresses and networks.
func readNetworks(list []string) (all []netip.Prefix, err error) {
	var problems []error
	for i, text := range list {
		prefix, err := config.ParseNetwork(text)
		if err != nil {
			problems = append(problems, plugins.EntryErrorf("purge_ip_list", i, "%v", err))
			continue
		}
		all = append(all, prefix)
	}
	return all, errors.Join(problems...)
}

// Close ends what the instance owns. The store stays where another instance uses it, or comes to.
func (c *cached) Close() error {
	if c.cache != nil {
		c.others.close()
		c.cache.Close()
	}
	return nil
}
