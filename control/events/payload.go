package events

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// Forms of a payload, as webhook_type has them in small letters; any other word is the general one.
const (
	typeWecom    = "wecom"
	typeDingtalk = "dingtalk"
	typeSlack    = "slack"
)

// Longest texts that the services take, in bytes.
const (
	maxWecom    = 4096
	maxDingtalk = 18_000
	maxSlack    = 12_000
)

// place says where an event comes from.
type place struct {
	host string
	ip   string // "v4;v6", of those that there are
	name string // of the instance, as its configuration has it; empty for none
}

// general has its fields in the order of the original.
type general struct {
	Name     string `json:"name"`
	Level    Level  `json:"level"`
	Hostname string `json:"hostname"`
	IP       string `json:"ip"`
	Category string `json:"category"`
	Message  string `json:"message"`
}

type wecom struct {
	Type     string `json:"msgtype"`
	Markdown struct {
		Content string `json:"content"`
	} `json:"markdown"`
}

type dingtalk struct {
	Type     string `json:"msgtype"`
	Markdown struct {
		Title string `json:"title"`
		Text  string `json:"text"`
	} `json:"markdown"`
}

type slack struct {
	Text string `json:"text"`
}

// payload is the body of a request: e, from p, in a form. The texts of e are tidy.
func payload(form string, e Event, p place) ([]byte, error) {
	switch strings.ToLower(form) {
	case typeWecom:
		body := wecom{Type: "markdown"}
		body.Markdown.Content = markdown(e, p, maxWecom)
		return encode(body)
	case typeDingtalk:
		body := dingtalk{Type: "markdown"}
		body.Markdown.Title, body.Markdown.Text = e.Category, markdown(e, p, maxDingtalk)
		return encode(body)
	case typeSlack:
		return encode(slack{Text: slackText(e, p)})
	}
	return encode(general{Name: "pingap", Level: e.Level, Hostname: p.host, IP: p.ip, Category: e.Category, Message: e.Message})
}

// encode writes JSON without the detours of HTML: the services show some of them as they stand.
func encode(body any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(body); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// markdown is the text for WeCom and DingTalk, of at most so many bytes. Each line but the first is a quotation.
func markdown(e Event, p place, most int) string {
	color := "comment"
	if e.Level != Info {
		color = "warning"
	}
	var b strings.Builder
	b.WriteString(` <font color="` + color + `">pingap(` + string(e.Level) + `)</font>`)
	for _, f := range fields(e, p) {
		room := most - b.Len() - len("\n >"+f[0]+": ")
		if room <= len(cut) {
			break
		}
		b.WriteString("\n >" + f[0] + ": " + clipEscaped(f[1], room, inMarkdown))
	}
	return b.String()
}

// fields are the lines of a text for people. The name of the instance is one of them only where it has one.
func fields(e Event, p place) [][2]string {
	all := [][2]string{{"title", e.Title}, {"name", p.name}, {"hostname", p.host}, {"ip", p.ip}, {"category", e.Category}, {"message", e.Message}}
	if p.name == "" {
		all = slices.Delete(all, 1, 2)
	}
	return all
}

// inMarkdown keeps a text from being more than text: no tag, no mention, no link, no line outside of the quotation.
func inMarkdown(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "](", "] (", "][", "] [", "\n", "\n >").Replace(text)
}

// inSlack is what Slack wants to be escaped, after which no link, mention or command is left.
func inSlack(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text)
}

// slackText is for Slack, and for those who take the same form.
func slackText(e Event, p place) string {
	head := "pingap(" + string(e.Level) + "): "
	name := ""
	if p.name != "" {
		name = "\nname: " + inSlack(p.name)
	}
	tail := name + "\nhostname: " + inSlack(p.host) + "\nip: " + p.ip + "\ncategory: " + e.Category + "\nmessage: "
	text := head + inSlack(e.Title) + tail
	return text + clipEscaped(e.Message, maxSlack-len(text), inSlack)
}

// clipEscaped escapes a text, or its beginning, to at most so many bytes: what is cut is cut before, so that no entity is.
func clipEscaped(text string, most int, escape func(string) string) string {
	escaped := escape(text)
	for n := len(text); len(escaped) > most && n > 0; {
		n = max(n-max((len(escaped)-most)/6, 1), 0) // no character becomes more than six bytes longer
		escaped = escape(clip(text, n))
	}
	if len(escaped) > most {
		return ""
	}
	return escaped
}
