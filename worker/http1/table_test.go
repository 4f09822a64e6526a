package http1

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"pingap/message"
)

var testLimits = Limits{Head: 64 << 10, Fields: 128, Target: 8 << 10}

// table reads a file of testdata: columns between " | ", those that begin with a quote unquoted.
func table(t testing.TB, name string, columns int) [][]string {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var rows [][]string
	for i, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		if strings.HasPrefix(line, "#") {
			continue
		}
		row := strings.SplitN(line, " | ", columns)
		for j, cell := range row {
			if !strings.HasPrefix(cell, `"`) {
				continue
			}
			if row[j], err = strconv.Unquote(cell); err != nil {
				t.Fatalf("%s:%d: %v", name, i+1, err)
			}
		}
		if len(row) != columns {
			t.Fatalf("%s:%d: %d columns, want %d", name, i+1, len(row), columns)
		}
		rows = append(rows, row)
	}
	return rows
}

func parseRequest(raw string) (*message.Request, int, Framing, *Error) {
	var req message.Request
	n, f, err := ParseRequest([]byte(raw), &req, &testLimits)
	return &req, n, f, err
}

func parseResponse(raw string, ask Ask) (*message.Response, int, Framing, *Error) {
	var resp message.Response
	n, f, err := ParseResponse([]byte(raw), &resp, &testLimits, ask)
	return &resp, n, f, err
}

// forwarded is how the head of a request goes on, with the framing that came.
func forwarded(req *message.Request, f Framing) string {
	out := Out{Length: message.LengthUnknown, Chunked: f.Chunked, Upgrade: f.Upgrade, TETrailers: f.TETrailers, Host: "BACKEND"}
	if !f.Chunked && req.Fields.Has(message.ContentLength) {
		out.Length = f.Length
	}
	return string(AppendRequest(nil, req, &req.Fields, out))
}

// answered is how the head of a response goes on, with the framing that came.
func answered(resp *message.Response, f Framing) string {
	out := Out{Length: f.Length, Chunked: f.Chunked}
	if resp.Status == 204 || resp.Status == 304 {
		out.Length = message.LengthUnknown
	}
	return string(AppendResponse(nil, resp, out))
}

// errorText is the text of an error, "" for none.
func errorText(err *Error) string {
	if err == nil {
		return ""
	}
	return err.Text
}

func TestBadRequestsAreRefused(t *testing.T) {
	for _, row := range table(t, "bad_requests.txt", 4) {
		_, n, _, err := parseRequest(row[3])
		if n != 0 || err == nil || strconv.Itoa(err.Status) != row[1] || err.Text != row[2] {
			t.Errorf("%s: %d bytes, %v, want %s %s", row[0], n, err, row[1], row[2])
		}
	}
}

func TestGoodRequestsGoOn(t *testing.T) {
	for _, row := range table(t, "good_requests.txt", 3) {
		req, n, f, err := parseRequest(row[1])
		if err != nil || n == 0 {
			t.Errorf("%s: %d bytes, %v", row[0], n, err)
			continue
		}
		if got := forwarded(req, f) + row[1][n:]; got != row[2] {
			t.Errorf("%s: goes on as\n%q, want\n%q", row[0], got, row[2])
		}
	}
}

func TestBadResponsesAreRefused(t *testing.T) {
	for _, row := range table(t, "bad_responses.txt", 3) {
		if _, n, _, err := parseResponse(row[2], Ask{}); n != 0 || errorText(err) != row[1] {
			t.Errorf("%s: %d bytes, %v, want %s", row[0], n, err, row[1])
		}
	}
}

func TestGoodResponsesGoOn(t *testing.T) {
	for _, row := range table(t, "good_responses.txt", 3) {
		resp, n, f, err := parseResponse(row[1], Ask{})
		if err != nil || n == 0 {
			t.Errorf("%s: %d bytes, %v", row[0], n, err)
			continue
		}
		if got := answered(resp, f) + row[1][n:]; got != row[2] {
			t.Errorf("%s: goes on as\n%q, want\n%q", row[0], got, row[2])
		}
	}
}

// A head may end anywhere in a read. The verdict on what has come so far is "not yet" or the final one.
func TestSplitRequestsAreJudgedAsWholeOnes(t *testing.T) {
	for _, row := range table(t, "bad_requests.txt", 4) {
		failed := false
		for k := 0; k <= len(row[3]); k++ {
			_, n, _, err := parseRequest(row[3][:k])
			if n != 0 || failed && err == nil || err != nil && strconv.Itoa(err.Status) != row[1] {
				t.Errorf("%s: %d bytes of it: %d, %v, want %s", row[0], k, n, err, row[1])
				break
			}
			failed = err != nil
		}
	}
	for _, row := range table(t, "good_requests.txt", 3) {
		_, whole, _, _ := parseRequest(row[1])
		for k := 0; k <= len(row[1]); k++ {
			req, n, f, err := parseRequest(row[1][:k])
			switch {
			case err != nil, k < whole && n != 0, k >= whole && n != whole:
				t.Errorf("%s: %d bytes of it: %d, %v", row[0], k, n, err)
			case n > 0 && !strings.HasPrefix(row[2], forwarded(req, f)):
				t.Errorf("%s: %d bytes of it go on as %q", row[0], k, forwarded(req, f))
			}
		}
	}
}

func TestSplitResponsesAreJudgedAsWholeOnes(t *testing.T) {
	for _, row := range table(t, "bad_responses.txt", 3) {
		failed := false
		for k := 0; k <= len(row[2]); k++ {
			_, n, _, err := parseResponse(row[2][:k], Ask{})
			if n != 0 || failed && err == nil {
				t.Errorf("%s: %d bytes of it: %d, %v", row[0], k, n, err)
				break
			}
			failed = err != nil
		}
	}
	for _, row := range table(t, "good_responses.txt", 3) {
		_, whole, _, _ := parseResponse(row[1], Ask{})
		for k := 0; k <= len(row[1]); k++ {
			_, n, _, err := parseResponse(row[1][:k], Ask{})
			if err != nil || k < whole && n != 0 || k >= whole && n != whole {
				t.Errorf("%s: %d bytes of it: %d, %v", row[0], k, n, err)
				break
			}
		}
	}
}
