package endpoints

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// Print is the form for people.
func (l List) Print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "UPSTREAM\tADDRESS\tWEIGHT\tHEALTH\tSINCE\tADMIN\tSTATE\tIN FLIGHT\tFROM\tREASON")
	for _, u := range l.Upstreams {
		if len(u.Backends) == 0 {
			fmt.Fprintf(t, "%s\t-\t-\t-\t-\t-\t-\t-\t-\tno backends\n", line(u.Name))
		}
		for _, b := range u.Backends {
			fmt.Fprintln(t, strings.Join([]string{line(u.Name), line(b.Address), b.share(), b.Health, moment(b.Checked), b.wish(), b.state(), b.inFlight(),
				line(b.From), line(b.Reason)}, "\t"))
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, u := range l.Upstreams {
		for _, p := range u.Problems {
			if _, err := fmt.Fprintf(w, "%s: %s\n", line(u.Name), line(p)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *Backend) share() string {
	if !b.Absent.IsZero() {
		return "-"
	}
	if b.Backup {
		return fmt.Sprintf("%d backup", b.Weight)
	}
	return strconv.Itoa(b.Weight)
}

func (b *Backend) wish() string {
	if b.Admin == "up" {
		return b.Admin
	}
	return fmt.Sprintf("%s (%s, %s)", b.Admin, line(b.By), moment(b.At))
}

// state is what keeps it from getting requests beside health and wishes.
func (b *Backend) state() string {
	var all []string
	switch b.Breaker {
	case "open":
		all = append(all, fmt.Sprintf("breaker open, %s more", b.OpenFor.Round(time.Second)))
	case "half-open":
		all = append(all, fmt.Sprintf("breaker half-open, %d probes, %d succeeded", b.Probes, b.Successes))
	case "closed":
		all = append(all, "breaker closed")
	}
	if b.EjectedFor > 0 {
		all = append(all, fmt.Sprintf("ejected, %s more", b.EjectedFor.Round(time.Second)))
	}
	if len(all) == 0 {
		return "-"
	}
	return strings.Join(all, "; ")
}

func (b *Backend) inFlight() string {
	if b.InFlight < 0 {
		return "-"
	}
	return strconv.FormatInt(b.InFlight, 10)
}

func moment(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format(time.RFC3339)
}

// line makes a text of others safe for a terminal; nothing is a dash.
func line(text string) string {
	if text == "" {
		return "-"
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '?'
		}
		return r
	}, text)
}
