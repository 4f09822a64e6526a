package proxy

import (
	"fmt"
	"slices"
	"strings"
)

// plain are the fields of a valid GET, with more behind them.
func plain(more ...string) []string {
	return append([]string{":method=GET", ":scheme=http", ":authority=h", ":path=/"}, more...)
}

// posted are those of a POST.
func posted(more ...string) []string {
	return append([]string{":method=POST", ":scheme=http", ":authority=h", ":path=/"}, more...)
}

// asked is a request, and what is to become of it.
type asked struct {
	name, want string
	end        bool
	fields     []string
	parts      []part
}

const malformed = "reset PROTOCOL_ERROR"

// invalid are requests that must not reach an upstream.
func invalid() []asked {
	return slices.Concat(badBytes(), badFields(), badTargets(), badBodies())
}

type asking []asked

// add adds a request without a body, body one with frames behind its head.
func (l *asking) add(name, want string, fields ...string) {
	*l = append(*l, asked{name, want, true, fields, nil})
}

func (l *asking) body(name, want string, fields []string, parts ...part) {
	*l = append(*l, asked{name, want, false, fields, parts})
}

// get adds a request with a pseudo-field in place of another.
func (l *asking) get(name, want, in, field string) {
	fields := plain()
	for i := range fields {
		if strings.HasPrefix(fields[i], in+"=") {
			fields[i] = field
		}
	}
	l.add(name, want, fields...)
}

// badBytes have bytes in them that end a line, a word or a field somewhere.
func badBytes() (l asking) {
	for _, c := range "\x00\r\n\x01\x0b\x0c\x7f" {
		l.add(fmt.Sprintf("value with %q", c), malformed, plain("x=a"+string(c)+"b")...)
		l.add(fmt.Sprintf("value that ends in %q", c), malformed, plain("x=a"+string(c))...)
		l.add(fmt.Sprintf("name with %q", c), malformed, plain("x"+string(c)+"y=a")...)
		l.get(fmt.Sprintf("path with %q", c), malformed, ":path", ":path=/a"+string(c)+"b")
		l.get(fmt.Sprintf("method with %q", c), malformed, ":method", ":method=GET"+string(c))
		l.get(fmt.Sprintf("authority with %q", c), malformed, ":authority", ":authority=h"+string(c))
		l.get(fmt.Sprintf("scheme with %q", c), malformed, ":scheme", ":scheme=http"+string(c))
	}
	l.add("value with a whole request", malformed, plain("x=a\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: h")...)
	l.add("value with a field", malformed, plain("x=a\r\ntransfer-encoding: chunked")...)
	for _, name := range []string{"", "x y", "x:y", " x", "x ", "X", "Content-Length", "x\ty", "x\xe4", "(x)", "x/y", "x,y", "x;y", "x\"y", "host:", "transfer-encoding "} {
		l.add(fmt.Sprintf("name %q", name), malformed, plain("\x00"+name)...)
	}
	for _, value := range []string{" a", "a ", "\ta", "a\t"} {
		l.add(fmt.Sprintf("value %q", value), malformed, plain("x="+value)...)
	}
	return l
}

// badFields have fields of the connection, and pseudo-fields that are too many, too few or in the wrong place.
func badFields() (l asking) {
	for _, field := range []string{"connection=close", "connection=x", "keep-alive=5", "proxy-connection=close", "transfer-encoding=chunked",
		"transfer-encoding=identity", "transfer-encoding=", "upgrade=h2c", "upgrade=websocket", "te=gzip", "te=trailers, gzip", "te=trailers;q=1"} {
		l.add(field, malformed, plain(field)...)
	}
	l.add("pseudo-field twice", malformed, plain(":method=GET")...)
	l.add("path twice", malformed, plain(":path=/b")...)
	l.add("authority twice", malformed, plain(":authority=b")...)
	l.add("unknown pseudo-field", malformed, plain(":x=y")...)
	l.add("status in a request", malformed, plain(":status=200")...)
	l.add("pseudo-field behind a field", malformed, ":method=GET", ":scheme=http", ":authority=h", "x=y", ":path=/")
	l.add("protocol without CONNECT", malformed, plain(":protocol=websocket")...)
	l.add("no method", malformed, ":scheme=http", ":authority=h", ":path=/")
	l.add("no scheme", malformed, ":method=GET", ":authority=h", ":path=/")
	l.add("no path", malformed, ":method=GET", ":scheme=http", ":authority=h")
	l.add("empty path", malformed, ":method=GET", ":scheme=http", ":authority=h", ":path=")
	l.add("empty method", malformed, ":method=", ":scheme=http", ":authority=h", ":path=/")
	return l
}

// badTargets say something else than what is asked of whom.
func badTargets() (l asking) {
	for _, method := range []string{"GET /smuggled HTTP/1.1", "G(T", "G:T", "GET\xe4", strings.Repeat("M", 33)} {
		l.add("method "+method, malformed, ":method="+method, ":scheme=http", ":authority=h", ":path=/")
	}
	l.add("CONNECT with a path", malformed, ":method=CONNECT", ":scheme=http", ":authority=h", ":path=/")
	l.add("CONNECT", "405", ":method=CONNECT", ":authority=h:80")
	for _, path := range []string{"/ HTTP/1.1", "/a b", "http://h/", "http://other/", "h:80", "*", "a", "?a", "#a", "/a#b", "/%", "/%0", "/%zz", "/%00"} {
		l.add("path "+path, "400", ":method=GET", ":scheme=http", ":authority=h", ":path="+path)
	}
	l.add("long path", "414", ":method=GET", ":scheme=http", ":authority=h", ":path=/"+strings.Repeat("a", 8<<10))
	l.add("scheme ftp", "400", ":method=GET", ":scheme=ftp", ":authority=h", ":path=/")
	l.add("empty scheme", "400", ":method=GET", ":scheme=", ":authority=h", ":path=/")
	l.add("no authority", "400", ":method=GET", ":scheme=http", ":path=/")
	for _, authority := range []string{"", "u@h", "h/", "h?x", "h,i", "h i", "h:x", "h:99999", "[::1", "h\xe4", "%68", "h:80:80", strings.Repeat("a", 261)} {
		l.add("authority "+authority, "400", ":method=GET", ":scheme=http", ":authority="+authority, ":path=/")
		l.add("host "+authority, "400", ":method=GET", ":scheme=http", ":path=/", "host="+authority)
	}
	l.add("host against authority", "400", plain("host=other")...)
	l.add("host twice", malformed, plain("host=h", "host=h")...)
	l.add("expect something", "417", plain("expect=x")...)
	return l
}

// badBodies are not what their heads say.
func badBodies() (l asking) {
	for _, length := range []string{"", "+1", "-1", "1,1", "1 ", "0x1", "1e1", "١", "9999999999999999999"} {
		l.add("content-length "+length, malformed, posted("content-length="+length)...)
	}
	l.add("content-length twice", malformed, posted("content-length=0", "content-length=0")...)
	l.add("content-length without a body", malformed, posted("content-length=5")...)
	l.body("less than content-length", malformed, posted("content-length=5"), part{data: "hell", end: true})
	l.body("more than content-length", malformed, posted("content-length=5"), part{data: "hello!", end: true})
	l.body("more than content-length, later", malformed, posted("content-length=5"), part{data: "hello"}, part{data: smuggled, end: true})
	l.body("data though content-length is 0", malformed, posted("content-length=0"), part{data: smuggled, end: true})
	l.body("less than content-length, with trailers", malformed, posted("content-length=5"), part{data: "hell"}, part{trailers: []string{"x=y"}, end: true})
	for _, trailer := range []string{":path=/b", ":method=GET", ":status=200", "X=y", "x=a\r\nb", "x y=z", "connection=close", "transfer-encoding=chunked", "upgrade=h2c"} {
		l.body("trailer "+trailer, malformed, posted(), part{data: "hello"}, part{trailers: []string{trailer}, end: true})
	}
	l.body("trailers that end nothing", malformed, posted(), part{data: "hello"}, part{trailers: []string{"x=y"}}, part{data: "more", end: true})
	return l
}
