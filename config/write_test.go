package config

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// rewritten loads what Write makes of a configuration.
func rewritten(t *testing.T, c *Config) *Config {
	t.Helper()
	return mustLoad(t, string(Write(c, true)))
}

func TestWhatIsWrittenLoadsAsTheSame(t *testing.T) {
	sample, err := os.ReadFile("testdata/sample.toml")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"sample": string(sample),
		"empty":  "",
		"odd names and texts": `
[basic]
error_template = "a \"b\" \\ \n\t\u0001\u007f é"
webhook = "https://user:pass@example.org/?token=x"
[upstreams."a.b c"]
addrs = ["127.0.0.1"]
connection_timeout = "1h 1ms"
[locations."quoted \" name"]
path = '~^/\d+\.(png|jpg)$'
upstream = "a.b c"
client_max_body_size = "3mib"
[plugins.p]
category = "limit"
whole = 1.0
large = 1e30
tiny = 1e-7
infinite = inf
negative = -inf
number = -3
yes = true
at = 2024-05-06T07:08:09.5Z
nothing = []
list = ["a", 1, 2.5, [true], { "odd key" = "x" }]
rules = [{ tag = "ip" }, { tag = "ip", n = 1 }]
[plugins.p.below]
deep = { x = { y = "" } }
`,
	} {
		c := mustLoad(t, text)
		before, sum := Encode(c)
		after, again := Encode(rewritten(t, c))
		if !bytes.Equal(before, after) || sum != again {
			t.Errorf("%s: written and loaded it is another configuration:\n%s", name, Write(c, true))
		}
		opened, err := open(t, c).Config()
		if err != nil {
			t.Fatal(err)
		}
		if _, again := Encode(rewritten(t, opened)); sum != again {
			t.Errorf("%s: out of a snapshot it is another configuration:\n%s", name, Write(opened, true))
		}
	}
}

func TestSecretsAreWrittenOnlyOnRequest(t *testing.T) {
	c := mustLoad(t, `
[basic]
webhook = "https://hooks.example.org/hidden-1"
[upstreams.u]
addrs = ["127.0.0.1"]
[locations.l]
upstream = "u"
proxy_set_headers = ["Authorization:hidden-2", "X-Plain:shown"]
[plugins.p]
category = "limit"
password = "hidden-3"
accounts = ["token:hidden-4"]
tokens = ["hidden-5", { inner = "hidden-6", on = true, n = 5 }]
backend = "http://user:hidden-7@example.org/"
[certificates.c]
tls_key = "hidden-8"
`)
	clear := string(Write(c, true))
	if n := strings.Count(clear, "hidden-"); n != 8 {
		t.Errorf("%d secrets of 8 in:\n%s", n, clear)
	}
	redacted := Write(c, false)
	if strings.Contains(string(redacted), "hidden-") || !strings.Contains(string(redacted), "X-Plain:shown") {
		t.Errorf("without secrets:\n%s", redacted)
	}
	if p := mustLoad(t, string(redacted)).Plugins["p"]; len(p.Params["tokens"].([]any)) != 2 {
		t.Errorf("types have changed: %v", p.Params)
	}
}
