package config

import (
	"encoding/base64"
	"strings"
	"testing"
)

func TestTLSToBackendsIsJudged(t *testing.T) {
	mine, other := pairFor(t, ecKey(t), nil), pairFor(t, ecKey(t), nil)
	disk := map[string]string{"ca.pem": mine.cert, "c.pem": mine.cert, "c.key": mine.key, "other.key": other.key, "empty": ""}
	based := base64.StdEncoding.EncodeToString([]byte(mine.key))
	for _, c := range []struct {
		name, keys     string
		errors, warned []string
	}{
		{"all of it", "sni='a.test'\nca='ca.pem'\nclient_cert='c.pem'\nclient_key='c.key'", nil, nil},
		{"inline", "sni='$host'\nca='''" + mine.cert + "'''\nclient_cert='''" + mine.cert + "'''\nclient_key='" + based + "'", nil, nil},
		{"an address as name", "sni='10.0.0.1'", nil, nil},
		{"no sni", "ca='ca.pem'", nil, []string{"ca: no effect without sni"}},
		{"nothing is verified", "sni='a'\nverify_cert=false\nca='ca.pem'", nil, []string{"ca: no effect with verify_cert"}},
		{"odd alpn", "sni='a'\nalpn='h3'", nil, []string{`alpn: unknown alpn "h3"`}},
		{"no file", "sni='a'\nca='none.pem'", []string{"ca: none.pem does not exist"}, nil},
		{"a key as CA", "sni='a'\nca='c.key'", []string{"ca: /abs/c.key"}, nil},
		{"an empty file", "sni='a'\nca='empty'", []string{"ca: /abs/empty"}, nil},
		{"another key", "sni='a'\nclient_cert='c.pem'\nclient_key='other.key'", []string{"client_key: /abs/other.key: the private key does not belong"}, nil},
		{"a certificate as key", "sni='a'\nclient_cert='c.pem'\nclient_key='c.pem'", []string{"client_key: /abs/c.pem"}, nil},
		{"a key as certificate", "sni='a'\nclient_cert='c.key'\nclient_key='c.key'", []string{"client_cert: /abs/c.key"}, nil},
	} {
		_, report := loadText(t, "[upstreams.u]\naddrs=['127.0.0.1']\n"+c.keys+"\n", reads(disk))
		failed := lines(report.Errors)
		if len(report.Errors) != len(c.errors) {
			t.Errorf("%s: %s", c.name, failed)
		}
		for _, want := range c.errors {
			if !strings.Contains(failed, want) {
				t.Errorf("%s: %q, want %q", c.name, failed, want)
			}
		}
		warned := lines(report.Warnings)
		for _, want := range c.warned {
			if !strings.Contains(warned, want) {
				t.Errorf("%s: %q, want %q", c.name, warned, want)
			}
		}
		for _, secret := range []string{"PRIVATE", based[40:80]} {
			if strings.Contains(failed+warned, secret) {
				t.Errorf("%s: a key is shown: %s", c.name, failed+warned)
			}
		}
	}
}
