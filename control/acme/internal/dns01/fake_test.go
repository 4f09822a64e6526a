package dns01

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	testID     = "the-id"
	testSecret = "the-secret"
	testZone   = "example.com"
)

// host is a provider of the test with one zone. Its handlers verify what was signed.
type host struct {
	t *testing.T

	mu      sync.Mutex
	records map[int][]string // by id: name, then values
	next    int
	broken  string // an action that fails
}

func newHost(t *testing.T) *host { return &host{t: t, records: map[int][]string{}, next: 100} }

func (h *host) add(name string, values ...string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.next++
	h.records[h.next] = append([]string{name}, values...)
	return h.next
}

func (h *host) remove(id string) {
	n, err := strconv.Atoi(id)
	h.mu.Lock()
	defer h.mu.Unlock()
	if err != nil || h.records[n] == nil {
		h.t.Errorf("record %q is removed, which is not there", id)
	}
	delete(h.records, n)
}

// has are the values at a name, sorted.
func (h *host) has(name string) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var values []string
	for _, r := range h.records {
		if r[0] == name {
			values = append(values, r[1:]...)
		}
	}
	slices.Sort(values)
	return values
}

// serve starts a provider with a handler, and returns its URL.
func serve(t *testing.T, handle func(w http.ResponseWriter, r *http.Request, body []byte)) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", "application/json")
		handle(w, r, body)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func answer(w http.ResponseWriter, status int, v any) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client says what is missing
}

func (h *host) cloudflare() string {
	return serve(h.t, func(w http.ResponseWriter, r *http.Request, body []byte) {
		ok := func(v any) { answer(w, 200, map[string]any{"success": true, "errors": []any{}, "result": v}) }
		path := strings.TrimPrefix(r.URL.Path, "/client/v4/zones")
		id, record := strings.CutPrefix(path, "/zone-1/dns_records/")
		switch {
		case r.Header.Get("Authorization") != "Bearer "+testSecret:
			answer(w, 403, map[string]any{"success": false, "errors": []any{map[string]any{"code": 9109, "message": "Invalid access token"}}})
		case h.broken != "" && r.Method == h.broken:
			answer(w, 400, map[string]any{"success": false, "errors": []any{map[string]any{"code": 81057, "message": "no"}}})
		case r.Method == "GET" && path == "":
			if r.URL.Query().Get("name") == testZone {
				ok([]any{map[string]string{"id": "zone-1"}})
				return
			}
			ok([]any{})
		case r.Method == "POST" && path == "/zone-1/dns_records":
			var rec struct {
				Type, Name, Content string
				TTL                 int
			}
			if json.Unmarshal(body, &rec) != nil || rec.Type != "TXT" || rec.TTL != 120 {
				h.t.Errorf("record %s", body)
			}
			ok(map[string]string{"id": fmt.Sprint(h.add(rec.Name, strings.Trim(rec.Content, `"`)))})
		case r.Method == "DELETE" && record:
			h.remove(id)
			ok(map[string]string{"id": id})
		default:
			h.t.Errorf("%s %s", r.Method, r.URL)
		}
	}) + "?token=" + testSecret
}

// resigned checks a signature by making it again from what arrived.
func resigned(r *http.Request, keep []string, sign func(h http.Header)) bool {
	h := http.Header{}
	for _, n := range keep {
		if v := r.Header.Get(n); v != "" {
			h.Set(n, v)
		}
	}
	h.Set("host", r.Host)
	sign(h)
	return r.Header.Get("Authorization") == h.Get("Authorization")
}

func (h *host) ali() string {
	return serve(h.t, func(w http.ResponseWriter, r *http.Request, body []byte) {
		keep := []string{"x-acs-action", "x-acs-version", "x-acs-date", "x-acs-signature-nonce", "x-acs-content-sha256"}
		q := r.URL.Query()
		action := r.Header.Get("x-acs-action")
		fail := func(status int, code string) { answer(w, status, map[string]string{"Code": code, "Message": "no"}) }
		switch {
		case !resigned(r, keep, func(h http.Header) { signACS3(testID, testSecret, r.Method, "/", q, h, body) }):
			fail(403, "SignatureDoesNotMatch")
		case r.Header.Get("x-acs-content-sha256") != hexSum(body) || len(r.Header.Get("x-acs-signature-nonce")) != 32:
			fail(400, "InvalidParameter")
		case action == h.broken:
			fail(500, "InternalError")
		case action == "DescribeDomainInfo" && q.Get("DomainName") != testZone:
			fail(404, "InvalidDomainName.NoExist")
		case action == "DescribeDomainInfo":
			answer(w, 200, map[string]string{"DomainName": testZone})
		case action == "AddDomainRecord" && q.Get("Type") == "TXT":
			id := h.add(q.Get("RR")+"."+q.Get("DomainName"), q.Get("Value"))
			answer(w, 200, map[string]string{"RecordId": fmt.Sprint(id)})
		case action == "DeleteDomainRecord":
			h.remove(q.Get("RecordId"))
			answer(w, 200, map[string]string{})
		default:
			h.t.Errorf("%s %v", action, q)
		}
	}) + keysQuery()
}

func (h *host) tencent() string {
	return serve(h.t, func(w http.ResponseWriter, r *http.Request, body []byte) {
		var in struct {
			Domain, SubDomain, RecordType, RecordLine, Value string
			RecordId                                         uint64
		}
		if err := json.Unmarshal(body, &in); err != nil {
			h.t.Error(err)
		}
		action := r.Header.Get("X-TC-Action")
		seconds, _ := strconv.ParseInt(r.Header.Get("X-TC-Timestamp"), 10, 64)
		say := func(v any) { answer(w, 200, map[string]any{"Response": v}) }
		fail := func(code string) { say(map[string]any{"Error": map[string]string{"Code": code, "Message": "no"}}) }
		keep := []string{"Content-Type", "X-TC-Action", "X-TC-Timestamp"}
		switch {
		case !resigned(r, keep, func(h http.Header) {
			signTC3(testID, testSecret, "dnspod", action, time.Unix(seconds, 0), h, body)
		}):
			fail("AuthFailure.SignatureFailure")
		case action == h.broken:
			fail("InternalError")
		case action == "DescribeDomain" && in.Domain != testZone:
			fail("InvalidParameterValue.DomainNotExists")
		case action == "DescribeDomain":
			say(map[string]any{"DomainInfo": map[string]any{}})
		case action == "CreateRecord" && in.RecordType == "TXT" && in.RecordLine == "默认":
			say(map[string]any{"RecordId": h.add(in.SubDomain+"."+in.Domain, in.Value)})
		case action == "DeleteRecord" && in.Domain == testZone:
			h.remove(fmt.Sprint(in.RecordId))
			say(map[string]any{})
		default:
			h.t.Errorf("%s %s", action, body)
		}
	}) + keysQuery()
}

func (h *host) huawei() string {
	return serve(h.t, func(w http.ResponseWriter, r *http.Request, body []byte) {
		var in recordSet
		if len(body) > 0 && json.Unmarshal(body, &in) != nil {
			h.t.Errorf("body %s", body)
		}
		q := r.URL.Query()
		const sets = "/v2/zones/zone-1/recordsets"
		id, one := strings.CutPrefix(r.URL.Path, sets+"/")
		keep := []string{"Content-Type", "X-Sdk-Date"}
		switch {
		case !resigned(r, keep, func(h http.Header) { signSDK(testID, testSecret, r.Method, r.URL.Path, q, h, body) }):
			answer(w, 401, map[string]string{"error_code": "APIGW.0301", "error_msg": "Incorrect IAM authentication information"})
		case h.broken == r.Method:
			answer(w, 500, map[string]string{"code": "DNS.0001", "message": "no"})
		case r.Method == "GET" && r.URL.Path == "/v2/zones":
			// All that contain the name, as the service does.
			answer(w, 200, map[string]any{"zones": []any{
				map[string]string{"id": "zone-9", "name": "not-" + testZone + "."}, map[string]string{"id": "zone-1", "name": testZone + "."},
			}})
		case r.Method == "GET" && r.URL.Path == sets:
			answer(w, 200, map[string]any{"recordsets": h.sets(q.Get("name"))})
		case r.Method == "POST" && r.URL.Path == sets && in.Type == "TXT" && len(h.has(strings.TrimSuffix(in.Name, "."))) == 0:
			in.ID = fmt.Sprint(h.add(strings.TrimSuffix(in.Name, "."), unquoted(in.Records)...))
			answer(w, 202, in)
		case r.Method == "PUT" && one:
			h.remove(id)
			n, _ := strconv.Atoi(id)
			h.mu.Lock()
			h.records[n] = append([]string{strings.TrimSuffix(in.Name, ".")}, unquoted(in.Records)...)
			h.mu.Unlock()
			answer(w, 202, in)
		case r.Method == "DELETE" && one:
			h.remove(id)
			answer(w, 202, map[string]string{})
		default:
			h.t.Errorf("%s %s %s", r.Method, r.URL, body)
		}
	}) + keysQuery()
}

// sets are the record sets of a name, with a dot, as Huawei has them.
func (h *host) sets(name string) []recordSet {
	h.mu.Lock()
	defer h.mu.Unlock()
	sets := []recordSet{}
	for id, r := range h.records {
		if r[0]+"." == name {
			s := recordSet{ID: fmt.Sprint(id), Name: name, Type: "TXT", TTL: 300}
			for _, v := range r[1:] {
				s.Records = append(s.Records, `"`+v+`"`)
			}
			sets = append(sets, s)
		}
	}
	return sets
}

func unquoted(records []string) []string {
	var out []string
	for _, r := range records {
		out = append(out, strings.Trim(r, `"`))
	}
	return out
}

func keysQuery() string {
	return "?" + url.Values{"access_key_id": {testID}, "access_key_secret": {testSecret}}.Encode()
}
