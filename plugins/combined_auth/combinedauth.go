package combinedauth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"net/netip"
	"strconv"
	"time"

	"pingap/plugins"
)

const (
	maxDeviation = 10 * 365 * 24 * 60 * 60 // seconds
	// maxTime bounds the digits of a time, so that what is hashed is short.
	maxTime = 20
	// open is the secret of an application of which nothing is asked.
	open = "*"
)

// Factory declares the plugin.
func Factory() plugins.Factory {
	return plugins.Factory{
		Category: "combined_auth",
		Summary:  "Lets only listed applications pass, by signed time and address.",
		Steps:    []plugins.Step{plugins.Request},
		Plain:    true,
		Params: []plugins.Param{
			{Name: "authorizations", Type: plugins.Tables, Required: true, Help: "Who may pass, a table each.", Table: []plugins.Param{
				{Name: "app_id", Type: plugins.String, Required: true, Help: "Name of the application, as it stands in the query."},
				{Name: "secret", Type: plugins.String, Required: true, Secret: true, Help: "What the application signs with. \"*\" lets it pass without any check but that of its name."},
				{Name: "deviation", Type: plugins.Int, Unit: "seconds", Min: 1, Max: maxDeviation, Help: "How far the time of a request may be from ours, into past and future. Needed but with the secret \"*\"."},
				{Name: "ip_list", Type: plugins.Strings, Help: "Addresses and networks (CIDR) that the application may come from; empty is all."},
			}},
		},
		New: build,
	}
}

// combinedAuth is an instance.
type combinedAuth struct {
	apps    map[string]*app
	refused [reasons]*plugins.Answer // shared by all requests
}

// app is an application.
type app struct {
	open      bool
	secret    []byte // with the colon behind it
	deviation int64  // seconds
	networks  []netip.Prefix
}

func build(p *plugins.Parameters) (plugins.Plugin, error) {
	c := &combinedAuth{apps: map[string]*app{}}
	var problems []error
	for i, table := range p.Tables("authorizations") {
		a, err := newApp(i, table)
		id := table.String("app_id")
		if c.apps[id] != nil {
			err = errors.Join(err, plugins.TableErrorf("authorizations", i, "app_id", "another table has this app_id"))
		}
		c.apps[id] = a
		problems = append(problems, err)
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	for r := range c.refused {
		a := plugins.Text(401, "Plugin combined_auth invalid, message: "+reason(r).String())
		a.AddField("Cache-Control", "private, no-store")
		c.refused[r] = a
	}
	return c, nil
}

func newApp(index int, table *plugins.Parameters) (*app, error) {
	secret := table.String("secret")
	a := &app{open: secret == open, secret: []byte(secret + ":"), deviation: table.Int("deviation")}
	var problems []error
	if a.deviation == 0 && !a.open {
		problems = append(problems, plugins.TableErrorf("authorizations", index, "deviation", "is required: how far the time of a request may be from ours, in seconds"))
	}
	for i, text := range table.Strings("ip_list") {
		network, err := parseNetwork(text)
		if err != nil {
			problems = append(problems, plugins.TableErrorf("authorizations", index, "ip_list", "entry %d: expected an address or a network such as 192.0.2.0/24", i+1))
			continue
		}
		a.networks = append(a.networks, network)
	}
	return a, errors.Join(problems...)
}

func parseNetwork(text string) (netip.Prefix, error) {
	if network, err := netip.ParsePrefix(text); err == nil {
		return network.Masked(), nil
	}
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}, err
	}
	addr = addr.Unmap().WithZone("")
	return netip.PrefixFrom(addr, addr.BitLen()), nil
}

// Decide lets the request go on or refuses it.
func (c *combinedAuth) Decide(e *plugins.Exchange) plugins.Decision {
	if r := c.judge(e, time.Now().Unix()); r != none {
		return plugins.Respond(c.refused[r], r.String())
	}
	return plugins.Continue
}

// judge checks name, address, time and digest in this order.
func (c *combinedAuth) judge(e *plugins.Exchange, now int64) reason {
	id, _ := e.Request.QueryValue("app_id")
	if len(id) == 0 {
		return noApp
	}
	a := c.apps[string(id)]
	switch {
	case a == nil:
		return wrongApp
	case a.open:
		return none
	case !a.admits(e.ClientIP):
		return wrongAddress
	}
	at, _ := e.Request.QueryValue("ts")
	if r := a.judgeTime(at, now); r != none {
		return r
	}
	digest, _ := e.Request.QueryValue("digest")
	return a.judgeDigest(digest, at)
}

func (a *app) admits(client netip.Addr) bool {
	if len(a.networks) == 0 {
		return true
	}
	client = client.Unmap()
	for _, network := range a.networks {
		if network.Contains(client) {
			return true
		}
	}
	return false
}

func (a *app) judgeTime(text []byte, now int64) reason {
	if len(text) == 0 {
		return noTime
	}
	if len(text) > maxTime {
		return badTime
	}
	at, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		return badTime
	}
	// In this form nothing overflows, whatever the client says.
	if at < now-a.deviation || at > now+a.deviation {
		return wrongTime
	}
	return none
}

func (a *app) judgeDigest(given, at []byte) reason {
	if len(given) == 0 {
		return noDigest
	}
	var digest [sha256.Size]byte
	if len(given) != hex.EncodedLen(len(digest)) {
		return wrongDigest
	}
	if _, err := hex.Decode(digest[:], given); err != nil {
		return wrongDigest
	}
	var room [128]byte // a longer secret takes memory of its own
	want := sha256.Sum256(append(append(room[:0], a.secret...), at...))
	if subtle.ConstantTimeCompare(digest[:], want[:]) != 1 {
		return wrongDigest
	}
	return none
}
