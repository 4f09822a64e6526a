package dns01

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

const (
	tencentService = "dnspod"
	tencentVersion = "2021-03-23"
	tencentTTL     = 600 // seconds; the least that every plan has
)

// tencent speaks the API of DNSPod at Tencent Cloud.
type tencent struct {
	service
	id, secret string
}

func newTencent(s service) (Provider, error) {
	id, secret, err := s.keys()
	if err != nil {
		return nil, err
	}
	return &tencent{service: s, id: id, secret: secret}, nil
}

// line is the word for the line that answers everybody, which the two clouds spell differently.
func (t *tencent) line() string {
	if strings.Contains(t.base.Host, ".intl.") {
		return "Default"
	}
	return "默认"
}

// Present implements Provider.
func (t *tencent) Present(ctx context.Context, name string, values []string) (func(context.Context) error, error) {
	zone, _, err := findZone(name, func(zone string) (struct{}, bool, error) {
		err := t.call(ctx, "DescribeDomain", map[string]any{"Domain": zone}, nil)
		if isNoZone(err, "ResourceNotFound", "InvalidParameter", "FailedOperation.NotDomainOwner") {
			return struct{}{}, false, nil
		}
		return struct{}{}, err == nil, err
	})
	if err != nil {
		return nothing, err
	}
	add := func(ctx context.Context, value string) (uint64, error) {
		var made struct{ RecordId uint64 }
		err := t.call(ctx, "CreateRecord", map[string]any{
			"Domain": zone, "SubDomain": below(name, zone), "RecordType": "TXT", "RecordLine": t.line(), "Value": value, "TTL": tencentTTL,
		}, &made)
		return made.RecordId, err
	}
	remove := func(ctx context.Context, id uint64) error {
		return t.call(ctx, "DeleteRecord", map[string]any{"Domain": zone, "RecordId": id}, nil)
	}
	return eachValue(ctx, values, add, remove)
}

func (t *tencent) call(ctx context.Context, action string, body, into any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.base.String()+"/", bytes.NewReader(data))
	if err != nil {
		return err
	}
	at := t.now()
	h := http.Header{}
	h.Set("host", t.base.Host)
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("X-TC-Action", action)
	h.Set("X-TC-Version", tencentVersion)
	h.Set("X-TC-Timestamp", strconv.FormatInt(at.Unix(), 10))
	signTC3(t.id, t.secret, tencentService, action, at, h, data)
	h.Del("host") // the client sends its own
	req.Header = h
	status, text, err := t.do(req)
	if err != nil {
		return err
	}
	var answer struct{ Response json.RawMessage }
	var problem struct {
		Error *struct{ Code, Message string }
	}
	if json.Unmarshal(text, &answer) != nil || json.Unmarshal(answer.Response, &problem) != nil {
		return fmt.Errorf("%s: status %d, and no JSON", t.base.Host, status)
	}
	if problem.Error != nil {
		return &apiError{t.base.Host, problem.Error.Code, problem.Error.Message}
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(answer.Response, into); err != nil {
		return fmt.Errorf("%s: %s: unexpected result", t.base.Host, action)
	}
	return nil
}
