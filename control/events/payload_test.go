package events

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"pingap/config"
)

func TestPayloadsOfEachType(t *testing.T) {
	from := place{host: "web-1", ip: "10.0.0.7;2001:db8::7"}
	e := Event{Category: BackendStatus, Level: Error, Title: "Upstream backend status changed", Message: `upstream api(10.0.0.9:80) becomes "unhealthy" <b>&`}.tidy()
	for _, c := range []struct{ form, want string }{
		{"", `{"name":"pingap","level":"error","hostname":"web-1","ip":"10.0.0.7;2001:db8::7","category":"backend_status",` +
			`"message":"upstream api(10.0.0.9:80) becomes \"unhealthy\" <b>&"}`},
		{"normal", `{"name":"pingap","level":"error","hostname":"web-1","ip":"10.0.0.7;2001:db8::7","category":"backend_status",` +
			`"message":"upstream api(10.0.0.9:80) becomes \"unhealthy\" <b>&"}`},
		{"WeCom", `{"msgtype":"markdown","markdown":{"content":" <font color=\"warning\">pingap(error)</font>\n >title: Upstream backend status changed` +
			`\n >hostname: web-1\n >ip: 10.0.0.7;2001:db8::7\n >category: backend_status\n >message: upstream api(10.0.0.9:80) becomes \"unhealthy\" &lt;b&gt;&amp;"}}`},
		{"DINGTALK", `{"msgtype":"markdown","markdown":{"title":"backend_status","text":" <font color=\"warning\">pingap(error)</font>\n >title: Upstream backend status changed` +
			`\n >hostname: web-1\n >ip: 10.0.0.7;2001:db8::7\n >category: backend_status\n >message: upstream api(10.0.0.9:80) becomes \"unhealthy\" &lt;b&gt;&amp;"}}`},
		{"Slack", `{"text":"pingap(error): Upstream backend status changed\nhostname: web-1\nip: 10.0.0.7;2001:db8::7\ncategory: backend_status` +
			`\nmessage: upstream api(10.0.0.9:80) becomes \"unhealthy\" &lt;b&gt;&amp;"}`},
	} {
		got, err := payload(c.form, e, from)
		if err != nil || string(got) != c.want {
			t.Errorf("%q: %v\n got %s\nwant %s", c.form, err, got, c.want)
		}
	}
	e.Level = Info
	if got, _ := payload("wecom", e, from); !strings.Contains(string(got), `<font color=\"comment\">pingap(info)</font>`) {
		t.Errorf("info: %s", got)
	}
}

// The general form is for programs, which know it as it is.
func TestTheNameOfAnInstanceIsALineForPeople(t *testing.T) {
	e := Event{Category: WorkerExit, Level: Error, Title: "Worker exit", Message: "worker 0 ended"}.tidy()
	from := place{host: "web-1", ip: "10.0.0.7", name: Of(&config.Basic{Name: " shop\n<eu> "}).Name}
	for form, want := range map[string]string{
		"wecom":    `\n >title: Worker exit\n >name: shop &lt;eu&gt;\n >hostname: web-1\n`,
		"dingtalk": `\n >title: Worker exit\n >name: shop &lt;eu&gt;\n >hostname: web-1\n`,
		"slack":    `pingap(error): Worker exit\nname: shop &lt;eu&gt;\nhostname: web-1\n`,
		"":         `{"name":"pingap","level":"error","hostname":"web-1",`,
	} {
		if got, err := payload(form, e, from); err != nil || !strings.Contains(string(got), want) {
			t.Errorf("%q: %v\n got %s\nwant %s", form, err, got, want)
		}
	}
	if got := Of(&config.Basic{Name: strings.Repeat("é", 500)}).Name; len(got) > maxName || !utf8.ValidString(got) {
		t.Errorf("%d bytes", len(got))
	}
}

func TestLinesOfAMessageStayInTheQuotation(t *testing.T) {
	e := Event{Category: DiffConfig, Level: Info, Message: "[MODIFIED] basic\r\n- a\n+ b"}.tidy()
	got := markdown(e, place{}, maxWecom)
	if !strings.HasSuffix(got, "\n >message: [MODIFIED] basic\n >- a\n >+ b") {
		t.Errorf("%q", got)
	}
	if got := markdown(Event{Level: Info, Message: "[pay](http://evil.test) ![x][y]"}, place{}, maxWecom); strings.Contains(got, "](") || strings.Contains(got, "][") {
		t.Errorf("a link: %q", got)
	}
}

func TestALongMessageIsCutToWhatServicesTake(t *testing.T) {
	e := Event{Category: DiffConfig, Level: Info, Message: strings.Repeat("é<&\n", 5000)}.tidy()
	if len(e.Message) > maxMessage || !utf8.ValidString(e.Message) {
		t.Errorf("%d bytes", len(e.Message))
	}
	p := place{host: "h", ip: "1.2.3.4"}
	for most, text := range map[int]string{maxWecom: markdown(e, p, maxWecom), maxDingtalk: markdown(e, p, maxDingtalk), maxSlack: slackText(e, p)} {
		if len(text) > most || len(text) < most/2 || !utf8.ValidString(text) || strings.Contains(strings.ReplaceAll(strings.ReplaceAll(strings.ReplaceAll(text, "&lt;", ""), "&amp;", ""), "&gt;", ""), "&") {
			t.Errorf("%d: %d bytes, ends with %q", most, len(text), text[max(0, len(text)-20):])
		}
	}
}

// FuzzPayload: whatever is in names and messages, the payload is JSON of the right shape, and what it shows is text.
func FuzzPayload(f *testing.F) {
	f.Add("wecom", "title", "a\nb", "host", "1.2.3.4")
	f.Add("slack", "<!channel>", "<@U1|x> & <http://e|y>", "", "")
	f.Add("dingtalk", "\xff\"}", "[x](http://e)\r\n# big\u202e</font><font>", "h\n", ";")
	f.Add("normal", "\x00", strings.Repeat("<", 5000), "h", "i")
	f.Fuzz(func(t *testing.T, form, title, message, host, ip string) {
		e := Event{Category: ReloadConfig, Level: Warn, Title: title, Message: message}.tidy()
		body, err := payload(form, e, place{host: clip(clean(host), 64), ip: clip(clean(ip), 64)})
		if err != nil || !utf8.Valid(body) {
			t.Fatalf("%v: %q", err, body)
		}
		var got struct {
			Type     string `json:"msgtype"`
			Message  *string
			Text     *string
			Markdown struct{ Content, Text string }
		}
		if err := json.Unmarshal(body, &got); err != nil {
			t.Fatalf("%v: %q", err, body)
		}
		switch strings.ToLower(form) {
		case typeSlack:
			if got.Text == nil || strings.ContainsAny(*got.Text, "<>") {
				t.Fatalf("slack: %q", body)
			}
		case typeWecom, typeDingtalk:
			text := got.Markdown.Content + got.Markdown.Text
			first, rest, _ := strings.Cut(text, "\n")
			if got.Type != "markdown" || first != ` <font color="warning">pingap(warn)</font>` || strings.ContainsAny(rest, "<\r") || strings.Contains(rest, "](") {
				t.Fatalf("markdown: %q", text)
			}
			for _, line := range strings.Split(rest, "\n") {
				if !strings.HasPrefix(line, " >") || strings.Contains(line[2:], ">") {
					t.Fatalf("outside of the quotation: %q", text)
				}
			}
		default:
			if got.Message == nil || *got.Message != e.Message {
				t.Fatalf("general: %q", body)
			}
		}
	})
}
