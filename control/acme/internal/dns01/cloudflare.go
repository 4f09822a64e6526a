package dns01

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
)

// cloudflareTTL is in seconds.
const cloudflareTTL = 120

// cloudflare speaks the API of version 4, with a token that may edit DNS.
type cloudflare struct {
	service
	token string
}

func newCloudflare(s service) (Provider, error) {
	token := s.query.Get("token")
	if token == "" {
		return nil, errors.New("token is required")
	}
	return &cloudflare{service: s, token: token}, nil
}

// cloudflareAnswer wraps every answer.
type cloudflareAnswer struct {
	Success bool `json:"success"`
	Errors  []struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	} `json:"errors"`
	Result json.RawMessage `json:"result"`
}

// Present implements Provider.
func (c *cloudflare) Present(ctx context.Context, name string, values []string) (func(context.Context) error, error) {
	_, zone, err := findZone(name, func(zone string) (string, bool, error) { return c.zone(ctx, zone) })
	if err != nil {
		return nothing, err
	}
	records := "/client/v4/zones/" + url.PathEscape(zone) + "/dns_records"
	add := func(ctx context.Context, value string) (string, error) {
		var made struct{ ID string }
		err := c.call(ctx, http.MethodPost, records, nil, map[string]any{
			"type": "TXT", "name": name, "content": `"` + value + `"`, "ttl": cloudflareTTL,
		}, &made)
		return made.ID, err
	}
	remove := func(ctx context.Context, id string) error {
		return c.call(ctx, http.MethodDelete, records+"/"+url.PathEscape(id), nil, nil, nil)
	}
	return eachValue(ctx, values, add, remove)
}

// zone looks for a zone of exactly this name.
func (c *cloudflare) zone(ctx context.Context, name string) (id string, ok bool, err error) {
	var zones []struct{ ID string }
	err = c.call(ctx, http.MethodGet, "/client/v4/zones", url.Values{"name": {name}}, nil, &zones)
	if err != nil || len(zones) == 0 {
		return "", false, err
	}
	return zones[0].ID, true, nil
}

func (c *cloudflare) call(ctx context.Context, method, path string, query url.Values, body, into any) error {
	u := *c.base
	u.RawQuery = query.Encode()
	data := []byte(nil)
	if body != nil {
		var err error
		if data, err = json.Marshal(body); err != nil {
			return err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, u.JoinPath(path).String(), bytes.NewReader(data))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	status, text, err := c.do(req)
	if err != nil {
		return err
	}
	var answer cloudflareAnswer
	if err := json.Unmarshal(text, &answer); err != nil {
		return fmt.Errorf("%s: status %d, and no JSON", c.base.Host, status)
	}
	if !answer.Success || status >= 400 {
		if len(answer.Errors) > 0 {
			return fmt.Errorf("%s: status %d: %.300s (%d)", c.base.Host, status, answer.Errors[0].Message, answer.Errors[0].Code)
		}
		return fmt.Errorf("%s: status %d", c.base.Host, status)
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(answer.Result, into); err != nil {
		return fmt.Errorf("%s: %s %s: unexpected result", c.base.Host, method, path)
	}
	return nil
}
