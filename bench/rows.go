package main

import (
	"fmt"
	"strings"
)

// Sizes that gen answers with; they must match gen/gen.h.
const (
	smallAnswer  = 200
	mediumAnswer = 16 << 10
	largeAnswer  = 1 << 20
	uploadSize   = 64 << 10
	locations    = 10_000
)

// variant is the configuration that a row needs.
type variant string

const (
	variantPlain     variant = "plain"     // one location to the upstream, and a direct answer on /direct
	variantLocations variant = "locations" // 10,000 of them
	variantIdle      variant = "idle"      // as plain, in fresh processes whose memory no load has stretched
)

// row is one line of the table: a piece of work.
type row struct {
	Name    string
	Variant variant
	Threads int
	Conns   int
	Path    string
	Vary    int // numbers for %d in Path
	Cookie  string
	Body    int   // bytes of request body
	Length  int   // bytes of answer to expect
	Rate    int   // requests per second; 0 = as fast as answers come
	Close   bool  // a connection for each request
	Idle    int   // idle connections beside or instead of the load
	Calls   bool  // count system calls in a run of its own
	Once    bool  // one round is enough (memory)
	Half    bool  // measure latencies at half the load as well
	Load    maker // what makes the requests
	Streams int   // HTTP/2 requests at once on each connection
	Total   int   // a number of requests in place of a time
}

// work is what a request does, without the number of connections and threads.
type work struct {
	name    string
	variant variant
	path    string
	vary    int
	body    int
	length  int
}

func works() []work {
	return []work{
		{name: "0.2 KiB", variant: variantPlain, path: "/small", length: smallAnswer},
		{name: "16 KiB", variant: variantPlain, path: "/16k", length: mediumAnswer},
		{name: "1 MiB", variant: variantPlain, path: "/1m", length: largeAnswer},
		{name: "64 KiB body", variant: variantPlain, path: "/upload", body: uploadSize, length: smallAnswer},
		{name: "direct answer", variant: variantPlain, path: "/direct", length: smallAnswer},
		{name: "10,000 locations", variant: variantLocations, path: "/l%d/x", vary: locations, length: smallAnswer},
	}
}

// allRows is the whole table, rows with the same processes next to each other.
func allRows() []row {
	var rows []row
	for _, threads := range []int{1, 2} {
		for _, w := range works() {
			for _, conns := range []int{64, 4} {
				if w.variant == variantLocations && threads > 1 {
					continue
				}
				rows = append(rows, w.row(conns, threads))
			}
		}
	}
	rows = append(rows,
		row{Name: "connection per request, 64 conns, 1 thread", Variant: variantPlain, Threads: 1, Conns: 64,
			Path: "/small", Length: smallAnswer, Close: true},
		row{Name: "idle 10,000 conns, 1 thread", Variant: variantIdle, Threads: 1,
			Path: "/small", Length: smallAnswer, Idle: 10_000, Once: true},
		row{Name: "idle 10,000 + busy 2,000 conns, 1 thread", Variant: variantIdle, Threads: 1, Conns: 2_000,
			Path: "/small", Length: smallAnswer, Idle: 10_000, Once: true},
	)
	return append(rows, secureRows()...)
}

func (w work) row(conns, threads int) row {
	plural := ""
	if threads > 1 {
		plural = "s"
	}
	return row{
		Name:    fmt.Sprintf("%s, %d conns, %d thread%s", w.name, conns, threads, plural),
		Variant: w.variant,
		Threads: threads,
		Conns:   conns,
		Path:    w.path,
		Vary:    w.vary,
		Body:    w.body,
		Length:  w.length,
		Calls:   threads == 1,
		Half:    w.length == smallAnswer && w.path == "/small" && conns == 64,
	}
}

// selectRows returns the rows whose name contains one of the words. A word may itself hold a comma followed by a blank,
// as the row names do.
func selectRows(words string) ([]row, error) {
	if words == "" {
		return allRows(), nil
	}
	var chosen []row
	for _, r := range allRows() {
		for _, w := range splitWords(words) {
			if strings.Contains(r.Name, w) {
				chosen = append(chosen, r)
				break
			}
		}
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("no row matches %q; there are:\n%s", words, rowNames())
	}
	return chosen, nil
}

// splitWords splits at commas that are not followed by a blank or a digit.
func splitWords(s string) []string {
	var words []string
	start := 0
	for i := 0; i < len(s); i++ {
		if s[i] == ',' && i+1 < len(s) && s[i+1] != ' ' && !isThousands(s, i) {
			words = append(words, s[start:i])
			start = i + 1
		}
	}
	return append(words, s[start:])
}

// isThousands reports whether the comma at i stands inside a number such as 10,000.
func isThousands(s string, i int) bool {
	return i > 0 && i+3 < len(s) && s[i-1] >= '0' && s[i-1] <= '9' && s[i+1:i+4] == "000"
}

func rowNames() string {
	var b strings.Builder
	for _, r := range allRows() {
		fmt.Fprintln(&b, "  "+r.Name)
	}
	return b.String()
}
