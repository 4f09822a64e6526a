package config

import (
	"strings"
	"testing"
)

func TestFilesOfALogCollector(t *testing.T) {
	c, err := ParseLogCollector("otlp+https://host?ca=/etc/ca.pem&headers_file=/etc/pingap/headers")
	if err != nil || c.CA != "/etc/ca.pem" || c.HeadersFile != "/etc/pingap/headers" || !c.Secure {
		t.Errorf("%+v, %v", c, err)
	}
	if c, err := ParseLogCollector("otlp+grpc://host?headers_file=/h"); err != nil || c.HeadersFile != "/h" {
		t.Errorf("%+v, %v", c, err)
	}
	for url, want := range map[string]string{
		"otlp+grpc://host?ca=/etc/ca.pem":         "otlp+grpcs and otlp+https",
		"otlp+https://host?ca=ca.pem":             "absolute path",
		"otlp+https://host?headers_file=":         "absolute path",
		"otlp+https://host?headers=authorization": "ca or headers_file",
	} {
		if _, err := ParseLogCollector(url); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", url, err)
		}
	}
}
