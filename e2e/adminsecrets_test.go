package e2e

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// secretKeys are values for every key that is secret, by category and key; of plugins by their category, and with what else they need.
func secretKeys(key string) (tree map[string]string, plugins map[string]string) {
	quoted := "'''" + key + "'''"
	tree = map[string]string{
		"basic webhook": `"https://example.org/hush1"`, "basic webhook_secret": `"hush2"`, "basic sentry": `"https://hush3@example.org/1"`,
		"basic pyroscope": `"https://hush4:hush4@example.org/"`, "server prometheus_metrics": `"http://u:hush5@127.0.0.1:1/push?interval=1h"`,
		"server otlp_exporter": `"http://127.0.0.1:1/v1/traces?headers=authorization:hush6"`, "upstream client_key": quoted, "certificate tls_key": quoted,
		"certificate acme_eab_hmac": `"aHVzaDc"`, "certificate dns_service_url": `"https://example.org?token=hush8"`,
		"storage value": `"hush9"`, "storage secret": `"hush10"`,
	}
	plugins = map[string]string{
		"basic_auth authorizations":           `authorizations = ["aHVzaDExOmh1c2gxMQ=="]`,
		"combined_auth authorizations.secret": "[[plugins.combined_auth.authorizations]]\napp_id = \"a\"\nsecret = \"hush12\"\ndeviation = 60",
		"csrf key":                            "key = \"hush13hush13hush13hush13hush13hush13\"\ntoken_path = \"/token\"",
		"jwt secret":                          "secret = \"hush14hush14hush14hush14hush14hush14\"\nheader = \"Authorization\"\nauth_path = \"/login\"",
		"key_auth keys":                       "header = \"X-Key\"\nkeys = [\"hush15\", \"hush16\"]",
		"limit storage":                       "type = \"rate\"\ntag = \"ip\"\nmax = 10\ninterval = \"1s\"\nstorage = \"redis://u:hush17@127.0.0.1:1/0\"",
	}
	return tree, plugins
}

// schemaKey is what the test needs of a key of the schema.
type schemaKey struct {
	Name   string      `json:"name"`
	Secret bool        `json:"secret"`
	Keys   []schemaKey `json:"keys"`
}

type schema struct {
	Categories []struct {
		Name  string      `json:"name"`
		Table string      `json:"table"`
		Keys  []schemaKey `json:"keys"`
	} `json:"categories"`
	Plugins []struct {
		Category string      `json:"category"`
		Keys     []schemaKey `json:"keys"`
	} `json:"plugins"`
}

func secretsOf(keys []schemaKey, prefix string) (names []string) {
	for _, k := range keys {
		if k.Secret {
			names = append(names, prefix+k.Name)
		}
		names = append(names, secretsOf(k.Keys, prefix+k.Name+".")...)
	}
	return names
}

func TestNoEndpointTellsASecret(t *testing.T) {
	t.Parallel()
	ca := newIdentity(t, nil, "ca.test")
	pair := newIdentity(t, ca, "a.test")
	tree, plugins := secretKeys(pair.pem)
	conf := confOfSecrets(t, tree, plugins, pair.cert)
	i := launchedWithoutACME(t, conf)
	i.hand(i.conf)
	a := i.admin()

	s := answered[schema](a, 200, "GET", "/schema", "")
	for _, c := range s.Categories {
		for _, name := range secretsOf(c.Keys, c.Name+" ") {
			if tree[name] == "" {
				t.Errorf("the secret key %s is not in this test", name)
			}
		}
	}
	for _, p := range s.Plugins {
		for _, name := range secretsOf(p.Keys, p.Category+" ") {
			if plugins[name] == "" {
				t.Errorf("the secret parameter %s is not in this test", name)
			}
		}
	}

	private := strings.Split(strings.TrimSpace(pair.pem), "\n")[1]
	check := func(what string, r apiReply) {
		for _, word := range []string{"hush", "aHVzaD", private, "BEGIN PRIVATE"} {
			if strings.Contains(r.body, word) {
				t.Errorf("%s tells %q: %s", what, word, tail(r.body, 3000))
			}
		}
	}
	for _, path := range append(readings(a), objectPaths(a)...) {
		r := a.ask("GET", path, "")
		if check("GET "+path, r); r.status != 200 {
			t.Errorf("GET %s: %d %s", path, r.status, tail(r.body, 300))
		}
	}
	changesOfSecrets(a, check)
}

// readings are all paths that answer a GET at once.
func readings(*admin) []string {
	paths := []string{"/schema", "/objects", "/versions", "/versions/1", "/versions/1/diff?to=1", "/status", "/ledger", "/inventory", "/upstreams", "/configs", "/configs/full",
		"/certificates", "/basic", "/live"}
	for _, c := range []string{"basic", "server", "location", "upstream", "plugin", "certificate", "storage"} {
		paths = append(paths, "/configs/"+c)
	}
	return paths
}

// objectPaths are the paths of all objects.
func objectPaths(a *admin) (paths []string) {
	a.t.Helper()
	type list struct {
		Objects []struct{ Category, Name string } `json:"objects"`
	}
	for _, o := range answered[list](a, 200, "GET", "/objects", "").Objects {
		paths = append(paths, "/objects/"+o.Category+"/"+url.PathEscape(o.Name), "/config-history/"+o.Category+"/"+url.PathEscape(o.Name))
	}
	if len(paths) < 20 {
		a.t.Fatalf("only %q", paths)
	}
	return paths
}

// changesOfSecrets makes changes that come with what was shown, and looks at what is said of them.
func changesOfSecrets(a *admin, check func(string, apiReply)) {
	a.t.Helper()
	type object struct {
		Category, Name, TOML string
		Value                map[string]any
	}
	for _, path := range objectPaths(a) {
		if !strings.HasPrefix(path, "/objects/") {
			continue
		}
		o := answered[object](a, 200, "GET", path, "")
		body := fmt.Sprintf(`{"set":{%q:{%q:%s}}}`, o.Category, o.Name, jsonOf(a.t, o.Value))
		r := a.ask("POST", "/changes?dry_run", body)
		check("a preview of "+path, r)
		if r.status != 200 || !strings.Contains(r.body, `"changes":[]`) || !strings.Contains(r.body, `"text":""`) {
			a.t.Errorf("what %s shows does not mean the same when it comes back: %s", path, tail(r.body, 2000))
		}
		r = a.ask("POST", "/changes?dry_run", fmt.Sprintf(`{"toml":{%q:{%q:%s}}}`, o.Category, o.Name, jsonOf(a.t, o.TOML)))
		check("a preview of the text of "+path, r)
		if r.status != 200 || !strings.Contains(r.body, `"changes":[]`) {
			a.t.Errorf("the text that %s shows does not mean the same when it comes back: %s", path, tail(r.body, 2000))
		}
	}
	for _, body := range []string{
		`{"set":{"basic":{"basic":{"webhook":["hush"],"webhook_secret":7}}}}`,
		`{"set":{"certificate":{"files":{"tls_key":"-----BEGIN PRIVATE KEY----- hush"}}}}`,
		`{"set":{"certificate":{"fresh":{"tls_key":"***"}}}}`,
		`{"set":{"plugin":{"limit":{"category":"limit","storage":"hush://"},"jwt":{"category":"jwt","secret":["hush"]}}}}`,
		`{"toml":{"plugin":{"jwt":"[plugins.jwt]\nsecret = hush\n"}}}`,
	} {
		r := a.ask("POST", "/changes", body)
		if check("the refusal of "+body, r); r.status != 422 {
			a.t.Errorf("%s: %+v", body, r)
		}
	}
}

// confOfSecrets is a configuration with all of them.
func confOfSecrets(t *testing.T, tree, plugins map[string]string, cert string) string {
	t.Helper()
	key := func(name string) string {
		_, k, _ := strings.Cut(name, " ")
		return k + " = " + tree[name] + "\n"
	}
	quoted := "'''" + cert + "'''\n"
	var b strings.Builder
	b.WriteString("[basic]\n# webhook_secret = \"hush0\"\n" + key("basic webhook") + key("basic webhook_secret") + key("basic sentry") + key("basic pyroscope"))
	fmt.Fprintf(&b, "[servers.web]\naddr = %q\nlocations = [\"all\"]\n", freePort(t))
	b.WriteString(key("server prometheus_metrics") + key("server otlp_exporter"))
	b.WriteString("[upstreams.app]\naddrs = [\"127.0.0.1:1\"]\nsni = \"a\"\nclient_cert = " + quoted + key("upstream client_key"))
	b.WriteString("[locations.all]\npath = \"/\"\nupstream = \"app\"\nproxy_set_headers = [\"Authorization: Bearer hush\"]\nincludes = [\"included\"]\nplugins = [")
	var names []string
	var tables strings.Builder
	for name, keys := range plugins {
		category, _, _ := strings.Cut(name, " ")
		names = append(names, fmt.Sprintf("%q", category))
		fmt.Fprintf(&tables, "[plugins.%s]\ncategory = %q\n%s\n", category, category, keys)
	}
	slices.Sort(names)
	b.WriteString(strings.Join(names, ", ") + "]\n" + tables.String())
	b.WriteString("[certificates.files]\ntls_cert = " + quoted + key("certificate tls_key"))
	b.WriteString("[certificates.ca]\ndomains = \"b.test\"\nacme = \"https://127.0.0.1:1/\"\nacme_eab_kid = \"k\"\ndns_challenge = true\ndns_provider = \"cf\"\n" +
		key("certificate acme_eab_hmac") + key("certificate dns_service_url"))
	b.WriteString("[storages.s]\ncategory = \"secret\"\n" + key("storage value") + key("storage secret"))
	b.WriteString("[storages.included]\ncategory = \"config\"\nvalue = '''\n# hush = token = hush\nproxy_add_headers = [\"X-Token: hush\"]\n'''\n")
	return strings.ReplaceAll(b.String(), "# hush = token = hush", "# token = hush")
}

// launchedWithoutACME serves a configuration, and asks no CA for anything.
func launchedWithoutACME(t *testing.T, conf string) *instance {
	t.Helper()
	t.Helper()
	dir := workDir(t)
	path := dir + "/p.toml"
	write(t, path, conf)
	i := launchAs(t, dir, withEnv("PINGAP_DISABLE_ACME=1"), "-c", path, "--workers", "1")
	i.conf = path
	i.waitRunning()
	return i
}

// withEnv adds variables to the environment of a command.
func withEnv(variables ...string) func(*exec.Cmd) {
	return func(cmd *exec.Cmd) { cmd.Env = append(os.Environ(), variables...) }
}

func jsonOf(t *testing.T, value any) string {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
