package message

import (
	"net/netip"
	"os"
	"testing"
)

func testEnv(name string) (string, bool) {
	value, ok := map[string]string{"POD": "pod-7", "BAD": "a\r\nX-Evil: 1", "version": "env"}[name]
	return value, ok
}

func TestValueOfVariables(t *testing.T) {
	hostname, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	r := fullRecord(Now())
	r.Captures = append(r.Captures, Capture{Name: "version", Value: []byte("v2")}, Capture{Name: "none"})
	f := &r.Request.Fields
	f.Add("X-Forwarded-For", []byte("203.0.113.1"))
	f.Add("x_odd_name", []byte("verbatim"))
	f.Add("X-Odd-Name", []byte("dashes"))
	f.Add("X-Empty", nil)
	cases := []struct{ text, want string }{
		{"", ""}, {"fixed", "fixed"}, {"$", "$"}, {":", ":"}, {"a$host", "a$host"},
		{"$host:80", "$host:80"}, {" $host", " $host"}, {"$Host", "$Host"},
		{"$host", "example.com"}, {"$scheme", "https"}, {"$hostname", hostname},
		{"$remote_addr", "192.0.2.7"}, {"$remote_port", "50123"},
		{"$server_addr", "198.51.100.1"}, {"$server_port", "8443"},
		{"$upstream_addr", "10.0.0.1:80"},
		{"$proxy_add_x_forwarded_for", "203.0.113.1, 192.0.2.7"},
		{"$http_User-Agent", "curl/8"}, {"$http_user_agent", "curl/8"},
		{"$http_x_odd_name", "verbatim"}, {"$http_x_empty", ""},
		{"$http_x_absent", "$http_x_absent"}, {"$http_", "$http_"},
		{"$version", "v2"}, {"$none", ""}, {"$POD", "pod-7"}, {"$BAD", "$BAD"}, {"$UNSET", "$UNSET"},
		{":location", "api"}, {":connection_id", "42"}, {":upstream_connect_time_human", "5ms"},
		{":unknown", ":unknown"},
	}
	for _, c := range cases {
		v := CompileValue(c.text, testEnv)
		if got := string(v.Append([]byte("<"), r)); got != "<"+c.want {
			t.Errorf("%q = %q, want %q", c.text, got, "<"+c.want)
		}
	}
}

func TestValueWithoutItsSourceIsTheLiteralText(t *testing.T) {
	r := &Record{Conn: &Conn{}}
	r.Reset()
	for _, text := range []string{"$host", "$remote_addr", "$remote_port", "$server_addr", "$server_port",
		"$upstream_addr", "$proxy_add_x_forwarded_for", "$version", ":location", ":tls_version",
		":cache_lock_time"} {
		v := CompileValue(text, nil)
		if got := string(v.Append(nil, r)); got != text {
			t.Errorf("%q = %q", text, got)
		}
	}
}

// Who reads such a field takes it for the client's: without a certificate it is empty, and never the text of the configuration.
func TestValueOfTheClientsCertificateIsEmptyWithoutOne(t *testing.T) {
	full := fullRecord(Now())
	for _, conn := range []*Conn{{}, {TLS: &TLS{}}} {
		r := &Record{Conn: conn}
		r.Reset()
		for name, want := range map[string]string{"tls_client_subject": "CN=c", "tls_client_fingerprint": "00ff"} {
			for _, sign := range []string{"$", ":"} {
				v := CompileValue(sign+name, func(string) (string, bool) { return "from the environment", true })
				if got := string(v.Append(nil, r)); got != "" {
					t.Errorf("%s%s = %q", sign, name, got)
				}
				if got := string(v.Append(nil, full)); got != want {
					t.Errorf("%s%s = %q, want %q", sign, name, got, want)
				}
			}
		}
	}
}

func TestValueOfForwardedForKeepsEveryField(t *testing.T) {
	cases := []struct {
		fields []string
		remote string
		want   string
	}{
		{nil, "192.0.2.7", "192.0.2.7"},
		{[]string{""}, "192.0.2.7", "192.0.2.7"},
		{[]string{"1.1.1.1", "2.2.2.2, 3.3.3.3"}, "192.0.2.7", "1.1.1.1, 2.2.2.2, 3.3.3.3, 192.0.2.7"},
		{[]string{"1.1.1.1"}, "", "1.1.1.1"},
	}
	v := CompileValue("$proxy_add_x_forwarded_for", nil)
	for _, c := range cases {
		r := &Record{Conn: &Conn{RemoteText: []byte(c.remote)}}
		r.Reset()
		for _, value := range c.fields {
			r.Request.Fields.Add("X-Forwarded-For", []byte(value))
		}
		if got := string(v.Append(nil, r)); got != c.want {
			t.Errorf("%q from %q = %q, want %q", c.fields, c.remote, got, c.want)
		}
	}
}

func TestValueOfIPv6AddressHasNoBrackets(t *testing.T) {
	r := &Record{Conn: &Conn{Local: netip.MustParseAddrPort("[2001:db8::1]:80")}}
	r.Reset()
	v := CompileValue("$server_addr", nil)
	if got := string(v.Append(nil, r)); got != "2001:db8::1" {
		t.Errorf("server address %q", got)
	}
}

func TestValueAllocatesNothing(t *testing.T) {
	r := fullRecord(Now())
	r.Captures = append(r.Captures, Capture{Name: "version", Value: []byte("v2")})
	texts := []string{"fixed", "$host", "$scheme", "$remote_addr", "$remote_port", "$server_addr", "$server_port",
		"$upstream_addr", "$proxy_add_x_forwarded_for", "$http_user_agent", "$version", "$POD", ":service_time"}
	values := make([]Value, 0, len(texts))
	for _, text := range texts {
		values = append(values, CompileValue(text, testEnv))
	}
	dst := make([]byte, 0, 4096)
	allocs := testing.AllocsPerRun(100, func() {
		dst = dst[:0]
		for i := range values {
			dst = values[i].Append(dst, r)
		}
	})
	if allocs != 0 || len(dst) == 0 {
		t.Errorf("%v allocations", allocs)
	}
}
