package config

import (
	"strings"
	"testing"
)

func TestAWebhookThatCannotWorkIsWarnedAbout(t *testing.T) {
	for _, c := range []struct{ basic, want string }{
		{`webhook = "https://user:hidden@hooks.test/x?key=hidden"` + "\n" + `webhook_notifications = ["worker_exit"]` + "\n" + `webhook_type = "WeCom"`, ""},
		{`webhook = "ftp://user:hidden@hooks.test/x"` + "\n" + `webhook_notifications = ["upgrade"]`, "basic.webhook: expected a URL with http:// or https://"},
		{`webhook = "http://"` + "\n" + `webhook_notifications = ["upgrade"]`, "basic.webhook: expected a URL"},
		{`webhook = "http://%zz/hidden"` + "\n" + `webhook_notifications = ["upgrade"]`, "basic.webhook: expected a URL"},
		{`webhook = "http://hooks.test"`, "basic.webhook: nothing is sent: webhook_notifications lists no event"},
		{`webhook_type = "wecomm"`, `did you mean "wecom"?`},
		{`webhook_notifications = ["worker_exit", "relod_config"]`, `webhook_notifications[1]: there is no event relod_config, did you mean "reload_config"?`},
	} {
		_, report := Load([]Document{{Name: "p.toml", Data: []byte("[basic]\n" + c.basic + "\n")}}, testOptions())
		if len(report.Errors) > 0 {
			t.Errorf("%s: %s", c.basic, lines(report.Errors))
		}
		got := lines(report.Warnings)
		if c.want == "" && got != "" || !strings.Contains(got, c.want) || strings.Contains(got, "hidden") {
			t.Errorf("%s: got %q, want %q", c.basic, got, c.want)
		}
	}
}
