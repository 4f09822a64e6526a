package pki

import (
	"crypto/tls"
	"slices"
	"strings"
	"testing"
)

func names(ids []uint16) string {
	var out []string
	for _, id := range ids {
		out = append(out, CipherName(id))
	}
	return strings.Join(out, ":")
}

func TestCipherListsMeanWhatOpenSSLMeans(t *testing.T) {
	const gcm128 = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256"
	const gcm = gcm128 + ":ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384"
	const chacha = "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
	cases := []struct {
		list, want string
		odd        []string // what each note holds
	}{
		{"ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256", nil},
		{"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256", nil},
		{"ECDHE+AESGCM", gcm, nil},
		{"EECDH+AESGCM:EECDH+CHACHA20", gcm + ":" + chacha, nil},
		{"ECDHE+AESGCM:DHE+AESGCM", gcm, []string{"DHE+AESGCM has no effect"}},
		{"ECDHE+AESGCM:!AES256", gcm128, nil},
		{"!AES256:ECDHE+AESGCM", gcm128, nil},
		{"ECDHE+AESGCM:-AES256:ECDHE+AESGCM", gcm, nil},
		{"HIGH:!aNULL:!MD5:!kRSA:!CBC", gcm + ":" + chacha, nil},
		{"ECDHE+AESGCM:@STRENGTH:+AES256", gcm, nil},
		{"ECDHE+AESGCM @SECLEVEL=0", gcm, []string{"@SECLEVEL=0 has no effect"}},
		{"aRSA+AESGCM+ECDHE+AES128", "ECDHE-RSA-AES128-GCM-SHA256", nil},
		{"DES-CBC3-SHA", "DES-CBC3-SHA", nil},
		{"ECDHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256",
			[]string{"DHE-RSA-AES128-GCM-SHA256 has no effect"}},
		{"ECDHE-RSA-AES128-GCM-SHA256:TLS_AES_128_GCM_SHA256:bogus:!", "ECDHE-RSA-AES128-GCM-SHA256",
			[]string{"belongs into tls_ciphersuites", `"bogus" is no cipher suite`, `"" is no cipher suite`}},
	}
	for _, c := range cases {
		ids, odd, err := Ciphers(c.list)
		if err != nil || names(ids) != c.want {
			t.Errorf("%s: %s, %v; want %s", c.list, names(ids), err, c.want)
		}
		if len(odd) != len(c.odd) {
			t.Errorf("%s: notes %q, want %q", c.list, odd, c.odd)
			continue
		}
		for i, want := range c.odd {
			if !strings.Contains(odd[i], want) {
				t.Errorf("%s: note %q, want %q", c.list, odd[i], want)
			}
		}
	}
}

func TestGroupsNeverBringWeakSuites(t *testing.T) {
	for _, list := range []string{"ALL", "DEFAULT", "HIGH", "ECDHE", "RSA", "SHA", "ALL:DEFAULT:CBC"} {
		ids, _, err := Ciphers(list)
		if err != nil || strings.Contains(names(ids), "RC4") || strings.Contains(names(ids), "CBC3") {
			t.Errorf("%s: %s, %v", list, names(ids), err)
		}
	}
	ids, _, _ := Ciphers("DEFAULT")
	for _, s := range tls.InsecureCipherSuites() {
		if slices.Contains(ids, s.ID) {
			t.Errorf("DEFAULT has %s", s.Name)
		}
	}
}

func TestListsThatLeaveNothingAreErrors(t *testing.T) {
	for _, list := range []string{"", ":", "!ALL", "aNULL", "DHE-RSA-AES128-GCM-SHA256", "TLS_AES_128_GCM_SHA256", "HIGH:!HIGH", strings.Repeat("RC4:", 1001)} {
		if ids, _, err := Ciphers(list); err == nil {
			t.Errorf("%.20s: accepted as %s", list, names(ids))
		}
	}
}

func TestEverySuiteOfGoHasAName(t *testing.T) {
	for _, s := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		name := CipherName(s.ID)
		if name == "" {
			t.Errorf("%s has no name", s.Name)
		}
		if slices.Contains(s.SupportedVersions, tls.VersionTLS12) {
			if ids, _, err := Ciphers(name); err != nil || len(ids) != 1 || ids[0] != s.ID {
				t.Errorf("%s: %v, %v", name, ids, err)
			}
		}
	}
	if CipherName(0xffff) != "" {
		t.Error("a suite that does not exist has a name")
	}
}

func TestSuitesOfTLS13(t *testing.T) {
	all := "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
	if odd, err := NewCiphers(all); err != nil || odd != nil {
		t.Error(odd, err)
	}
	odd, err := NewCiphers("TLS_AES_128_CCM_SHA256:TLS_AES_256_GCM_SHA384")
	if err != nil || len(odd) != 2 || !strings.Contains(odd[1], "all cipher suites of TLS 1.3 stay on") {
		t.Error(odd, err)
	}
	if _, err := NewCiphers("AES"); err == nil {
		t.Error("a list without a suite was accepted")
	}
}

func TestVersions(t *testing.T) {
	for text, want := range map[string]string{"tlsv1.1": "TLSv1.1", "TLSv1.3": "TLSv1.3", "TLSv1.2": "TLSv1.2", "TLSv1": "TLSv1.2", "": "TLSv1.2"} {
		if v, known := Version(text); VersionName(v) != want || known != strings.EqualFold(text, want) {
			t.Errorf("%q: %s, %v", text, VersionName(v), known)
		}
	}
}
