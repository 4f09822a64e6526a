package http1

import (
	"testing"

	"pingap/message"
)

func TestFramingOfRequests(t *testing.T) {
	none := Framing{KeepAlive: true}
	for raw, want := range map[string]Framing{
		"GET / HTTP/1.1\r\nHost: h\r\n\r\n":                                                  none,
		"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n":                             {},
		"GET / HTTP/1.1\r\nHost: h\r\nConnection: x, CLOSE\r\n\r\n":                          {},
		"GET / HTTP/1.1\r\nHost: h\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n":   {},
		"GET / HTTP/1.1\r\nHost: h\r\nConnection: closed\r\n\r\n":                            none,
		"GET / HTTP/1.1\r\nHost: h\r\nProxy-Connection: close\r\n\r\n":                       none,
		"GET / HTTP/1.0\r\n\r\n":                                                             {},
		"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n":                                   none,
		"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n":                            {},
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 999999999999999999\r\n\r\n":           {Length: 999999999999999999, KeepAlive: true},
		"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n":                   {Length: message.LengthUnknown, Chunked: true, KeepAlive: true},
		"POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n":    {Length: 1, KeepAlive: true, Expect: true},
		"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n":               {Length: 1},
		"GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n":     {KeepAlive: true, Upgrade: true},
		"GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: websocket,h2c\r\n\r\n": {KeepAlive: true, H2C: true},
		"GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\n\r\n":                           none,
		"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\r\n":                            none,
		"GET / HTTP/1.1\r\nHost: h\r\nTE: trailers\r\n\r\n":                                  none,
		"GET / HTTP/1.1\r\nHost: h\r\nTE: x, Trailers\r\nConnection: te\r\n\r\n":             {KeepAlive: true, TETrailers: true},
	} {
		if req, _, got, err := parseRequest(raw); err != nil || got != want || req.BodyLength != want.Length {
			t.Errorf("%q: %+v, %v, want %+v", raw, got, err, want)
		}
	}
}

func TestFramingOfResponses(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	chunked := Framing{Length: message.LengthUnknown, Chunked: true, KeepAlive: true}
	untilClose := Framing{Length: message.LengthUnknown, UntilClose: true}
	switching := "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"
	for _, tc := range []struct {
		raw  string
		ask  Ask
		want Framing
	}{
		{ok + "Content-Length: 5\r\n\r\n", Ask{}, Framing{Length: 5, KeepAlive: true}},
		{ok + "Content-Length: 0\r\n\r\n", Ask{}, Framing{KeepAlive: true}},
		{ok + "Transfer-Encoding: chunked\r\n\r\n", Ask{}, chunked},
		{ok + "\r\n", Ask{}, untilClose},
		{ok + "Connection: keep-alive\r\n\r\n", Ask{}, untilClose},
		{"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", Ask{}, Framing{Length: 5}},
		{"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\n", Ask{}, Framing{Length: 5, KeepAlive: true}},
		{ok + "Content-Length: 5\r\n\r\n", Ask{Head: true}, Framing{KeepAlive: true}},
		{ok + "Transfer-Encoding: chunked\r\n\r\n", Ask{Head: true}, Framing{KeepAlive: true}},
		{ok + "\r\n", Ask{Head: true}, Framing{KeepAlive: true}},
		{"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", Ask{}, Framing{KeepAlive: true}},
		{"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", Ask{}, Framing{KeepAlive: true}},
		{"HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\n", Ask{}, Framing{KeepAlive: true}},
		{switching, Ask{Upgrade: true}, Framing{KeepAlive: true, Upgrade: true}},
		{switching, Ask{}, Framing{KeepAlive: true}},
		{"HTTP/1.1 200 OK\r\nConnection: Upgrade\r\nUpgrade: x\r\nContent-Length: 5\r\n\r\n", Ask{Upgrade: true}, Framing{Length: 5, KeepAlive: true}},
		{"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", Ask{Upgrade: true}, Framing{KeepAlive: true, H2C: true}},
	} {
		if resp, _, got, err := parseResponse(tc.raw, tc.ask); err != nil || got != tc.want || resp.BodyLength != tc.want.Length {
			t.Errorf("%q, %+v: %+v, %v, want %+v", tc.raw, tc.ask, got, err, tc.want)
		}
	}
}

func TestAbsoluteFormRulesHostForEveryoneBehind(t *testing.T) {
	for raw, want := range map[string]string{
		"GET http://a.example:81/x HTTP/1.1\r\nHost: b.example\r\n\r\n": "a.example:81",
		"GET http://a.example/ HTTP/1.0\r\n\r\n":                        "a.example",
		"GET / HTTP/1.1\r\nHost: b.example\r\n\r\n":                     "b.example",
	} {
		req, _, _, err := parseRequest(raw)
		if err != nil || string(req.Host) != want {
			t.Errorf("%q: Host %q, %v", raw, req.Host, err)
		}
		if got, there := req.Fields.Lookup("Host"); there && string(got) != want {
			t.Errorf("%q: the field says %q", raw, got)
		}
	}
}

// What is set on a parsed head goes out, whatever Connection named; each field that frames goes out once.
func TestWhatIsAddedIsNotRemoved(t *testing.T) {
	req, _, f, _ := parseRequest("GET / HTTP/1.0\r\nConnection: X-Forwarded-For, cookie\r\nX-Forwarded-For: 1.1.1.1\r\n\r\n")
	req.Fields.Set("X-Forwarded-For", []byte("2.2.2.2"))
	req.Fields.Set("Host", []byte("set"))
	if got, want := forwarded(req, f), "GET / HTTP/1.1\r\nX-Forwarded-For: 2.2.2.2\r\nHost: set\r\n\r\n"; got != want {
		t.Errorf("goes on as %q, want %q", got, want)
	}
}

func TestInterimResponsesGoOnWithoutFraming(t *testing.T) {
	resp, _, _, err := parseResponse("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nContent-Length: 5\r\nConnection: x\r\nX: y\r\nKeep-Alive: z\r\n\r\n", Ask{})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(AppendInterim(nil, resp)), "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"; got != want {
		t.Errorf("goes on as %q, want %q", got, want)
	}
}
