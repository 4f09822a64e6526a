package answer

import (
	"strings"
	"testing"

	"pingap/message"
)

// list makes fields of "name: value" lines.
func list(lines string) *message.Fields {
	fields := new(message.Fields)
	for _, line := range strings.Split(lines, "\n") {
		name, value, ok := strings.Cut(line[min(1, len(line)):], ":")
		if !ok {
			continue
		}
		name = line[:1] + name
		value = strings.TrimPrefix(value, "|")
		fields.Append(message.LookupName([]byte(name)), []byte(name), []byte(value))
	}
	return fields
}

func TestAHeadIsReadOrRefused(t *testing.T) {
	for _, k := range []struct {
		lines  string
		status int
		length int64
		wrong  string
	}{
		{":status:200", 200, message.LengthUnknown, ""},
		{":status:999\na:b", 999, message.LengthUnknown, ""},
		{":status:200\ncontent-length:0", 200, 0, ""},
		{":status:200\ncontent-length: 17 ", 200, 17, ""},
		{":status:200\nx:\tpadded \nempty:", 200, message.LengthUnknown, ""},
		{"", 0, 0, "begin with :status"},
		{"a:b\n:status:200", 0, 0, "begin with :status"},
		{":status:200\n:status:200", 0, 0, "repeated"},
		{":status:200\n:scheme:http", 0, 0, "token"},
		{":status:2", 0, 0, "no status code"},
		{":status:0xx", 0, 0, "no status code"},
		{":status:101", 0, 0, "101"},
		{":status:200\nUpper:x", 0, 0, "lower case"},
		{":status:200\na b:x", 0, 0, "token"},
		{":status:200\na:\x7f", 0, 0, "control"},
		{":status:200\nconnection:x", 0, 0, "connection"},
		{":status:200\ntransfer-encoding:chunked", 0, 0, "connection"},
		{":status:200\ncontent-length:1\ncontent-length:1", 0, 0, "content-length"},
		{":status:200\ncontent-length:-1", 0, 0, "content-length"},
		{":status:200\ncontent-length:1,1", 0, 0, "content-length"},
		{":status:200\ncontent-length:0x1", 0, 0, "content-length"},
	} {
		fields := list(k.lines)
		status, length, wrong := Head(fields)
		if status != k.status || length != k.length || (wrong == "") != (k.wrong == "") || !strings.Contains(wrong, k.wrong) {
			t.Errorf("%q: %d, %d, %q", k.lines, status, length, wrong)
		}
		if _, found := fields.Lookup(":status"); wrong == "" && found {
			t.Errorf("%q: :status is left among the fields", k.lines)
		}
		if x, _ := fields.Lookup("x"); wrong == "" && len(x) > 0 && string(x) != "padded" {
			t.Errorf("%q: value %q", k.lines, x)
		}
	}
}

func TestTheLengthOfABody(t *testing.T) {
	const unknown = message.LengthUnknown
	for _, k := range []struct {
		status int
		length int64
		ask    Ask
		end    bool
		want   int64
		ok     bool
	}{
		{200, 5, Ask{}, false, 5, true},
		{200, unknown, Ask{}, false, unknown, true},
		{200, unknown, Ask{}, true, 0, true},
		{200, 0, Ask{}, true, 0, true},
		{200, 5, Ask{}, true, 0, false},
		{200, 5, Ask{Head: true}, true, 0, true},
		{200, 5, Ask{Head: true}, false, 0, true},
		{204, 5, Ask{}, true, 0, true},
		{304, 5, Ask{}, true, 0, true},
		{200, 5, Ask{Tunnel: true}, false, unknown, true},
		{403, 5, Ask{Tunnel: true}, false, 5, true},
	} {
		got, wrong := Length(k.status, k.length, k.ask, k.end)
		if (wrong == "") != k.ok || k.ok && got != k.want {
			t.Errorf("%+v: got %d, %q", k, got, wrong)
		}
	}
}

func TestTrailersKeepWhatMayStandThere(t *testing.T) {
	fields := list("grpc-status:0\ncontent-length:5\nset-cookie:a\nx:y\nhost:z")
	if wrong := Trailers(fields); wrong != "" {
		t.Fatal(wrong)
	}
	var names []string
	for _, f := range fields.List() {
		names = append(names, string(f.Name))
	}
	if strings.Join(names, " ") != "grpc-status x" {
		t.Errorf("left are %q", names)
	}
	for _, bad := range []string{":status:200", "Upper:x", "connection:x", "a:\x00"} {
		if Trailers(list(bad)) == "" {
			t.Errorf("%q is taken", bad)
		}
	}
	for name, may := range map[string]bool{"X-Sum": true, "grpc-status": true, "Content-Length": false, "TE": false, "Connection": false, ":path": false, "a b": false} {
		f := message.Field{ID: message.LookupName([]byte(name)), Name: []byte(name)}
		if MayTrail(&f) != may {
			t.Errorf("%q may trail: %v", name, !may)
		}
	}
}

func TestTheSizeCountsEveryField(t *testing.T) {
	if n := Size(list("a:b\ncc:ddd")); n != 1+1+32+2+3+32 {
		t.Errorf("size %d", n)
	}
}
