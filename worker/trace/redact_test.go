package trace

import "testing"

func TestSpansHideWhatTheConfigurationHides(t *testing.T) {
	hidden := []string{"Card", "e-mail"}
	for _, c := range []struct{ query, want string }{
		{"", ""},
		{"a=1&b=2", "a=1&b=2"},
		{"card=4111&a=1", "card=REDACTED&a=1"},
		{"a=1;CARD=4111#x", "a=1;CARD=REDACTED#x"},
		{"c%61rd=4111", "c%61rd=REDACTED"},
		{"e%2Dmail=a%40b", "e%2Dmail=REDACTED"},
		{"card=&card", "card=&card"},
		{"cards=1&xcard=2", "cards=1&xcard=2"},
		{"%zz=1&card=2&", "%zz=1&card=REDACTED&"},
		{"access_token=x&sig=y", "access_token=REDACTED&sig=REDACTED"}, // hidden in any case
		{"a=\xff", "a=\ufffd"},
	} {
		if got := redactQuery(c.query, hidden); got != c.want {
			t.Errorf("%q: %q, want %q", c.query, got, c.want)
		}
	}
	if got := redactQuery("card=1", nil); got != "card=1" {
		t.Errorf("nothing is to be hidden: %q", got)
	}
}

func FuzzRedactQuery(f *testing.F) {
	f.Add("a=1&card=2;b=3")
	f.Add("card=%zz&&;=#")
	f.Fuzz(func(t *testing.T, query string) {
		for _, c := range []string{redactQuery(query, nil), redactQuery(query, []string{"card"})} {
			if len(c) > 10*len(query)+10 {
				t.Errorf("%q became %q", query, c)
			}
		}
		if got := redactQuery("card="+query, []string{"card"}); len(query) > 0 && query[0] > ' ' && query[0] < 0x7f && query[0] != '&' && query[0] != ';' && query[0] != '#' && got[:13] != "card=REDACTED" {
			t.Errorf("%q", got)
		}
	})
}
