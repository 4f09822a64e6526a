package dns01

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// each are the providers, with a host that speaks their API and what breaks the adding of a record there.
func each() []struct {
	name, breaks string
	start        func(*host) string
} {
	return []struct {
		name, breaks string
		start        func(*host) string
	}{
		{"cf", "POST", (*host).cloudflare},
		{"ali", "AddDomainRecord", (*host).ali},
		{"tencent", "CreateRecord", (*host).tencent},
		{"huawei", "POST", (*host).huawei},
	}
}

func provider(t *testing.T, name, url string) Provider {
	t.Helper()
	p, err := New(name, url, Options{Client: &http.Client{Timeout: 10 * time.Second}, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestRecordsAreAddedToTheZoneAndRemoved(t *testing.T) {
	for _, c := range each() {
		t.Run(c.name, func(t *testing.T) {
			h := newHost(t)
			p := provider(t, c.name, c.start(h))
			const name = "_acme-challenge.www." + testZone
			cleanUp, err := p.Present(context.Background(), name, []string{"value-1", "value-2"})
			if err != nil {
				t.Fatal(err)
			}
			if got := h.has(name); !slices.Equal(got, []string{"value-1", "value-2"}) {
				t.Errorf("the zone has %q", got)
			}
			if err := cleanUp(context.Background()); err != nil {
				t.Error(err)
			}
			if got := h.has(name); len(got) > 0 {
				t.Errorf("the zone still has %q", got)
			}
		})
	}
}

func TestRecordsOfOthersStay(t *testing.T) {
	for _, c := range each() {
		t.Run(c.name, func(t *testing.T) {
			h := newHost(t)
			const name = "_acme-challenge." + testZone
			h.add(name, "of somebody else")
			p := provider(t, c.name, c.start(h))
			cleanUp, err := p.Present(context.Background(), name, []string{"ours"})
			if err != nil {
				t.Fatal(err)
			}
			if got := h.has(name); !slices.Equal(got, []string{"of somebody else", "ours"}) {
				t.Errorf("the zone has %q", got)
			}
			if err := cleanUp(context.Background()); err != nil {
				t.Error(err)
			}
			if got := h.has(name); !slices.Equal(got, []string{"of somebody else"}) {
				t.Errorf("the zone has %q", got)
			}
		})
	}
}

func TestWrongCredentialsAreRefusedAndNotShown(t *testing.T) {
	for _, c := range each() {
		t.Run(c.name, func(t *testing.T) {
			h := newHost(t)
			p := provider(t, c.name, strings.Replace(c.start(h), testSecret, "wrong-secret", 1))
			_, err := p.Present(context.Background(), "_acme-challenge."+testZone, []string{"v"})
			if err == nil || strings.Contains(err.Error(), "wrong-secret") || errors.Is(err, errNoZone) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestANameOutsideOfEveryZoneIsAnError(t *testing.T) {
	for _, c := range each() {
		t.Run(c.name, func(t *testing.T) {
			h := newHost(t)
			_, err := provider(t, c.name, c.start(h)).Present(context.Background(), "_acme-challenge.example.org", []string{"v"})
			if !errors.Is(err, errNoZone) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestARecordThatCannotBeAddedIsAnError(t *testing.T) {
	for _, c := range each() {
		t.Run(c.name, func(t *testing.T) {
			h := newHost(t)
			h.broken = c.breaks
			cleanUp, err := provider(t, c.name, c.start(h)).Present(context.Background(), "_acme-challenge."+testZone, []string{"v"})
			if err == nil {
				t.Fatal("no error")
			}
			if err := cleanUp(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAProviderThatIsNotThereIsAnErrorWithoutCredentials(t *testing.T) {
	for _, c := range each() {
		t.Run(c.name, func(t *testing.T) {
			url := "http://127.0.0.1:1/" + keysQuery() + "&token=" + testSecret
			_, err := provider(t, c.name, url).Present(context.Background(), "_acme-challenge."+testZone, []string{"v"})
			if err == nil || strings.Contains(err.Error(), testSecret) || strings.Contains(err.Error(), testID) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestServiceURLsAreChecked(t *testing.T) {
	for _, c := range []struct{ provider, url, want string }{
		{"cf", "https://api.cloudflare.com", "token is required"},
		{"ali", "https://alidns.aliyuncs.com?access_key_id=a", "access_key_id or access_key_secret is required"},
		{"tencent", "https://dnspod.tencentcloudapi.com?access_key_secret=secret", "access_key_id or access_key_secret is required"},
		{"huawei", "https://dns.cn-north-1.myhuaweicloud.com", "access_key_id or access_key_secret is required"},
		{"cf", "http://api.cloudflare.com?token=secret", "is no https URL"},
		{"cf", "token=secret", "is no https URL"},
		{"cf", "https://%zz?token=secret", "is no https URL"},
		{"other", "https://example.com?token=secret", "expected one of: ali, cf, tencent, huawei, manual"},
	} {
		_, err := New(c.provider, c.url, Options{})
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "=secret") {
			t.Errorf("%s %s: error %v, want %q", c.provider, c.url, err, c.want)
		}
	}
}
