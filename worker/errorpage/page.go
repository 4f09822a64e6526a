package errorpage

import (
	"encoding/json"
	"html"
	"strconv"
	"strings"

	"pingap/worker/http1"
)

// defaultPage is the error page where basic.error_template is unset.
const defaultPage = `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{{content}}</title><style>body{font:16px/1.5 system-ui,sans-serif;margin:15vh auto;max-width:36rem;padding:0 1rem;color:#333}
h1{font-size:1.4rem;font-weight:600}footer{color:#888;font-size:.85rem;border-top:1px solid #ddd;padding-top:.5rem}</style></head>
<body><h1>{{content}}</h1><footer>pingap {{version}} &middot; {{error_type}}</footer></body></html>
`

// Page renders the body of an error answer from a template with the placeholders {{version}},
// {{content}} and {{error_type}}. It never changes.
type Page struct {
	template string
	version  string
	json     bool
}

// New takes a template; "" is the built-in page. A template that begins with "{" is JSON:
// what replaces a placeholder is then escaped for a JSON string, otherwise for HTML.
func New(template, version string) *Page {
	if template == "" {
		template = defaultPage
	}
	return &Page{template: template, version: version, json: strings.HasPrefix(template, "{")}
}

// Render returns the content type and the body for an error.
func (p *Page) Render(status int, kind, text string) (contentType, body []byte) {
	content := strconv.Itoa(status) + " " + string(http1.Reason(status))
	if text != "" {
		content += ": " + text
	}
	escape := html.EscapeString
	contentType = []byte("text/html; charset=utf-8")
	if p.json {
		escape = escapeJSON
		contentType = []byte("application/json; charset=utf-8")
	}
	page := strings.NewReplacer("{{version}}", escape(p.version), "{{content}}", escape(content),
		"{{error_type}}", escape(kind)).Replace(p.template)
	return contentType, []byte(page)
}

// escapeJSON escapes text for the inside of a JSON string.
func escapeJSON(text string) string {
	quoted, err := json.Marshal(text)
	if err != nil { // strings always marshal
		return ""
	}
	return string(quoted[1 : len(quoted)-1])
}
