package keyauth

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"strings"

	"pingap/message"
	"pingap/plugins"
)

// Factory declares the plugin.
func Factory() plugins.Factory {
	return plugins.Factory{
		Category: "key_auth",
		Summary:  "Lets only requests with a listed key pass.",
		Steps:    []plugins.Step{plugins.Request},
		Plain:    true,
		Params: []plugins.Param{
			{Name: "query", Type: plugins.String, Help: "Name of the pair of the query that holds the key; where it is given, header is not looked at."},
			{Name: "header", Type: plugins.String, Help: "Name of the request field that holds the key. One of query and header is needed."},
			{Name: "keys", Type: plugins.Strings, Required: true, Secret: true, Help: "Which keys may pass, as clients send them: nothing is decoded."},
			plugins.DelayParam("before a wrong key is refused"),
			{Name: "hide_credentials", Type: plugins.Bool, Default: false, Help: "Remove the key before the request goes upstream."},
		},
		New: build,
	}
}

// keyAuth is an instance.
type keyAuth struct {
	query, header string // one of them
	headerID      message.Name
	allowed       [][sha256.Size]byte
	delay         plugins.Delay
	hide          bool

	missing, wrong *plugins.Answer // shared by all requests
}

func build(p *plugins.Parameters) (plugins.Plugin, error) {
	delay, delayErr := p.Delay()
	k := &keyAuth{
		query: p.String("query"), header: p.String("header"), delay: delay, hide: p.Bool("hide_credentials"),
		missing: plugins.Text(401, "Key missing"), wrong: plugins.Text(401, "Key auth fail"),
	}
	problems := []error{delayErr, k.checkPlace()}
	for i, key := range p.Strings("keys") {
		if err := k.checkKey(key); err != nil {
			problems = append(problems, plugins.EntryErrorf("keys", i, "%v", err))
			continue
		}
		k.allowed = append(k.allowed, sha256.Sum256([]byte(key)))
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return k, nil
}

// checkPlace checks where the key is to be, and decides on one place.
func (k *keyAuth) checkPlace() error {
	if k.query != "" {
		k.header = ""
		if !message.ValidTarget([]byte(k.query)) || strings.ContainsAny(k.query, "&=") {
			return plugins.Errorf("query", "expected a name as it stands in a query, without & and =")
		}
		return nil
	}
	if k.header == "" {
		return plugins.Errorf("header", "auth key is not allowed empty: give header or query")
	}
	if err := plugins.CheckFieldName(k.header); err != nil {
		return plugins.Errorf("header", "%v", err)
	}
	k.headerID = message.LookupName([]byte(k.header))
	return nil
}

// checkKey refuses keys that no request could hold. It says nothing of the key itself.
func (k *keyAuth) checkKey(key string) error {
	switch {
	case key == "":
		return errors.New("the key is empty")
	case k.query != "" && (!message.ValidTarget([]byte(key)) || strings.Contains(key, "&")):
		return errors.New("the key has a character that a query may not have: write it as clients send it")
	case k.query == "" && (!message.ValidValue([]byte(key)) || strings.TrimSpace(key) != key):
		return errors.New("the key has a character that a field may not have")
	}
	return nil
}

// Decide lets the request go on or refuses it.
func (k *keyAuth) Decide(e *plugins.Exchange) plugins.Decision {
	given, count := k.given(&e.Request)
	if count == 0 {
		return plugins.Respond(k.missing, "key missing")
	}
	// Of several keys a backend might believe another one than we do.
	if !k.allows(given) || count > 1 {
		k.delay.Wait(e)
		return plugins.Respond(k.wrong, "key wrong")
	}
	if k.hide {
		k.remove(&e.Request)
	}
	return plugins.Continue
}

// Close lets all go on that wait.
func (k *keyAuth) Close() error { return k.delay.Close() }

// given returns the first key of a request and how many there are. An empty one is none.
func (k *keyAuth) given(r *message.Request) (key []byte, count int) {
	if k.query != "" {
		return fromQuery(r.Query, k.query)
	}
	for _, f := range r.Fields.List() {
		if f.ID == k.headerID && len(f.Value) > 0 && (f.ID != message.Unknown || message.EqualFold(f.Name, k.header)) {
			if count == 0 {
				key = f.Value
			}
			count++
		}
	}
	return key, count
}

// allows compares with every key, so that neither the time nor the length of a key tells which is near.
func (k *keyAuth) allows(given []byte) bool {
	digest := sha256.Sum256(given)
	match := 0
	for i := range k.allowed {
		match |= subtle.ConstantTimeCompare(digest[:], k.allowed[i][:])
	}
	return match == 1
}

func (k *keyAuth) remove(r *message.Request) {
	if k.query == "" {
		r.Fields.Del(k.header)
		return
	}
	r.SetTarget(withoutPair(r.Path, r.Query, k.query))
}
