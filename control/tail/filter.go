package tail

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"pingap/config"
	"pingap/ipc"
)

const (
	usualRate   = 100 // lines per second
	maxStatuses = 16
	maxName     = 1024 // bytes of a location
	lastStatus  = 599
)

// parse reads what somebody wants to see.
func parse(q url.Values) (ipc.Tail, error) {
	t := ipc.Tail{Location: q.Get("location"), Rate: usualRate}
	if len(t.Location) > maxName {
		return t, fmt.Errorf("location: a name of %d bytes", len(t.Location))
	}
	var err error
	if text := q.Get("status"); text != "" {
		if t.Status, err = parseStatuses(text); err != nil {
			return t, fmt.Errorf("status: %w", err)
		}
	}
	if text := q.Get("slow"); text != "" {
		d, err := config.ParseDuration(text)
		if err != nil || d < 0 {
			return t, fmt.Errorf("slow: %.32q is no time such as 100ms", text)
		}
		t.Slow = int64(d)
	}
	if text := q.Get("limit"); text != "" {
		if t.Rate, err = strconv.Atoi(text); err != nil || t.Rate < 1 || t.Rate > ipc.MaxTailRate {
			return t, fmt.Errorf("limit: %.32q is no number of lines per second from 1 to %d", text, ipc.MaxTailRate)
		}
	}
	return t, nil
}

// parseStatuses reads a comma list of 404, 5xx, 400-499, >=400, >499, <=399 and <300.
func parseStatuses(text string) ([][2]int, error) {
	parts := strings.Split(text, ",")
	if len(parts) > maxStatuses {
		return nil, fmt.Errorf("%d are too many, at most %d", len(parts), maxStatuses)
	}
	var list [][2]int
	for _, part := range parts {
		from, to, err := parseStatus(strings.TrimSpace(part))
		if err != nil {
			return nil, err
		}
		list = append(list, [2]int{from, to})
	}
	return list, nil
}

func parseStatus(text string) (from, to int, err error) {
	for _, c := range []struct {
		sign string
		of   func(n int) (int, int)
	}{
		{">=", func(n int) (int, int) { return n, lastStatus }}, {"<=", func(n int) (int, int) { return 0, n }},
		{">", func(n int) (int, int) { return n + 1, lastStatus }}, {"<", func(n int) (int, int) { return 0, n - 1 }},
	} {
		if rest, found := strings.CutPrefix(text, c.sign); found {
			n, last, err := config.ParseStatuses(rest)
			if err != nil || n != last {
				return 0, 0, fmt.Errorf("%.32q is no status behind %s", rest, c.sign)
			}
			from, to = c.of(n)
			return from, to, nil
		}
	}
	return config.ParseStatuses(text)
}
