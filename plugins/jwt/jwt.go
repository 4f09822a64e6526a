package jwt

import (
	"errors"
	"time"

	lib "github.com/golang-jwt/jwt/v5"

	"pingap/message"
	"pingap/plugins"
)

const (
	maxLeeway = time.Hour
	// usualLeeway is that for tokens of an issuer whose clock is another.
	usualLeeway = time.Minute
	maxMaxBody  = 1 << 20
)

// Factory declares the plugin.
func Factory() plugins.Factory {
	return plugins.Factory{
		Category: "jwt",
		Summary:  "Lets only requests with a valid JSON Web Token pass, and makes tokens.",
		Steps:    []plugins.Step{plugins.Request},
		Params: []plugins.Param{
			{Name: "header", Type: plugins.String, Help: "Request field that holds the token; a leading \"Bearer \" is taken off. One of header, cookie and query is needed; of several the first in this order counts."},
			{Name: "cookie", Type: plugins.String, Help: "Cookie that holds the token."},
			{Name: "query", Type: plugins.String, Help: "Pair of the query that holds the token."},
			{Name: "secret", Type: plugins.String, Secret: true, Help: "Key of HS256, HS384 and HS512. One of secret, public_key and jwks_url is needed."},
			{Name: "public_key", Type: plugins.String, Help: "Public key or certificate: PEM, or the absolute path of a file with PEM, read when the configuration is applied."},
			{Name: "jwks_url", Type: plugins.String, Help: "Address of a key set (RFC 7517), http or https; the key is the one with the kid of the token."},
			{Name: "jwks_ttl", Type: plugins.Duration, Default: "1h", Help: "How long a key set is used before it is fetched again, 1s to 7d. An unknown kid has it fetched earlier, at most once in 10s or this time, if that is shorter."},
			{Name: "jwks_ca", Type: plugins.String, Help: "Who signs the certificate of jwks_url: PEM, or the absolute path of a file with PEM. Empty is the authorities of the system."},
			{Name: "algorithm", Type: plugins.String, Enum: allAlgorithms(), Help: "The one algorithm that is allowed. Empty is HS256 and HS512 with secret, else all that fit the type of the key."},
			{Name: "leeway", Type: plugins.Duration, Help: "How far clocks may differ when exp and nbf are checked, at most 1h. Without it 0s with secret, else 1m."},
			{Name: "issuer", Type: plugins.String, Help: "What the claim iss must be; empty is anything."},
			{Name: "audience", Type: plugins.Strings, Help: "What the claim aud must hold, one of these at least; empty is anything."},
			{Name: "claim_headers", Type: plugins.Strings, Help: "Claims that the upstream gets as request fields, \"claim:name\". Texts, numbers, true and false only; what the client sent under such a name is removed."},
			{Name: "auth_path", Type: plugins.String, Help: "Path whose 2xx responses are signed as a token, with secret; it needs no token itself. Compared whole, without the query."},
			{Name: "max_body", Type: plugins.Size, Default: "64kb", Help: "Longest response that is signed, at most 1mib; a longer one is cut off. It is held in memory."},
			plugins.DelayParam("before an invalid token is refused"),
		},
		New: build,
	}
}

// guard is an instance.
type guard struct {
	place     place
	keys      keyring
	symmetric bool // the key is a secret
	parser    *lib.Parser
	leeway    time.Duration
	claims    []claimHeader
	authPath  string // empty for none
	delay     plugins.Delay
	answers   [outcomes]*plugins.Answer // shared by all requests
}

func build(p *plugins.Parameters) (plugins.Plugin, error) {
	g := &guard{}
	var placeErr, keyErr, claimErr, mintErr, delayErr error
	g.place, placeErr = readPlace(p)
	var allowed []string
	g.keys, allowed, keyErr = readKeys(p)
	g.symmetric = p.String("secret") != ""
	optionErr := g.readOptions(p, allowed)
	g.claims, claimErr = readClaims(p.Strings("claim_headers"))
	var m *mint
	g.authPath, m, mintErr = readMint(p)
	g.delay, delayErr = p.Delay()
	if err := errors.Join(placeErr, keyErr, optionErr, claimErr, mintErr, delayErr); err != nil {
		return nil, err
	}
	for o := range g.answers {
		g.answers[o] = outcome(o).answer()
	}
	if set, ok := g.keys.(*keySet); ok && p.Services() != nil {
		set.refresh() // the first request need not wait for it
	}
	if m != nil {
		return &minting{guard: g, mint: m}, nil
	}
	return g, nil
}

func (g *guard) readOptions(p *plugins.Parameters, allowed []string) error {
	g.leeway = p.Duration("leeway")
	if g.leeway > maxLeeway {
		return plugins.Errorf("leeway", "expected at most %s, found %s", maxLeeway, g.leeway)
	}
	if !p.Has("leeway") && !g.symmetric {
		g.leeway = usualLeeway
	}
	options := []lib.ParserOption{lib.WithValidMethods(allowed), lib.WithLeeway(g.leeway), lib.WithJSONNumber(), lib.WithStrictDecoding()}
	if !g.symmetric {
		options = append(options, lib.WithExpirationRequired())
	}
	if issuer := p.String("issuer"); issuer != "" {
		options = append(options, lib.WithIssuer(issuer))
	}
	if audience := p.Strings("audience"); len(audience) > 0 {
		options = append(options, lib.WithAudience(audience...))
	}
	g.parser = lib.NewParser(options...)
	return nil
}

// Decide lets the request go on or refuses it.
func (g *guard) Decide(e *plugins.Exchange) plugins.Decision {
	for i := range g.claims {
		plugins.Disown(&e.Request.Fields, g.claims[i].name)
	}
	if g.isAuthPath(e) {
		// What is signed must come whole and as it is.
		e.Request.Fields.DelID(message.AcceptEncoding)
		e.Request.Fields.DelID(message.Range)
		return plugins.Continue
	}
	token, o := g.place.find(&e.Request)
	if o == passed {
		var claims lib.MapClaims
		if claims, o = g.verify(token); o == passed {
			for i := range g.claims {
				g.claims[i].set(&e.Request.Fields, claims)
			}
			return plugins.Continue
		}
	}
	if o == malformed || o == invalid {
		g.delay.Wait(e)
	}
	return plugins.Respond(g.answers[o], o.reason())
}

func (g *guard) isAuthPath(e *plugins.Exchange) bool {
	return g.authPath != "" && string(e.Request.NormalPath()) == g.authPath
}

// Close ends what the key set is fetched with, and delays.
func (g *guard) Close() error {
	if set, ok := g.keys.(*keySet); ok {
		set.close()
	}
	return g.delay.Close()
}
