package config

import (
	"fmt"
	"slices"
	"testing"
)

func TestLabelsOfContainers(t *testing.T) {
	for text, want := range map[string]DockerLabel{
		"app":                     {Key: "app", Weight: 1},
		"app=web":                 {Key: "app", Value: "web", Valued: true, Weight: 1},
		"app=":                    {Key: "app", Valued: true, Weight: 1},
		"com.example/x=a=b:80":    {Key: "com.example/x", Value: "a=b", Valued: true, Port: 80, Weight: 1},
		"app:8080 7":              {Key: "app", Port: 8080, Weight: 7},
		"  app=web:80  3 backup ": {Key: "app", Value: "web", Valued: true, Port: 80, Weight: 3, Backup: true},
		"app=v:1:80":              {Key: "app", Value: "v:1", Valued: true, Port: 80, Weight: 1},
	} {
		if got, err := ParseDockerLabel(text); err != nil || got != want {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", " ", "=web", ":80", "app:", "app:x", "app:0", "app:65536", "app 0", "app 1 spare", "a\x01"} {
		if got, err := ParseDockerLabel(text); err == nil {
			t.Errorf("%q: %+v", text, got)
		}
	}
	u := Upstream{Addrs: []string{"app=web:80", "="}}
	if labels := u.DockerLabels(); len(labels) != 2 || labels[0].Label() != "app=web" || labels[1].Key != "" {
		t.Errorf("%+v", labels)
	}
}

func TestNameServersHavePorts(t *testing.T) {
	got, err := NameServers(" 1.1.1.1, 10.0.0.1:5353,::1 ,[::1]:54,")
	if text := fmt.Sprint(got); err != nil || text != "[1.1.1.1:53 10.0.0.1:5353 [::1]:53 [::1]:54]" {
		t.Errorf("%s, %v", text, err)
	}
	for _, text := range []string{"ns.test", "1.1.1.1:", "1.1.1.1:0", "1.1.1.1:x", "1.1.1.1;2.2.2.2"} {
		if got, err := NameServers(text); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestNamesOfServicesAndDomainsToSearch(t *testing.T) {
	for name, want := range map[string]bool{"_http._tcp.a.test": true, "_http._tcp": true, "_http.tcp.test": false, "a._tcp.test": false,
		"_._tcp": false, "_a": false, "": false, "_a._": false} {
		if IsService(name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
	u := Upstream{DNSSearch: " a.test., b.test", DNSDomain: ".c.test"}
	if got := u.SearchDomains(); !slices.Equal(got, []string{"a.test", "b.test", "c.test"}) {
		t.Errorf("%q", got)
	}
}
