package dns01

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// Provider hosts zones.
type Provider interface {
	// Present adds TXT records with the values at a name (without a dot at its end), beside what is there. cleanUp, which is never nil,
	// removes what was added, also after an error.
	Present(ctx context.Context, name string, values []string) (cleanUp func(context.Context) error, err error)
}

// maxAnswer bounds what a provider may send.
const maxAnswer = 1 << 20

// errNoZone says that no parent of a name is a zone of the account.
var errNoZone = errors.New("no zone of the account holds the name")

// Options of New.
type Options struct {
	// Client does the requests.
	Client *http.Client
	// Now is the time that requests are signed with.
	Now func() time.Time
}

// service is where a provider is reached, and with what.
type service struct {
	client *http.Client
	now    func() time.Time
	base   *url.URL // without credentials
	query  url.Values
}

// New makes a provider by its name: cf, ali, tencent or huawei, or a longer form of these. serviceURL is its address with the
// credentials as parameters.
func New(name, serviceURL string, opt Options) (Provider, error) {
	u, err := url.Parse(strings.TrimSpace(serviceURL))
	if err != nil || u.Host == "" || u.Scheme != "https" && !isLoopback(u) {
		return nil, errors.New("dns_service_url is no https URL") // its text is a secret
	}
	s := service{client: opt.Client, now: opt.Now, query: u.Query(), base: &url.URL{Scheme: u.Scheme, Host: u.Host}}
	switch strings.ToLower(strings.TrimSpace(name)) {
	case "cf", "cloudflare":
		return newCloudflare(s)
	case "ali", "aliyun":
		return newAli(s)
	case "tencent":
		return newTencent(s)
	case "huawei":
		return newHuawei(s)
	}
	return nil, fmt.Errorf("unknown dns_provider %q, expected one of: ali, cf, tencent, huawei, manual", name)
}

// isLoopback says whether a URL leads to this machine, where plain HTTP shows nobody the credentials.
func isLoopback(u *url.URL) bool {
	addr, err := netip.ParseAddr(u.Hostname())
	return u.Scheme == "http" && err == nil && addr.IsLoopback()
}

// keys are the two credentials that most providers have.
func (s service) keys() (id, secret string, err error) {
	id, secret = s.query.Get("access_key_id"), s.query.Get("access_key_secret")
	if id == "" || secret == "" {
		return "", "", errors.New("access_key_id or access_key_secret is required")
	}
	return id, secret, nil
}

// do sends a request and returns the status and the bounded body. Errors name the host only: addresses may hold what was
// signed, and keys.
func (s service) do(req *http.Request) (int, []byte, error) {
	resp, err := s.client.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		return 0, nil, fmt.Errorf("%s: %w", s.base.Host, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return 0, nil, fmt.Errorf("%s: %w", s.base.Host, err)
	}
	if len(body) > maxAnswer {
		return 0, nil, fmt.Errorf("%s: answer of more than %d bytes", s.base.Host, maxAnswer)
	}
	return resp.StatusCode, body, nil
}

// parents are the names that could be the zone of a name, the longest first. A top-level domain is none.
func parents(name string) []string {
	var out []string
	for strings.Contains(name, ".") {
		out = append(out, name)
		_, name, _ = strings.Cut(name, ".")
	}
	return out
}

// below is a name relative to its zone.
func below(name, zone string) string {
	if name == zone {
		return "@"
	}
	return strings.TrimSuffix(name, "."+zone)
}

// findZone walks up the parents of a name until found says yes.
func findZone[T any](name string, found func(zone string) (T, bool, error)) (zone string, value T, err error) {
	for _, zone := range parents(name) {
		value, ok, err := found(zone)
		if err != nil {
			return "", value, err
		}
		if ok {
			return zone, value, nil
		}
	}
	return "", value, fmt.Errorf("%s: %w", name, errNoZone)
}

// eachValue adds one record for each value, and makes the clean-up of those that were added.
func eachValue[ID any](ctx context.Context, values []string, add func(ctx context.Context, value string) (ID, error), remove func(context.Context, ID) error) (func(context.Context) error, error) {
	var added []ID
	cleanUp := func(ctx context.Context) error {
		var errs []error
		for _, id := range added {
			errs = append(errs, remove(ctx, id))
		}
		return errors.Join(errs...)
	}
	for _, value := range values {
		id, err := add(ctx, value)
		if err != nil {
			return cleanUp, err
		}
		added = append(added, id)
	}
	return cleanUp, nil
}

// nothing cleans up where nothing was added.
func nothing(context.Context) error { return nil }
