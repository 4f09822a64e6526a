package hpack

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"golang.org/x/net/http2/hpack"

	"pingap/message"
)

func field(name, value string) *message.Field {
	return &message.Field{Name: []byte(name), Value: []byte(value), ID: message.LookupName([]byte(name))}
}

// oracle is a decoder that others wrote.
type oracle struct {
	d   *hpack.Decoder
	out []hpack.HeaderField
}

func newOracle() *oracle {
	o := &oracle{}
	o.d = hpack.NewDecoder(4096, func(f hpack.HeaderField) { o.out = append(o.out, f) })
	return o
}

func (o *oracle) decode(t testing.TB, block []byte) string {
	t.Helper()
	text, err := o.tryDecode(block)
	if err != nil {
		t.Fatalf("%x: %v", block, err)
	}
	return text
}

func TestWhatRepeatsGoesIntoTheTableAndSecretsNever(t *testing.T) {
	for _, c := range []struct {
		f     *message.Field
		sizes string // of three blocks
		never bool
	}{
		{f: field("Content-Type", "text/html"), sizes: "10 9 1"},
		{f: field("Accept-Encoding", "gzip, deflate"), sizes: "1 1 1"},
		{f: field("X-Powered-By", "me"), sizes: "14 14 1"},
		{f: field("strict-transport-security", "max-age=1"), sizes: "10 9 1"},
		{f: field("Date", "x"), sizes: "4 3 1"},
		{f: field("ETag", "12"), sizes: "5 5 5"},
		{f: field("Set-Cookie", "a=b"), sizes: "6 6 6", never: true},
		{f: field("authorization", "a"), sizes: "4 4 4", never: true},
		{f: field("X-Api-Key", "a"), sizes: "11 11 11", never: true},
		{f: field(strings.Repeat("A", 200), "a"), sizes: "205 205 205"},
		{f: field("Server", strings.Repeat("a", 3000)), sizes: "1880 1880 1880"},
	} {
		var e Encoder
		e.Init()
		o := newOracle()
		var sizes []string
		for range 3 {
			block := e.Append(nil, c.f)
			sizes = append(sizes, fmt.Sprint(len(block)))
			want := strings.ToLower(string(c.f.Name)) + ": " + string(c.f.Value) + "\n"
			if got := o.decode(t, block); got != want || o.out[0].Sensitive != c.never {
				t.Errorf("%q decodes as %q, sensitive %t", want, got, o.out[0].Sensitive)
			}
		}
		if got := strings.Join(sizes, " "); got != c.sizes {
			t.Errorf("%q takes %s bytes, want %s", c.f.Name, got, c.sizes)
		}
	}
}

func TestANeverIndexedFieldStaysOne(t *testing.T) {
	for _, name := range []string{"content-type", "x-other", strings.Repeat("x", 300)} {
		var e Encoder
		e.Init()
		o := newOracle()
		f := field(name, "a")
		f.NeverIndex = true
		for range 3 {
			if o.decode(t, e.Append(nil, f)); !o.out[0].Sensitive {
				t.Errorf("%s lost its mark", name)
			}
		}
	}
}

func TestPseudoFieldsAndStatus(t *testing.T) {
	var e Encoder
	e.Init()
	o := newOracle()
	for round := range 3 {
		var block []byte
		want := ""
		for _, f := range [][2]string{
			{":method", "GET"}, {":method", "POST"}, {":method", "CONNECT"}, {":scheme", "http"}, {":scheme", "https"},
			{":path", "/"}, {":path", "/index.html"}, {":path", "/a?b"}, {":path", "/a"}, {":authority", "h"}, {":protocol", "websocket"},
		} {
			block = e.AppendPseudo(block, f[0], []byte(f[1]))
			want += f[0] + ": " + f[1] + "\n"
		}
		for _, status := range []int{100, 200, 204, 206, 302, 304, 400, 404, 500, 503, 999} {
			block = e.AppendStatus(block, status)
			want += fmt.Sprintf(":status: %d\n", status)
		}
		if got := o.decode(t, block); got != want {
			t.Fatalf("round %d: %s", round, got)
		}
		if round == 2 && len(block) != 5+5+1+3+1+1+11 {
			t.Errorf("%d bytes: %x", len(block), block)
		}
	}
}

func TestThePeersTableSizeIsKept(t *testing.T) {
	f := field("a", "b")
	for _, c := range []struct {
		what string
		set  []uint32
		want string // start of the next block
	}{
		{"the same", []uint32{4096}, ""},
		{"more than we use", []uint32{1 << 20}, ""},
		{"more than an int32", []uint32{1<<32 - 1}, ""},
		{"nothing", []uint32{0}, "20"},
		{"nothing, then all", []uint32{0, 4096}, "203f e11f"},
		{"less, less, then more", []uint32{200, 100, 300}, "203f 8d02"},
		{"less", []uint32{100}, "3f45"},
	} {
		var e Encoder
		e.Init()
		o := newOracle()
		for range 3 {
			o.decode(t, e.Append(nil, f))
		}
		for _, n := range c.set {
			e.SetMaxTable(n)
		}
		block := e.Append(nil, f)
		rest, ok := strings.CutPrefix(string(block), string(unhex(t, c.want)))
		if !ok || rest == "" || rest[0]&0xe0 == 0x20 {
			t.Errorf("%s: the next block is %x", c.what, block)
		}
		for range 3 {
			if got := o.decode(t, block); got != "a: b\n" {
				t.Errorf("%s: got %q", c.what, got)
			}
			block = e.Append(nil, f)
		}
		if e.SetMaxTable(4096); len(c.set) > 2 && e.table.len() == 0 {
			t.Errorf("%s: a larger table lost its entries", c.what)
		}
		if got := o.decode(t, e.Append(nil, f)); got != "a: b\n" {
			t.Errorf("%s, then 4096: got %q", c.what, got)
		}
	}
}

// A connection of ten thousand blocks with names and values that come again, change and are secret, table sizes that change, and
// enough of all to turn the table over many times.
func TestALongConnectionStaysInStepWithTheOracle(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	names := []string{"content-type", "Server", "x-a", "x-b", "X-Long-Name-Of-A-Field", "date", "cookie", "vary", "link", "x-token", "via"}
	var e Encoder
	var d Decoder
	e.Init()
	d.Init(4096)
	o := newOracle()
	var mem []byte
	for round := range 10_000 {
		if rnd.IntN(200) == 0 {
			e.SetMaxTable(uint32(rnd.IntN(5000)))
		}
		block := e.AppendStatus(nil, 200+rnd.IntN(4))
		want := ""
		for range rnd.IntN(8) {
			name := names[rnd.IntN(len(names))]
			value := strings.Repeat(string(rune('a'+rnd.IntN(26))), rnd.IntN(60))
			block = e.Append(block, field(name, value))
			want += strings.ToLower(name) + ": " + value + "\n"
		}
		var list message.Fields
		var err error
		mem, _, err = d.Decode(block, &list, mem[:0], roomy)
		theirs := o.decode(t, block)
		_, ours, _ := strings.Cut(lines(&list), "\n")
		_, fields, _ := strings.Cut(theirs, "\n")
		if err != nil || ours != want || fields != want {
			t.Fatalf("round %d: %v, sent\n%sread\n%s", round, err, want, ours)
		}
	}
}

func TestOurDecoderReadsTheOraclesBlocks(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	var out strings.Builder
	enc := hpack.NewEncoder(&out)
	var d Decoder
	d.Init(4096)
	var mem []byte
	for round := range 5_000 {
		if rnd.IntN(100) == 0 {
			enc.SetMaxDynamicTableSize(uint32(rnd.IntN(4097)))
		}
		out.Reset()
		want := ""
		for range rnd.IntN(10) {
			f := hpack.HeaderField{Name: fmt.Sprintf("name-%d", rnd.IntN(40)), Sensitive: rnd.IntN(9) == 0}
			b := make([]byte, rnd.IntN(40))
			for i := range b {
				b[i] = byte(rnd.IntN(2) * rnd.IntN(256))
			}
			f.Value = string(b)
			if err := enc.WriteField(f); err != nil {
				t.Fatal(err)
			}
			want += f.Name + ": " + f.Value + "\n"
		}
		var list message.Fields
		var err error
		mem, _, err = d.Decode([]byte(out.String()), &list, mem[:0], roomy)
		if err != nil || lines(&list) != want {
			t.Fatalf("round %d: %v, %q, want %q", round, err, lines(&list), want)
		}
	}
}

func TestEverySymbolSurvivesTheHuffmanCode(t *testing.T) {
	for a := range 256 {
		for b := range 256 {
			text := string([]byte{byte(a), byte(b), byte(a)})
			coded := appendCoded(nil, []byte(text))
			if want := hpack.AppendHuffmanString(nil, text); string(coded) != string(want) {
				t.Fatalf("%q is %x, want %x", text, coded, want)
			}
			if back, err := appendDecoded(nil, coded); err != nil || string(back) != text {
				t.Fatalf("%q comes back as %q, %v", text, back, err)
			}
		}
	}
}
