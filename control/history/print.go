package history

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// shortSHA is how much of a sum people compare.
const shortSHA = 12

// Print writes the form for people.
func (l List) Print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "VERSION\tSHA\tSINCE\tBY\tCHANGES")
	for _, v := range l.Versions {
		number := fmt.Sprint(v.Number)
		if v.Number == l.Live {
			number += " live"
		}
		fmt.Fprintln(t, strings.Join([]string{number, v.SHA[:min(len(v.SHA), shortSHA)], v.At.Local().Format(time.RFC3339), v.By, summary(v)}, "\t"))
	}
	return t.Flush()
}

// summary names the first objects that a version changed.
func summary(v Version) string {
	const most = 3
	var words []string
	for i, c := range v.Changes {
		if i == most {
			words = append(words, fmt.Sprintf("%d more", len(v.Changes)-most+v.More))
			break
		}
		words = append(words, c.Object)
	}
	return strings.Join(words, ", ")
}

// Print writes TOML, with comments about the version in front.
func (t Text) Print(w io.Writer) error {
	copyOf := ""
	if t.CopyOf != 0 {
		copyOf = fmt.Sprintf(", a copy of version %d", t.CopyOf)
	}
	_, err := fmt.Fprintf(w, "# version %d (%s)%s, live since %s, by %s\n# loaded from %s\n\n%s",
		t.Number, t.SHA, copyOf, t.At.Local().Format(time.RFC3339), comment(t.By), comment(t.Source), t.Config)
	return err
}

// comment keeps a text within its line.
func comment(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, text)
}

// Print writes the form for people; nothing where there is no difference.
func (d Diff) Print(w io.Writer) error {
	for _, c := range d.Changes {
		if _, err := fmt.Fprintf(w, "%s %s (%s)\n", c.Op, c.Object, c.Class); err != nil {
			return err
		}
		for _, k := range c.Keys {
			if k.Old != "" {
				fmt.Fprintf(w, "  - %s = %s\n", k.Key, k.Old)
			}
			if k.New != "" {
				fmt.Fprintf(w, "  + %s = %s\n", k.Key, k.New)
			}
		}
	}
	return nil
}
