package inventory

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"pingap/config"
)

// Where a certificate comes from.
const (
	SourceFile   = "file"
	SourceInline = "inline" // the configuration holds it
	SourceACME   = "acme"
	SourceNone   = "none" // nothing is configured to serve
)

// Record is a DNS record that somebody has to set.
type Record struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Certificate is one table of the configuration, and what is served for it.
type Certificate struct {
	Name      string    `json:"name"`
	Domains   []string  `json:"domains"`
	Source    string    `json:"source"`
	Path      string    `json:"path,omitempty"` // of a file
	CA        bool      `json:"ca,omitempty"`   // it signs others
	Issuer    string    `json:"issuer,omitempty"`
	KeyType   string    `json:"key_type,omitempty"`
	NotAfter  time.Time `json:"not_after,omitzero"` // zero: there is none yet
	notBefore time.Time
	buffer    time.Duration // before the end, in which people are told
	DaysLeft  int           `json:"days_left"` // whole ones, less than 0 after the end; 0 without one

	LastError   string    `json:"last_error,omitempty"`
	NextAttempt time.Time `json:"next_attempt,omitzero"` // zero: never, or under way
	Busy        bool      `json:"busy,omitempty"`        // an attempt is under way
	Needs       []Record  `json:"needs,omitempty"`
}

// List is all of them, by name.
type List struct {
	Problem string `json:"problem,omitempty"` // why none can be requested
	// Holder is the node that gets certificates for all nodes, where they do so together; empty where none is known. Leading says that it
	// is this one.
	Holder       string        `json:"holder,omitempty"`
	Leading      bool          `json:"leading,omitempty"`
	Certificates []Certificate `json:"certificates"`
}

// Of lists the certificates of a configuration. How those of a CA are is for the caller to add.
func Of(s *config.Snapshot) ([]Certificate, error) {
	list := []Certificate{}
	for _, o := range s.Objects() {
		if o.Kind != config.KindCertificate {
			continue
		}
		c, err := s.Certificate(o.Name)
		if err != nil {
			return nil, err
		}
		list = append(list, describe(c))
	}
	return list, nil
}

func describe(c *config.Certificate) Certificate {
	d := Certificate{Name: c.Name, Domains: c.DomainList(), Source: SourceNone, CA: c.IsCA}
	d.buffer = time.Duration(cmp.Or(c.BufferDays, defaultBuffer)) * 24 * time.Hour
	if file, ok := c.Files["tls_cert"]; ok {
		d.Source, d.Path = SourceFile, file.Path
	} else if c.TLSCert != "" {
		d.Source = SourceInline
	}
	if c.ACME != "" {
		d.Source, d.Path = SourceACME, ""
	}
	if info, ok := c.Info(); ok {
		d.NotAfter, d.KeyType, d.Issuer, d.notBefore = info.NotAfter, info.KeyType, info.Issuer, info.NotBefore
		if len(d.Domains) == 0 {
			d.Domains = info.Domains
		}
	}
	return d
}

// Count sets the days that are left at a time.
func (l *List) Count(now time.Time) {
	for i := range l.Certificates {
		if c := &l.Certificates[i]; !c.NotAfter.IsZero() {
			c.DaysLeft = days(c.NotAfter.Sub(now))
		}
	}
}

// defaultBuffer is how long before its end people are told of a certificate that sets no buffer_days.
const defaultBuffer = 7

// Ending lists the names that those are for whose end is near, and those that are not valid yet, each once and in order.
func (l List) Ending(now time.Time) []string {
	var names []string
	for _, c := range l.Certificates {
		if c.NotAfter.IsZero() || !now.After(c.NotAfter.Add(-c.buffer)) && !now.Before(c.notBefore) {
			continue
		}
		if names = append(names, c.Domains...); len(c.Domains) == 0 {
			names = append(names, c.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// days counts whole ones; what is over has at least one less than none.
func days(d time.Duration) int {
	n := int(d / (24 * time.Hour))
	if d < 0 {
		n--
	}
	return n
}

// Print writes the form for people.
func (l List) Print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "NAME\tSOURCE\tEXPIRES\tDAYS LEFT\tNEXT ATTEMPT\tDOMAINS\tLAST ERROR")
	for _, c := range l.Certificates {
		fmt.Fprintln(t, strings.Join([]string{line(c.Name), c.Source, moment(c.NotAfter, "-"), c.left(), c.next(), line(strings.Join(c.Domains, ", ")),
			line(c.LastError)}, "\t"))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, c := range l.Certificates {
		for _, r := range c.Needs {
			if _, err := fmt.Fprintf(w, "%s waits for the DNS record %s TXT %q\n", line(c.Name), line(r.Name), r.Value); err != nil {
				return err
			}
		}
	}
	if l.Holder != "" {
		what := map[bool]string{true: ", which is this node", false: ""}[l.Leading]
		if _, err := fmt.Fprintf(w, "certificates are requested by %s for all nodes%s\n", line(l.Holder), what); err != nil {
			return err
		}
	}
	if l.Problem != "" {
		_, err := fmt.Fprintln(w, "certificates cannot be requested: "+line(l.Problem))
		return err
	}
	return nil
}

func (c *Certificate) left() string {
	if c.NotAfter.IsZero() {
		return "-"
	}
	return fmt.Sprint(c.DaysLeft)
}

func (c *Certificate) next() string {
	if c.Busy {
		return "now"
	}
	return moment(c.NextAttempt, "-")
}

func moment(t time.Time, none string) string {
	if t.IsZero() {
		return none
	}
	return t.Local().Format(time.DateTime)
}

// line keeps a text within its line and column.
func line(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, text)
}
