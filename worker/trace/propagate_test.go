package trace

import (
	"bytes"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/trace"

	"pingap/message"
)

const (
	someTrace  = "4bf92f3577b34da6a3ce929d0e0e4736"
	someSpan   = "00f067aa0ba902b7"
	someParent = "00-" + someTrace + "-" + someSpan + "-01"
)

func TestTraceparent(t *testing.T) {
	for _, c := range []struct {
		text            string
		ok              bool
		sampled, random bool
	}{
		{someParent, true, true, false},
		{"00-" + someTrace + "-" + someSpan + "-00", true, false, false},
		{"00-" + someTrace + "-" + someSpan + "-03", true, true, true},
		{"00-" + someTrace + "-" + someSpan + "-fe", true, false, true},
		{"cc-" + someTrace + "-" + someSpan + "-01", true, true, false},
		{"cc-" + someTrace + "-" + someSpan + "-01-what-comes", true, true, false},
		{"cc-" + someTrace + "-" + someSpan + "-01what", false, false, false},
		{"00-" + someTrace + "-" + someSpan + "-01-", false, false, false},
		{"ff-" + someTrace + "-" + someSpan + "-01", false, false, false},
		{"00-" + strings.ToUpper(someTrace) + "-" + someSpan + "-01", false, false, false},
		{"00-" + strings.Repeat("0", 32) + "-" + someSpan + "-01", false, false, false},
		{"00-" + someTrace + "-" + strings.Repeat("0", 16) + "-01", false, false, false},
		{"00-" + someTrace + "-" + someSpan + "-0", false, false, false},
		{"00-" + someTrace + "_" + someSpan + "-01", false, false, false},
		{"00-" + someTrace[1:] + "g-" + someSpan + "-01", false, false, false},
		{"", false, false, false},
	} {
		r, ok := parseParent([]byte(c.text))
		if ok != c.ok || ok && (r.sampled != c.sampled || r.random != c.random) {
			t.Errorf("%q: %+v, %v", c.text, r, ok)
		}
		if ok && (string(message.AppendTraceID(nil, r.id)) != someTrace || string(message.AppendSpanID(nil, r.parent)) != someSpan) {
			t.Errorf("%q: ids %x %x", c.text, r.id, r.parent)
		}
	}
}

func TestUberTraceID(t *testing.T) {
	for _, c := range []struct {
		text, trace, span string
		ok, sampled       bool
	}{
		{someTrace + ":" + someSpan + ":0:1", someTrace, someSpan, true, true},
		{someTrace + "%3A" + someSpan + "%3a0%3A3", someTrace, someSpan, true, true},
		{"1f:2:0:0", strings.Repeat("0", 30) + "1f", strings.Repeat("0", 15) + "2", true, false},
		{"ABCDEF0123456789a:b:c:2", strings.Repeat("0", 15) + "abcdef0123456789a", strings.Repeat("0", 15) + "b", true, true},
		{"0:2:0:1", "", "", false, false},
		{"1:0:0:1", "", "", false, false},
		{"1:2:0", "", "", false, false},
		{"1:2:0:1:1", "", "", false, false},
		{"1:2:0:", "", "", false, false},
		{"1%3B2:0:1", "", "", false, false},
		{"1" + someTrace + ":2:0:1", "", "", false, false},
		{"", "", "", false, false},
	} {
		r, ok := parseJaeger([]byte(c.text))
		if ok != c.ok || r.sampled != c.sampled && ok {
			t.Errorf("%q: %+v, %v", c.text, r, ok)
			continue
		}
		if ok && (string(message.AppendTraceID(nil, r.id)) != c.trace || string(message.AppendSpanID(nil, r.parent)) != c.span) {
			t.Errorf("%q: ids %x %x", c.text, r.id, r.parent)
		}
	}
}

func TestTracestate(t *testing.T) {
	for text, want := range map[string]bool{
		"rojo=00f067aa0ba902b7,congo=t61rcWkgMzE": true, "a=1, b=2 ,\tc=3": true, "": true, ",": true, "1a@v-x_*/=x y": true,
		"A=1": false, "a": false, "a=": false, "a=b=c": false, "=b": false, "a=\x01": false, "a=é": false,
		strings.Repeat("a=1,", 32): true, strings.Repeat("a=1,", 33): false, "a=" + strings.Repeat("x", 257): false,
	} {
		n := 0
		if got := validState([]byte(text), &n); got != want {
			t.Errorf("%.60q: %v", text, got)
		}
	}
}

func TestBaggage(t *testing.T) {
	for text, want := range map[string]string{
		"user=42,plan=free%20one;ttl=1": "user=42 plan=free%20one ", "a = 1 , b=": "a=1 b= ",
		"": "!", "a": "!", "a b=1": "!", "a=1 2": "!", "a=\"x\"": "!", "=1": "!", strings.Repeat("a=1,", 64): "!",
	} {
		n, got := 0, ""
		if !walkBaggage([]byte(text), &n, func(k, v []byte) { got += string(k) + "=" + string(v) + " " }) {
			got = "!"
		}
		if got != want {
			t.Errorf("%.60q: %q", text, got)
		}
	}
}

func FuzzTraceparent(f *testing.F) {
	f.Add([]byte(someParent))
	f.Add([]byte("01-" + someTrace + "-" + someSpan + "-00-more"))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, ok := parseParent(text)
		if !ok {
			return
		}
		tr := message.Trace{ID: r.id, Upstream: r.parent, Sampled: r.sampled, Random: r.random}
		out := appendParent(nil, &tr)
		if len(out) != parentLength || !bytes.Equal(out[3:53], text[3:53]) {
			t.Errorf("%q became %q", text, out)
		}
		if again, ok := parseParent(out); !ok || again != r {
			t.Errorf("%q is read as %+v", out, again)
		}
	})
}

func FuzzUberTraceID(f *testing.F) {
	f.Add([]byte(someTrace + ":" + someSpan + ":0:1"))
	f.Add([]byte("1%3A2%3a3%3A1"))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, ok := parseJaeger(text)
		if !ok {
			return
		}
		tr := message.Trace{ID: r.id, Upstream: r.parent, Sampled: r.sampled}
		if again, ok := parseJaeger(appendJaeger(nil, &tr)); !ok || again != r {
			t.Errorf("%q is read as %+v, then %+v", text, r, again)
		}
	})
}

// What we take as a tracestate the SDK takes as well, or what we export would have another than what backends see.
func FuzzTracestate(f *testing.F) {
	f.Add([]byte("rojo=1,congo=t61rcWkgMzE"))
	f.Add([]byte("a@b=c d, 1/2*=~"))
	f.Fuzz(func(t *testing.T, text []byte) {
		n := 0
		if !validState(text, &n) || n == 0 {
			return
		}
		if bytes.ContainsAny(text, " \t") || bytes.Contains(text, []byte(",,")) || bytes.ContainsAny(text, "@*/") {
			return // blanks, empty members, and keys of level 2, on which readers differ
		}
		state, err := trace.ParseTraceState(string(text))
		if err == nil && state.Len() > n {
			t.Errorf("%q: %d members, %d", text, state.Len(), n)
		}
	})
}

func FuzzBaggage(f *testing.F) {
	f.Add([]byte("a=1,b=2;p=q"))
	f.Add([]byte("a=%20"))
	f.Fuzz(func(t *testing.T, text []byte) {
		n, sum := 0, 0
		ok := walkBaggage(text, &n, func(k, v []byte) {
			sum += len(k) + len(v) + 1
			_ = clean(unescaped(v))
		})
		if sum > len(text) || ok && n > maxMembers {
			t.Errorf("%q: %d members of %d bytes", text, n, sum)
		}
	})
}
