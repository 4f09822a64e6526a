package control

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"pingap/config"
	"pingap/control/events"
	"pingap/ipc"
)

// hook receives what is sent, as "category level message".
func hook(t *testing.T) (url string, got <-chan string) {
	all := make(chan string, 100)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var e struct{ Category, Level, Message string }
		body, _ := io.ReadAll(r.Body)
		_ = json.Unmarshal(body, &e)
		all <- e.Category + " " + e.Level + " " + e.Message
	}))
	t.Cleanup(server.Close)
	return server.URL, all
}

func told(t *testing.T, got <-chan string) string {
	t.Helper()
	select {
	case text := <-got:
		return text
	case <-time.After(patience):
		t.Fatal("nothing was sent")
		return ""
	}
}

func toHook(conf, url string) string {
	return conf + "\n[basic]\nwebhook = \"" + url + "\"\nwebhook_notifications = [\"reload_config\", \"diff_config\", \"reload_config_fail\", \"worker_exit\", \"restart_fail\"]\n"
}

func TestEventsGoWhereTheNewestConfigurationSays(t *testing.T) {
	firstURL, first := hook(t)
	secondURL, second := hook(t)
	r := newRig(t, toHook(base, firstURL), rigOptions{})
	r.boot()
	u := r.dial()
	r.write(toHook(with(t, "127.0.0.1:9", "127.0.0.1:10"), firstURL))
	u.send(reload)
	r.follow(u)
	if text := told(t, first); text != "reload_config info Upstream(u) is modified" {
		t.Errorf("%q", text)
	}
	if text := told(t, first); !strings.HasPrefix(text, "diff_config info [MODIFIED] upstream:u\n- addrs = ") {
		t.Errorf("%q", text)
	}
	r.write(toHook(with(t, "127.0.0.1:9", "127.0.0.1:10"), secondURL))
	u.send(reload)
	r.follow(u)
	if text := told(t, second); text != "reload_config info Basic is modified" {
		t.Errorf("%q", text)
	}
	if text := told(t, second); text != "diff_config info [MODIFIED] basic\n- webhook = [redacted]\n+ webhook = [redacted]\n" {
		t.Errorf("%q", text)
	}
	r.write("nonsense")
	u.send(reload)
	if text := told(t, second); !strings.HasPrefix(text, "reload_config_fail error reload by uid ") {
		t.Errorf("%q", text)
	}
}

func TestRecordsAreAnsweredAndTold(t *testing.T) {
	url, got := hook(t)
	r := newRig(t, toHook(base, url), rigOptions{})
	r.send(9, ipc.Recorded{Records: []ipc.Record{{Kind: ipc.RecordStart, Result: ipc.RecordDone}, {Kind: ipc.RecordWorker, Result: ipc.RecordDone,
		By: "worker 1 (pid 7)", Reason: "signal: killed", Cut: 3}}}) // before it knows where to
	expect[*ipc.Recorded](r)
	r.boot()
	if text := told(t, got); text != "worker_exit error worker 1 (pid 7): signal: killed, with 3 requests in flight" {
		t.Errorf("%q", text)
	}
	r.send(10, ipc.Recorded{Records: []ipc.Record{{Kind: ipc.RecordRoll, Result: ipc.RecordRefused, By: "roll by uid 0", Reason: "no"}}})
	expect[*ipc.Recorded](r)
	if text := told(t, got); text != "restart_fail error roll by uid 0: no" {
		t.Errorf("%q", text)
	}
}

func TestWhatWasWrongWithACertificateIsToldByItsName(t *testing.T) {
	url, got := hook(t)
	conf := strings.Replace(toHook(base, url), `"reload_config_fail", `, `"parse_certificate_fail", `, 1)
	r := newRig(t, conf, rigOptions{})
	r.boot()
	u := r.dial()
	r.write(conf + "[certificates.shop]\ntls_cert = \"\"\"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n\"\"\"\ntls_key = \"x\"\n")
	u.send(reload)
	if text := told(t, got); !strings.HasPrefix(text, "parse_certificate_fail error ") || !strings.Contains(text, "(shop)") {
		t.Errorf("%q", text)
	}
}

func TestALargeDifferenceIsCut(t *testing.T) {
	var changes config.Changes
	for n := range 10_000 {
		changes = append(changes, config.Change{Kind: config.KindLocation, Name: fmt.Sprint(n), Op: config.Added})
	}
	text := diffText(changes)
	if len(text) > maxDiff+1000 || !strings.Contains(text[len(text)-20:], "more\n") {
		t.Errorf("%d bytes, ends with %q", len(text), text[len(text)-20:])
	}
	if got := diffText(changes[:2]); got != changes[:2].Text() {
		t.Errorf("%q", got)
	}
}

// What is configured and what is sent know the same names.
func TestEventNamesAreThoseOfTheConfiguration(t *testing.T) {
	for _, name := range []string{events.BackendStatus, events.UpstreamStatus, events.ServiceDiscoverFail, events.TLSValidity, events.ParseCertificateFail,
		events.LetsEncrypt, events.DiffConfig, events.ReloadConfig, events.ReloadConfigFail, events.Restart, events.RestartFail, events.WorkerExit,
		events.Rollback, events.Upgrade} {
		text := base + "\n[basic]\nwebhook_notifications = [\"" + name + "\"]\n"
		_, report := config.Load([]config.Document{{Name: "p", Data: []byte(text)}}, config.Options{})
		for _, w := range report.Warnings {
			if strings.Contains(w.String(), "webhook") {
				t.Errorf("%s: %s", name, w)
			}
		}
	}
}
