package dns01

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	aliVersion = "2015-01-09"
	aliTTL     = "600" // seconds; the least that every plan has
)

// ali speaks the API of Alibaba Cloud DNS.
type ali struct {
	service
	id, secret string
}

func newAli(s service) (Provider, error) {
	id, secret, err := s.keys()
	if err != nil {
		return nil, err
	}
	return &ali{service: s, id: id, secret: secret}, nil
}

// apiError is what a provider answers in place of a result.
type apiError struct {
	host, code, message string
}

// Error clips what the provider says.
func (e *apiError) Error() string { return fmt.Sprintf("%s: %.80s: %.300s", e.host, e.code, e.message) }

// isNoZone says whether an error means that a name is none of the account's zones: its code begins with one of these.
func isNoZone(err error, codes ...string) bool {
	var e *apiError
	if !errors.As(err, &e) {
		return false
	}
	for _, c := range codes {
		if strings.HasPrefix(e.code, c) {
			return true
		}
	}
	return false
}

// Present implements Provider.
func (a *ali) Present(ctx context.Context, name string, values []string) (func(context.Context) error, error) {
	zone, _, err := findZone(name, func(zone string) (struct{}, bool, error) {
		err := a.call(ctx, "DescribeDomainInfo", url.Values{"DomainName": {zone}}, nil)
		if isNoZone(err, "InvalidDomainName", "IncorrectDomainUser") {
			return struct{}{}, false, nil
		}
		return struct{}{}, err == nil, err
	})
	if err != nil {
		return nothing, err
	}
	add := func(ctx context.Context, value string) (string, error) {
		var made struct{ RecordId string }
		err := a.call(ctx, "AddDomainRecord", url.Values{
			"DomainName": {zone}, "RR": {below(name, zone)}, "Type": {"TXT"}, "Value": {value}, "TTL": {aliTTL},
		}, &made)
		return made.RecordId, err
	}
	remove := func(ctx context.Context, id string) error {
		return a.call(ctx, "DeleteDomainRecord", url.Values{"RecordId": {id}}, nil)
	}
	return eachValue(ctx, values, add, remove)
}

func (a *ali) call(ctx context.Context, action string, query url.Values, into any) error {
	u := *a.base
	u.Path, u.RawQuery = "/", canonicalQuery(query)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), nil)
	if err != nil {
		return err
	}
	h := http.Header{}
	h.Set("host", u.Host)
	h.Set("x-acs-action", action)
	h.Set("x-acs-version", aliVersion)
	h.Set("x-acs-date", a.now().UTC().Format(time.RFC3339))
	h.Set("x-acs-signature-nonce", nonce())
	h.Set("x-acs-content-sha256", hexSum(nil))
	signACS3(a.id, a.secret, req.Method, "/", query, h, nil)
	h.Del("host") // the client sends its own
	req.Header = h
	status, text, err := a.do(req)
	if err != nil {
		return err
	}
	var problem struct{ Code, Message string }
	if status >= 400 {
		if json.Unmarshal(text, &problem) != nil || problem.Code == "" {
			problem.Code = fmt.Sprint("status ", status)
		}
		return &apiError{a.base.Host, problem.Code, problem.Message}
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%s: %s: unexpected result", a.base.Host, action)
	}
	return nil
}
