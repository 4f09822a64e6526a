package explain

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// shownLocations and shownBackends are how many lines people get of each; the JSON has more.
const (
	shownLocations = 25
	shownBackends  = 20
)

// Print writes the explanation for people: the steps of the request with their numbers.
func (e *Explanation) Print(w io.Writer) error {
	p := &printer{table: tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)}
	p.head(e)
	p.locations(e)
	p.plugins(e, "early_request")
	if e.Rewrite != nil {
		p.step("rewrite", "%s -> %s", e.Rewrite.From, e.Rewrite.To)
	}
	p.plugins(e, "request", "proxy_upstream")
	p.headers(e)
	p.upstream(e)
	p.plugins(e, "upstream_response", "response")
	if e.Answer != nil {
		code := ""
		if e.Answer.GRPC != 0 {
			code = fmt.Sprintf(" with grpc-status %d (%s)", e.Answer.GRPC, e.Answer.GRPCName)
		}
		p.step("answer", "%d%s, made here%s", e.Answer.Status, code, after(": ", e.Answer.Why))
	} else if e.Upstream != nil {
		p.step("answer", "what the upstream says")
	} else {
		p.step("answer", "what control says")
	}
	for i, note := range e.Notes {
		if i == 0 {
			p.line("")
		}
		p.line("note: %s", note)
	}
	for _, also := range e.Also {
		p.line("")
		if p.err == nil {
			p.err = p.table.Flush()
		}
		if p.err == nil {
			p.err = also.Print(w)
		}
	}
	if p.err != nil {
		return p.err
	}
	return p.table.Flush()
}

// printer numbers steps, and keeps the first error. A step is a row of the table, and so is each of its details.
type printer struct {
	table *tabwriter.Writer
	n     int
	err   error
}

func (p *printer) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.table, format+"\n", args...)
	}
}

func (p *printer) step(title, format string, args ...any) {
	p.n++
	p.line("%d\t%s\t"+format, append([]any{p.n, title}, args...)...)
}

// detail is a row of a step, of cells.
func (p *printer) detail(mark string, cells ...string) {
	p.line("\t%s\t%s", mark, strings.Join(cells, "  "))
}

func after(sign, text string) string {
	if text == "" {
		return ""
	}
	return sign + text
}

func (p *printer) head(e *Explanation) {
	how := ""
	if e.Request.Protocol == ProtocolH2 {
		how = " over HTTP/2"
	}
	p.line("%s %s%s%s%s", e.Request.Method, e.Request.Host, e.Request.Path, how, after(", a call of ", e.Request.Call))
	where := "server " + e.Server + " on " + e.Listener
	if e.Version != 0 {
		where += fmt.Sprintf(", configuration %d", e.Version)
	}
	p.line("%s", where)
	if e.Cert != "" {
		p.line("certificate %s", e.Cert)
	}
	if e.Request.Normalized != e.Request.Path {
		p.line("the path counts as %s", e.Request.Normalized)
	}
	p.line("client %s", e.Client)
	p.line("")
}

func (p *printer) locations(e *Explanation) {
	if e.Location == "" {
		p.step("location", "none")
	} else {
		p.step("location", "%s", e.Location)
	}
	rows := make([]candidate, len(e.Locations))
	for i, l := range e.Locations {
		rows[i] = candidate{l.Matched, l.Name, fmt.Sprintf("%5d", l.Weight), l.Why}
	}
	p.candidates(rows, 40, shownLocations, e.More)
}

// candidate is one of those that something is chosen from.
type candidate struct {
	chosen             bool
	name, figures, why string
}

// candidates prints a list, with names in a column of a width at most: so many of them, and who was chosen; hidden is how many are left out already.
func (p *printer) candidates(rows []candidate, widest, shown, hidden int) {
	width := 0
	for _, c := range rows {
		width = max(width, len(c.name))
	}
	for i, c := range rows {
		if i >= shown && !c.chosen {
			hidden++
			continue
		}
		mark := "-"
		if c.chosen {
			mark = "*"
		}
		p.detail(mark, fmt.Sprintf("%-*s", min(width, widest), c.name), c.figures, c.why)
	}
	if hidden > 0 {
		p.detail("", fmt.Sprintf("and %d more", hidden))
	}
}

func (p *printer) plugins(e *Explanation, steps ...string) {
	for i := range e.Plugins {
		one := &e.Plugins[i]
		for _, step := range steps {
			if one.Step != step {
				continue
			}
			verdict := one.Verdict
			if one.Status != 0 {
				verdict += fmt.Sprintf(" %d", one.Status)
			}
			p.step("plugin", "%s (%s at %s) %s%s", one.Name, one.Category, one.Step, verdict, after(": ", one.Why))
		}
	}
}

func (p *printer) headers(e *Explanation) {
	if len(e.Headers) == 0 {
		return
	}
	p.step("headers", "what goes on differs in %d", len(e.Headers))
	for _, h := range e.Headers {
		p.detail("", fmt.Sprintf("%-6s", h.Op), h.Name+after(": ", h.Value))
	}
}

func (p *printer) upstream(e *Explanation) {
	u := e.Upstream
	if u == nil {
		return
	}
	over := ""
	if u.Protocol != ProtocolHTTP1 {
		over = ", over " + u.Protocol
	}
	p.step("upstream", "%s, by %s%s", u.Name, u.Algorithm, over)
	rows := make([]candidate, len(u.Backends))
	for i, b := range u.Backends {
		rows[i] = candidate{b.Chosen, b.Addr, fmt.Sprintf("weight %d", b.Weight), b.Why}
	}
	p.candidates(rows, 60, shownBackends, u.More)
}
