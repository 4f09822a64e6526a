package source

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func TestTheSecretOfTheNodesIsLongAndNeverShown(t *testing.T) {
	const secret = "0123456789abcdef0123456789abcdef"
	base := "etcd://localhost:2379/pingap?acme_secret="
	if _, err := Parse(base+secret[:31], Base{}); err == nil || !strings.Contains(err.Error(), "less than 32 characters") || strings.Contains(err.Error(), secret[:31]) {
		t.Errorf("short: %v", err)
	}
	l, err := Parse(base+secret, Base{})
	if err != nil {
		t.Fatal(err)
	}
	if again, err := Parse(l.Conf(), Base{}); err != nil || string(again.Etcd.ACMESecret) != secret {
		t.Errorf("%v, %v", again, err)
	}
	asJSON, err := json.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{string(asJSON), fmt.Sprintf("%v %+v %#v", l, l, l), l.String(), Redact("-c " + base + secret)} {
		if strings.Contains(text, secret) {
			t.Errorf("shown: %s", text)
		}
	}
	var told Location
	if json.Unmarshal(asJSON, &told) != nil || told.Etcd.ACMESecret == "" {
		t.Error("a process that checks the configuration does not know that there is one")
	}
	if state := l.Etcd.ACMEState(); state.Prefix() != "/pingap-state/acme/" || strings.HasPrefix(state.Prefix(), l.Etcd.Prefix()) {
		t.Errorf("%s is in %s", state.Prefix(), l.Etcd.Prefix())
	}
}
