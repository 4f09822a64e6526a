package basicauth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"strings"

	"pingap/message"
	"pingap/plugins"
)

const (
	scheme    = "Basic "
	challenge = `Basic realm="Access to the staging site"`
)

// Factory declares the plugin.
func Factory() plugins.Factory {
	return plugins.Factory{
		Category: "basic_auth",
		Summary:  "Lets only requests with a listed user and password pass.",
		Steps:    []plugins.Step{plugins.Request},
		Plain:    true,
		Params: []plugins.Param{
			{Name: "authorizations", Type: plugins.Strings, Required: true, Secret: true, Help: "Who may pass: base64 of user:password, one entry each."},
			plugins.DelayParam("before wrong credentials are refused"),
			{Name: "hide_credentials", Type: plugins.Bool, Default: false, Help: "Remove the Authorization field before the request goes upstream."},
		},
		New: build,
	}
}

// basicAuth is an instance.
type basicAuth struct {
	allowed [][sha256.Size]byte // digests of the whole field value
	delay   plugins.Delay
	hide    bool

	missing, wrong *plugins.Answer // shared by all requests
}

func build(p *plugins.Parameters) (plugins.Plugin, error) {
	delay, delayErr := p.Delay()
	b := &basicAuth{
		delay: delay, hide: p.Bool("hide_credentials"),
		missing: refuse("Authorization is missing"), wrong: refuse("Invalid user or password"),
	}
	problems := []error{delayErr}
	for i, entry := range p.Strings("authorizations") {
		if !validEntry(entry) {
			// The entry itself is a secret, or was meant to be one.
			problems = append(problems, plugins.EntryErrorf("authorizations", i, "expected base64 of user:password"))
			continue
		}
		b.allowed = append(b.allowed, sha256.Sum256([]byte(scheme+entry)))
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return b, nil
}

// validEntry accepts only the one encoding that clients send, as values are compared encoded.
func validEntry(entry string) bool {
	plain, err := base64.StdEncoding.DecodeString(entry)
	return err == nil && strings.Contains(string(plain), ":") &&
		base64.StdEncoding.EncodeToString(plain) == entry
}

func refuse(body string) *plugins.Answer {
	a := plugins.Text(401, body)
	a.AddField("WWW-Authenticate", challenge)
	return a
}

// Decide lets the request go on or refuses it. The delay holds nothing but the request itself.
func (b *basicAuth) Decide(e *plugins.Exchange) plugins.Decision {
	given, count := credentials(&e.Request.Fields)
	if count == 0 {
		return plugins.Respond(b.missing, "credentials missing")
	}
	// With several fields a backend might believe another one than we do.
	if !b.allows(given) || count > 1 {
		b.delay.Wait(e)
		return plugins.Respond(b.wrong, "credentials wrong")
	}
	if b.hide {
		e.Request.Fields.DelID(message.Authorization)
	}
	return plugins.Continue
}

// Close lets all go on that wait.
func (b *basicAuth) Close() error { return b.delay.Close() }

// allows compares with every entry, so that neither the time nor the length of an entry tells which is near.
func (b *basicAuth) allows(given []byte) bool {
	digest := sha256.Sum256(given)
	match := 0
	for i := range b.allowed {
		match |= subtle.ConstantTimeCompare(digest[:], b.allowed[i][:])
	}
	return match == 1
}

// credentials returns the first Authorization and how many there are.
func credentials(fields *message.Fields) (value []byte, count int) {
	for _, f := range fields.List() {
		if f.ID == message.Authorization {
			if count == 0 {
				value = f.Value
			}
			count++
		}
	}
	return value, count
}
