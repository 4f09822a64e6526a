package proxyproto

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"net/netip"
	"strings"
	"testing"
)

// v2 makes a binary header.
func v2(command, family byte, block string) string {
	return signature + string([]byte{command, family}) + string(binary.BigEndian.AppendUint16(nil, uint16(len(block)))) + block
}

func value(kind byte, text string) string {
	return string([]byte{kind}) + string(binary.BigEndian.AppendUint16(nil, uint16(len(text)))) + text
}

// withChecksum appends a checksum over the whole header.
func withChecksum(command, family byte, block string) string {
	header := []byte(v2(command, family, block+value(typeCRC32C, "\x00\x00\x00\x00")))
	binary.BigEndian.PutUint32(header[len(header)-4:], crc32.Checksum(header, castagnoli))
	return string(header)
}

const (
	inet  = "\xc0\x00\x02\x01\xc6\x33\x64\x02\xdc\x04\x01\xbb" // 192.0.2.1:56324, 198.51.100.2:443
	inet6 = "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01" +
		"\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\xdc\x04\x01\xbb"
	mapped = "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xc0\x00\x02\x01" +
		"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xc6\x33\x64\x02\xdc\x04\x01\xbb"
	longV1 = "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"
)

type good struct {
	what, header, source, destination string // no source: Local
	alpn, authority, id               string
}

func goodHeaders() []good {
	return []good{
		{"v1 IPv4", "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n", "192.0.2.1:56324", "198.51.100.2:443", "", "", ""},
		{"v1 extremes", "PROXY TCP4 255.255.255.255 0.0.0.0 65535 0\r\n", "255.255.255.255:65535", "0.0.0.0:0", "", "", ""},
		{"v1 IPv6", "PROXY TCP6 2001:db8::1 2001:DB8:0:0:0:0:0:2 1 2\r\n", "[2001:db8::1]:1", "[2001:db8::2]:2", "", "", ""},
		{"v1 mapped", "PROXY TCP6 ::ffff:192.0.2.1 ::ffff:c633:6402 1 2\r\n", "192.0.2.1:1", "198.51.100.2:2", "", "", ""},
		{"v1 unknown", "PROXY UNKNOWN\r\n", "", "", "", "", ""},
		{"v1 unknown, of the full length", longV1, "", "", "", "", ""},
		{"v1 unknown with anything", "PROXY UNKNOWN \x00\xff\r\r\n", "", "", "", "", ""},
		{"v2 IPv4", v2(commandProxy, 0x11, inet), "192.0.2.1:56324", "198.51.100.2:443", "", "", ""},
		{"v2 IPv6", v2(commandProxy, 0x21, inet6), "[2001:db8::1]:56324", "[2001:db8::2]:443", "", "", ""},
		{"v2 mapped", v2(commandProxy, 0x21, mapped), "192.0.2.1:56324", "198.51.100.2:443", "", "", ""},
		{"v2 UDP", v2(commandProxy, 0x12, inet), "", "", "", "", ""},
		{"v2 IPv4 of no protocol", v2(commandProxy, 0x10, inet), "", "", "", "", ""},
		{"v2 unix", v2(commandProxy, 0x31, strings.Repeat("/", 216)+value(typeALPN, "h2")), "", "", "h2", "", ""},
		{"v2 unspecified", v2(commandProxy, 0x00, ""), "", "", "", "", ""},
		{"v2 unspecified with anything", v2(commandProxy, 0x00, "anything"), "", "", "", "", ""},
		{"v2 local", v2(commandLocal, 0x00, ""), "", "", "", "", ""},
		{"v2 local with a family of its own", v2(commandLocal, 0xff, "anything"), "", "", "", "", ""},
		{
			"v2 values", v2(commandProxy, 0x11, inet+value(typeALPN, "h2")+value(typeAuthority, "a.b")+value(0x04, "")+value(0xea, "\x01vpce")+
				value(typeUniqueID, strings.Repeat("i", 128))), "192.0.2.1:56324", "198.51.100.2:443", "h2", "a.b", strings.Repeat("i", 128),
		},
		{"v2 checksum", withChecksum(commandProxy, 0x11, inet+value(typeALPN, "h2")), "192.0.2.1:56324", "198.51.100.2:443", "h2", "", ""},
		{"v2 of the full length", v2(commandProxy, 0x11, inet+value(4, strings.Repeat("x", MaxV2-fixedV2-12-3))), "192.0.2.1:56324", "198.51.100.2:443", "", "", ""},
	}
}

func TestHeadersAreReadHoweverTheyCome(t *testing.T) {
	for _, c := range goodHeaders() {
		for i := range len(c.header) {
			if _, n, err := Parse([]byte(c.header[:i])); n != 0 || err != nil {
				t.Fatalf("%s: its first %d bytes are %d, %v", c.what, i, n, err)
			}
		}
		for _, behind := range []string{"", "GET / HTTP/1.1\r\n", "\r\n"} {
			h, n, err := Parse([]byte(c.header + behind))
			if err != nil || n != len(c.header) || h.Local != (c.source == "") ||
				string(h.ALPN) != c.alpn || string(h.Authority) != c.authority || string(h.UniqueID) != c.id {
				t.Errorf("%s: %d, %v, %+v", c.what, n, err, h)
				continue
			}
			if !h.Local && (h.Source.String() != c.source || h.Destination.String() != c.destination) || h.Local && h.Source.IsValid() {
				t.Errorf("%s: from %s to %s", c.what, h.Source, h.Destination)
			}
			if (h.Version == V1) != strings.HasPrefix(c.what, "v1") {
				t.Errorf("%s: version %d", c.what, h.Version)
			}
		}
	}
}

func TestWhatIsNoHeaderIsRefused(t *testing.T) {
	for _, c := range []struct {
		what, bytes string
		want        error
	}{
		{"HTTP", "GET / HTTP/1.1\r\n", ErrAbsent},
		{"its first letter", "G", ErrAbsent},
		{"PRI", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", ErrAbsent},
		{"TLS", "\x16\x03\x01", ErrAbsent},
		{"a broken signature", "\r\n\r\n\x00\r\nQUIX", ErrAbsent},
		{"lower case", "proxy TCP4", ErrAbsent},
		{"two blanks", "PROXY  TCP4 192.0.2.1 198.51.100.2 1 2\r\n", ErrLine},
		{"nothing behind", "PROXY \r\n", ErrLine},
		{"only a family", "PROXY TCP4\r\n", ErrLine},
		{"another family", "PROXY TCP5 192.0.2.1 198.51.100.2 1 2\r\n", ErrLine},
		{"a longer unknown", "PROXY UNKNOWNS\r\n", ErrLine},
		{"LF alone", "PROXY TCP4 192.0.2.1 198.51.100.2 1 2\n", ErrLine},
		{"LF alone behind UNKNOWN", "PROXY UNKNOWN\n", ErrLine},
		{"the other family", "PROXY TCP4 ::1 ::1 1 2\r\n", ErrLine},
		{"IPv4 as TCP6", "PROXY TCP6 192.0.2.1 198.51.100.2 1 2\r\n", ErrLine},
		{"a zone", "PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n", ErrLine},
		{"leading zeros", "PROXY TCP4 192.0.02.1 198.51.100.2 1 2\r\n", ErrLine},
		{"leading zeros in a port", "PROXY TCP4 192.0.2.1 198.51.100.2 01 2\r\n", ErrLine},
		{"a port of 65536", "PROXY TCP4 192.0.2.1 198.51.100.2 65536 2\r\n", ErrLine},
		{"a port with a sign", "PROXY TCP4 192.0.2.1 198.51.100.2 +1 2\r\n", ErrLine},
		{"an empty port", "PROXY TCP4 192.0.2.1 198.51.100.2  2\r\n", ErrLine},
		{"a port too few", "PROXY TCP4 192.0.2.1 198.51.100.2 1\r\n", ErrLine},
		{"a port too many", "PROXY TCP4 192.0.2.1 198.51.100.2 1 2 3\r\n", ErrLine},
		{"a trailing blank", "PROXY TCP4 192.0.2.1 198.51.100.2 1 2 \r\n", ErrLine},
		{"a line that does not end", "PROXY UNKNOWN " + strings.Repeat("x", MaxV1-14), ErrLine},
		{"a line of 108 bytes", "PROXY UNKNOWN " + strings.Repeat("x", MaxV1-14-1) + "\r\n", ErrLine},
		{"version 1 in binary", v2(0x11, 0x11, inet), ErrVersion},
		{"another command", v2(0x22, 0x11, inet), ErrVersion},
		{"another family in binary", v2(commandProxy, 0x41, inet), ErrFamily},
		{"another protocol", v2(commandProxy, 0x13, inet), ErrFamily},
		{"addresses too short", v2(commandProxy, 0x11, inet[:11]), ErrLength},
		{"unix addresses too short", v2(commandProxy, 0x31, inet), ErrLength},
		{"too long, at once", v2(commandProxy, 0x11, strings.Repeat("x", MaxV2-fixedV2+1))[:fixedV2], ErrLength},
		{"a value that is cut", v2(commandProxy, 0x11, inet+"\x01\x00\x02h"), ErrValues},
		{"a value without a length", v2(commandProxy, 0x11, inet+"\x01\x00"), ErrValues},
		{"a unique id of 129 bytes", v2(commandProxy, 0x11, inet+value(typeUniqueID, strings.Repeat("i", 129))), ErrValues},
		{"a checksum of 3 bytes", v2(commandProxy, 0x11, inet+value(typeCRC32C, "xxx")), ErrValues},
		{"two checksums", withChecksum(commandProxy, 0x11, inet+value(typeCRC32C, "xxxx")), ErrValues},
		{"a wrong checksum", v2(commandProxy, 0x11, inet+value(typeCRC32C, "xxxx")), ErrChecksum},
		{"a bit that flipped", strings.Replace(withChecksum(commandProxy, 0x11, inet), "\xc0\x00\x02\x01", "\xc0\x00\x02\x03", 1), ErrChecksum},
	} {
		if h, n, err := Parse([]byte(c.bytes)); !errors.Is(err, c.want) || n != 0 || h.Source.IsValid() {
			t.Errorf("%s: %d, %v, want %v", c.what, n, err, c.want)
		}
	}
}

func TestWrittenHeadersAreRead(t *testing.T) {
	for _, c := range []struct{ source, destination, v1 string }{
		{"192.0.2.1:56324", "198.51.100.2:443", "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n"},
		{"[2001:db8::1]:1", "[::1]:65535", "PROXY TCP6 2001:db8::1 ::1 1 65535\r\n"},
		{"[::ffff:192.0.2.1]:1", "198.51.100.2:2", "PROXY TCP4 192.0.2.1 198.51.100.2 1 2\r\n"},
		{"192.0.2.1:1", "[::1]:2", "PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n"},
		{"[fe80::1%eth0]:1", "[fe80::2%eth0]:2", "PROXY TCP6 fe80::1 fe80::2 1 2\r\n"},
		{"", "198.51.100.2:2", "PROXY UNKNOWN\r\n"},
		{"192.0.2.1:1", "", "PROXY UNKNOWN\r\n"},
	} {
		source, _ := netip.ParseAddrPort(c.source)
		destination, _ := netip.ParseAddrPort(c.destination)
		for version := V1; version <= V2; version++ {
			out := Append([]byte("x"), version, source, destination)[1:]
			if version == V1 && string(out) != c.v1 {
				t.Errorf("%s to %s is %q", c.source, c.destination, out)
			}
			h, n, err := Parse(out)
			local := c.source == "" || c.destination == ""
			if err != nil || n != len(out) || h.Version != version || h.Local != local {
				t.Errorf("%s to %s, version %d: %d, %v, %+v", c.source, c.destination, version, n, err, h)
			}
			if !local && (h.Source != plain(source) || h.Destination != plain(destination)) {
				t.Errorf("%s to %s, version %d, comes back as %s to %s", c.source, c.destination, version, h.Source, h.Destination)
			}
		}
	}
}

func plain(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().WithZone("").Unmap(), a.Port())
}

func TestOurOwnConnectionsAreLocal(t *testing.T) {
	for version, want := range map[Version]string{V1: "PROXY UNKNOWN\r\n", V2: signature + "\x20\x00\x00\x00"} {
		out := AppendLocal(nil, version)
		if h, n, err := Parse(out); string(out) != want || !h.Local || n != len(out) || err != nil {
			t.Errorf("version %d: %q, %+v, %v", version, out, h, err)
		}
	}
}

func TestHeadersCostNoMemory(t *testing.T) {
	out := make([]byte, 0, 256)
	source, destination := netip.MustParseAddrPort("[2001:db8::1]:1"), netip.MustParseAddrPort("[::1]:2")
	full := []byte(withChecksum(commandProxy, 0x11, inet+value(typeALPN, "h2")))
	if n := testing.AllocsPerRun(100, func() {
		out = Append(Append(out[:0], V2, source, destination), V1, source, destination)
		for _, header := range [][]byte{out, full} {
			if _, n, err := Parse(header); n == 0 || err != nil {
				t.Fatal(n, err)
			}
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzParse(f *testing.F) {
	for _, c := range goodHeaders() {
		f.Add([]byte(c.header+"GET /"), 20)
	}
	f.Fuzz(func(t *testing.T, buf []byte, at int) {
		before := bytes.Clone(buf)
		at = min(max(at, 0), len(buf))
		h, n, err := Parse(buf)
		_, early, earlyErr := Parse(buf[:at])
		if n > len(buf) || n > MaxV2 || n > 0 && err != nil || early > 0 && early != n || earlyErr != nil && err == nil {
			t.Fatalf("%q is %d, %v; its first %d bytes %d, %v", buf, n, err, at, early, earlyErr)
		}
		if n == 0 && err == nil && len(buf) >= MaxV2 {
			t.Fatal("a header without end")
		}
		if !bytes.Equal(before, buf) {
			t.Fatal("the bytes were changed")
		}
		if n == 0 || h.Local {
			return
		}
		for version := V1; version <= V2; version++ {
			out := Append(nil, version, h.Source, h.Destination)
			again, m, err := Parse(out)
			if err != nil || m != len(out) || version == V1 && m > MaxV1 || again.Source != h.Source || again.Destination != h.Destination {
				t.Fatalf("%s to %s is written as %q: %v, %+v", h.Source, h.Destination, out, err, again)
			}
		}
	})
}
