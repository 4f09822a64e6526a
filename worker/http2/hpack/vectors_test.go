package hpack

import (
	"encoding/hex"
	"strings"
	"testing"

	"pingap/message"
)

// unhex reads bytes as the RFC prints them.
func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// lines prints fields, one a line.
func lines(list *message.Fields) string {
	var b strings.Builder
	for _, f := range list.List() {
		b.WriteString(string(f.Name) + ": " + string(f.Value) + "\n")
	}
	return b.String()
}

// step is one block of a connection, what it means, and the size of the table behind it.
type step struct {
	block, fields string
	size          int
}

func request(more string) string {
	return ":method: GET\n:scheme: http\n:path: /\n:authority: www.example.com\n" + more
}

const (
	date21   = "Mon, 21 Oct 2013 20:13:21 GMT"
	date22   = "Mon, 21 Oct 2013 20:13:22 GMT"
	setFoo   = "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1"
	examples = "https://www.example.com"
)

// connections are those of appendix C.
func connections() map[string]struct {
	max   int
	steps []step
} {
	type conn = struct {
		max   int
		steps []step
	}
	last := ":method: GET\n:scheme: https\n:path: /index.html\n:authority: www.example.com\ncustom-key: custom-value\n"
	first := ":status: 302\ncache-control: private\ndate: " + date21 + "\nlocation: " + examples + "\n"
	second := strings.Replace(first, "302", "307", 1)
	third := ":status: 200\ncache-control: private\ndate: " + date22 + "\nlocation: " + examples +
		"\ncontent-encoding: gzip\nset-cookie: " + setFoo + "\n"
	return map[string]conn{
		"C.2.1 literal with indexing":    {4096, []step{{"400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572", "custom-key: custom-header\n", 55}}},
		"C.2.2 literal without indexing": {4096, []step{{"040c 2f73 616d 706c 652f 7061 7468", ":path: /sample/path\n", 0}}},
		"C.2.3 literal never indexed":    {4096, []step{{"1008 7061 7373 776f 7264 0673 6563 7265 74", "password: secret\n", 0}}},
		"C.2.4 indexed":                  {4096, []step{{"82", ":method: GET\n", 0}}},
		"C.3 requests": {4096, []step{
			{"8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d", request(""), 57},
			{"8286 84be 5808 6e6f 2d63 6163 6865", request("cache-control: no-cache\n"), 110},
			{"8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65", last, 164},
		}},
		"C.4 requests, huffman": {4096, []step{
			{"8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff", request(""), 57},
			{"8286 84be 5886 a8eb 1064 9cbf", request("cache-control: no-cache\n"), 110},
			{"8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf", last, 164},
		}},
		"C.5 responses": {256, []step{
			{"4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d 54" +
				"6e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d", first, 222},
			{"4803 3330 37c1 c0bf", second, 222},
			{"88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f 6f3d" +
				"4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31",
				third, 215},
		}},
		"C.6 responses, huffman": {256, []step{
			{"4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
				first, 222},
			{"4883 640e ffc1 c0bf", second, 222},
			{"88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960" +
				"d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07", third, 215},
		}},
	}
}

func TestTheExamplesOfTheRFCAreDecoded(t *testing.T) {
	for name, conn := range connections() {
		var d Decoder
		d.Init(conn.max)
		for i, s := range conn.steps {
			var list message.Fields
			_, over, err := d.Decode(unhex(t, s.block), &list, nil, Limit{1 << 16, 100})
			if err != nil || over || lines(&list) != s.fields || d.table.size != s.size {
				t.Errorf("%s, block %d: table of %d, over %t, %v, fields\n%s", name, i+1, d.table.size, over, err, lines(&list))
			}
		}
	}
}

func TestTheHuffmanCodeIsThatOfTheRFC(t *testing.T) {
	for _, c := range []struct{ text, code string }{
		{"www.example.com", "f1e3 c2e5 f23a 6ba0 ab90 f4ff"},
		{"no-cache", "a8eb 1064 9cbf"},
		{setFoo, "94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07"},
	} {
		want := string(unhex(t, c.code))
		if got := appendCoded(nil, []byte(c.text)); string(got) != want || codedLen(c.text) != len(want) {
			t.Errorf("%q is %x, length %d, want %x", c.text, got, codedLen(c.text), want)
		}
	}
}
