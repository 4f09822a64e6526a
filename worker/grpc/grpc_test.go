package grpc

import (
	"math"
	"net/url"
	"strings"
	"testing"
	"time"

	"pingap/message"
)

func TestCallsAreKnownByTheirContentType(t *testing.T) {
	for value, want := range map[string]bool{
		"application/grpc": true, "application/grpc+proto": true, "Application/GRPC": true, "application/grpc;charset=utf-8": true,
		"application/grpc ; x=y": true, "application/grpc-web": false, "application/grpc-web+proto": false, "application/grpcx": false,
		"application/grp": false, "": false, "text/plain": false,
	} {
		if got := IsContentType([]byte(value)); got != want {
			t.Errorf("%q: %t", value, got)
		}
	}
}

func TestTimeouts(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"1H": time.Hour, "2M": 2 * time.Minute, "3S": 3 * time.Second, "4m": 4 * time.Millisecond, "5u": 5 * time.Microsecond, "6n": 6,
		"0n": 0, "00000001S": time.Second, "99999999S": 99999999 * time.Second, "99999999M": 99999999 * time.Minute, "99999999H": math.MaxInt64,
	} {
		if got, ok := ParseTimeout([]byte(value)); !ok || got != want {
			t.Errorf("%q is %s, %t, want %s", value, got, ok, want)
		}
	}
	for _, value := range []string{"", "S", "1", "1s", "1h", "100000000n", "-1S", "+1S", "1.5S", " 1S", "1S ", "1 S", "0x1S", "1SS", "\xd9\xa1S"} {
		if got, ok := ParseTimeout([]byte(value)); ok {
			t.Errorf("%q is %s", value, got)
		}
	}
}

func TestMessagesAreWrittenSoThatAnybodyReadsThem(t *testing.T) {
	for text, want := range map[string]string{
		"no backend": "no backend", "100 % \"é\"\r\n\x00\x7f~": "100 %25 \"%C3%A9\"%0D%0A%00%7F~", "": "",
	} {
		got := string(AppendMessage(nil, text))
		if back, err := url.PathUnescape(got); got != want || back != text || err != nil {
			t.Errorf("%q is %q, and again %q", text, got, back)
		}
	}
}

func TestStatusCodes(t *testing.T) {
	for _, c := range []struct {
		status       int
		http, answer string
	}{
		{400, "INTERNAL", "INTERNAL"}, {401, "UNAUTHENTICATED", "UNAUTHENTICATED"}, {403, "PERMISSION_DENIED", "PERMISSION_DENIED"},
		{404, "UNIMPLEMENTED", "UNIMPLEMENTED"}, {408, "UNKNOWN", "DEADLINE_EXCEEDED"}, {413, "UNKNOWN", "RESOURCE_EXHAUSTED"},
		{429, "UNAVAILABLE", "UNAVAILABLE"}, {431, "INTERNAL", "INTERNAL"}, {499, "UNKNOWN", "CANCELLED"}, {500, "UNKNOWN", "INTERNAL"},
		{501, "UNKNOWN", "UNIMPLEMENTED"}, {502, "UNAVAILABLE", "UNAVAILABLE"}, {503, "UNAVAILABLE", "UNAVAILABLE"},
		{504, "UNAVAILABLE", "DEADLINE_EXCEEDED"}, {200, "UNKNOWN", "UNKNOWN"}, {302, "UNKNOWN", "UNKNOWN"}, {0, "UNKNOWN", "UNKNOWN"},
	} {
		if got := FromHTTP(c.status).String(); got != c.http {
			t.Errorf("%d is %s, want %s", c.status, got, c.http)
		}
		if got := FromAnswer(c.status).String(); got != c.answer {
			t.Errorf("our own %d is %s, want %s", c.status, got, c.answer)
		}
	}
	for code, want := range map[uint32]Code{0: Internal, 1: Internal, 7: Unavailable, 8: Canceled, 0xb: ResourceExhausted, 0xc: PermissionDenied, 99: Internal} {
		if got := FromReset(code); got != want {
			t.Errorf("reset with %#x is %s, want %s", code, got, want)
		}
	}
	if got := Unauthenticated.String() + " " + Code(17).String(); got != "UNAUTHENTICATED 17" {
		t.Error(got)
	}
}

func TestAnAnswerCarriesItsStatusOnce(t *testing.T) {
	var f message.Fields
	if HasStatus(&f) {
		t.Error("no fields have a status")
	}
	f.Add("Grpc-Status", []byte("0"))
	f.Add("grpc-message", []byte("old"))
	SetStatus(&f, Unavailable, "no backend: 100 %")
	SetStatus(&f, Unavailable, strings.Repeat("é", 200))
	SetStatus(&f, Unavailable, "no backend: 100 %")
	status, _ := f.Lookup(StatusField)
	text, _ := f.Lookup(MessageField)
	if f.Len() != 2 || string(status) != "14" || string(text) != "no backend: 100 %25" || !HasStatus(&f) {
		t.Errorf("%d fields, %q, %q", f.Len(), status, text)
	}
	if SetStatus(&f, OK, ""); f.Len() != 1 {
		t.Error("an empty message is sent")
	}
}
