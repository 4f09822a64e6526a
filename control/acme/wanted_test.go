package acme

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pingap/config"
)

func TestWishesAreBroughtIntoOneForm(t *testing.T) {
	w, err := Wanted{Name: "a", Domains: []string{" B.example.com. ", "*.Example.com", "b.example.com", "bücher.example"}, Directory: "lets_encrypt", Challenge: DNS01}.normal()
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"*.example.com", "b.example.com", "xn--bcher-kva.example"}; !slices.Equal(w.Domains, want) {
		t.Errorf("domains %q, want %q", w.Domains, want)
	}
	if w.Directory != LetsEncrypt {
		t.Errorf("directory %s", w.Directory)
	}
	same, err := Wanted{Name: "other", Domains: []string{"bücher.example", "b.example.com", "*.example.com"}, Challenge: DNS01}.normal()
	if err != nil || same.id() != w.id() {
		t.Errorf("the same names are another certificate: %v", err)
	}
	elsewhere := w
	elsewhere.Directory = "https://ca.example/dir"
	if elsewhere.id() == w.id() || elsewhere.accountID() == w.accountID() {
		t.Error("another CA is the same certificate or account")
	}
}

func TestWishesThatCannotBeFulfilledSayWhy(t *testing.T) {
	many := make([]string, 101)
	for i := range many {
		many[i] = fmt.Sprintf("n%d.example.com", i)
	}
	for _, c := range []struct {
		wish Wanted
		want string
	}{
		{Wanted{}, "no domains"},
		{Wanted{Domains: many}, "101 domains, limit 100"},
		{Wanted{Domains: []string{"192.0.2.1"}}, "is an address"},
		{Wanted{Domains: []string{"2001:db8::1"}}, "is an address"},
		{Wanted{Domains: []string{"a b.example"}}, "is no name"},
		{Wanted{Domains: []string{"a.*.example"}}, "is no name"},
		{Wanted{Domains: []string{"*.*.example"}, Challenge: DNS01}, "is no name"},
		{Wanted{Domains: []string{""}}, "is no name"},
		{Wanted{Domains: []string{strings.Repeat("a.", 130) + "example"}}, "is no name"},
		{Wanted{Domains: []string{"*.example.com"}}, "a wildcard needs dns-01"},
		{Wanted{Domains: []string{"a.example"}, Challenge: "http-02"}, `unknown challenge "http-02"`},
		{Wanted{Domains: []string{"a.example"}, Directory: "http://ca.example/dir"}, "not an https URL"},
		{Wanted{Domains: []string{"a.example"}, EABKid: "kid"}, "needs its key id and its key"},
		{Wanted{Domains: []string{"a.example"}, EABKid: "kid", EABKey: "no base64: secret!"}, "is not base64"},
	} {
		_, err := c.wish.normal()
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret!") {
			t.Errorf("%.60v: error %v, want %q", c.wish.Domains, err, c.want)
		}
	}
}

func TestExternalKeysAreReadInEveryAlphabet(t *testing.T) {
	for _, text := range []config.Secret{"-_8", "-_8=", "+/8", "+/8="} {
		key, err := Wanted{EABKey: text}.eabKey()
		if err != nil || string(key) != "\xfb\xff" {
			t.Errorf("%x, %v", key, err)
		}
	}
}

func TestItemsDoNotShowTheirKey(t *testing.T) {
	i := Item{Kind: Certificate, Name: "site", Key: []byte("the secret"), KeyAuth: "the secret"}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		if got := fmt.Sprintf(verb, i); !strings.Contains(got, "site") || strings.Contains(got, "secret") {
			t.Errorf("%s: %s", verb, got)
		}
	}
}
