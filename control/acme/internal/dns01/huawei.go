package dns01

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
)

// huaweiTTL is in seconds.
const huaweiTTL = 300

// huawei speaks the API of Huawei Cloud DNS, which has one set of records for a name and type.
type huawei struct {
	service
	id, secret string
}

func newHuawei(s service) (Provider, error) {
	id, secret, err := s.keys()
	if err != nil {
		return nil, err
	}
	return &huawei{service: s, id: id, secret: secret}, nil
}

// recordSet is a set as the API has it. Names end in a dot, values are in quotes.
type recordSet struct {
	ID      string   `json:"id,omitempty"`
	Name    string   `json:"name"`
	Type    string   `json:"type"`
	TTL     int      `json:"ttl"`
	Records []string `json:"records"`
}

// Present implements Provider.
func (w *huawei) Present(ctx context.Context, name string, values []string) (func(context.Context) error, error) {
	_, zone, err := findZone(name, func(zone string) (string, bool, error) { return w.zone(ctx, zone+".") })
	if err != nil {
		return nothing, err
	}
	sets := "/v2/zones/" + url.PathEscape(zone) + "/recordsets"
	wish := recordSet{Name: name + ".", Type: "TXT", TTL: huaweiTTL}
	for _, v := range values {
		wish.Records = append(wish.Records, `"`+v+`"`)
	}
	old, err := w.existing(ctx, sets, wish.Name)
	if err != nil {
		return nothing, err
	}
	if old != nil {
		return w.extend(ctx, sets, *old, wish.Records)
	}
	var made recordSet
	if err := w.call(ctx, http.MethodPost, sets, nil, wish, &made); err != nil {
		return nothing, err
	}
	return func(ctx context.Context) error {
		return w.call(ctx, http.MethodDelete, sets+"/"+url.PathEscape(made.ID), nil, nil, nil)
	}, nil
}

// extend adds records to a set of somebody else, and takes only them out again.
func (w *huawei) extend(ctx context.Context, sets string, old recordSet, records []string) (func(context.Context) error, error) {
	path := sets + "/" + url.PathEscape(old.ID)
	more := recordSet{Name: old.Name, Type: old.Type, TTL: old.TTL, Records: slices.Concat(old.Records, records)}
	if err := w.call(ctx, http.MethodPut, path, nil, more, nil); err != nil {
		return nothing, err
	}
	return func(ctx context.Context) error {
		less := old
		less.ID = ""
		return w.call(ctx, http.MethodPut, path, nil, less, nil)
	}, nil
}

// zone looks for a public zone of exactly this name: the API finds all that contain it.
func (w *huawei) zone(ctx context.Context, name string) (id string, ok bool, err error) {
	var found struct{ Zones []struct{ ID, Name string } }
	err = w.call(ctx, http.MethodGet, "/v2/zones", url.Values{"type": {"public"}, "name": {name}}, nil, &found)
	for _, z := range found.Zones {
		if z.Name == name {
			return z.ID, true, err
		}
	}
	return "", false, err
}

func (w *huawei) existing(ctx context.Context, sets, name string) (*recordSet, error) {
	var found struct{ Recordsets []recordSet }
	err := w.call(ctx, http.MethodGet, sets, url.Values{"type": {"TXT"}, "name": {name}}, nil, &found)
	for _, s := range found.Recordsets {
		if s.Name == name && s.Type == "TXT" {
			return &s, err
		}
	}
	return nil, err
}

func (w *huawei) call(ctx context.Context, method, path string, query url.Values, body, into any) error {
	data := []byte(nil)
	if body != nil {
		var err error
		if data, err = json.Marshal(body); err != nil {
			return err
		}
	}
	u := *w.base
	u.Path, u.RawQuery = path, canonicalQuery(query)
	req, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(data))
	if err != nil {
		return err
	}
	h := http.Header{}
	h.Set("host", u.Host)
	h.Set("Content-Type", "application/json")
	h.Set("X-Sdk-Date", w.now().UTC().Format(huaweiTime))
	signSDK(w.id, w.secret, method, path, query, h, data)
	h.Del("host") // the client sends its own
	req.Header = h
	status, text, err := w.do(req)
	if err != nil {
		return err
	}
	if status >= 400 {
		// The gateway and the service have forms of their own.
		var problem struct {
			Code    string
			Message string
			GwCode  string `json:"error_code"`
			GwText  string `json:"error_msg"`
		}
		if json.Unmarshal(text, &problem) != nil || problem.Code+problem.GwCode == "" {
			problem.Code = fmt.Sprint("status ", status)
		}
		return &apiError{w.base.Host, problem.Code + problem.GwCode, problem.Message + problem.GwText}
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%s: %s %s: unexpected result", w.base.Host, method, path)
	}
	return nil
}
