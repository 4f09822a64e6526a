package hpack

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"pingap/message"
)

var roomy = Limit{1 << 20, 1000}

func TestBrokenBlocksAreRefused(t *testing.T) {
	for _, c := range []struct {
		what, block string
		want        error
	}{
		{"index 0", "80", ErrIndex},
		{"index behind the static table", "be", ErrIndex},
		{"name index outside", "7f00 0161", ErrIndex},
		{"index that does not end", "ff", ErrTruncated},
		{"index with continuation that does not end", "ff80 80", ErrTruncated},
		{"index over 2^31", "ffff ffff ffff 7f", ErrInteger},
		{"index with endless zeros", "ff80 8080 8080 8080 00", ErrInteger},
		{"literal without anything", "40", ErrTruncated},
		{"literal without a value", "4001 61", ErrTruncated},
		{"name longer than the block", "4005 61", ErrTruncated},
		{"value longer than the block", "4001 6102 61", ErrTruncated},
		{"value of 2^28", "4001 617f ffff ff7f", ErrTruncated},
		{"padding of 8 bits", "0001 6182 1fff", ErrHuffman},
		{"padding of nothing but 8 bits", "0001 6181 ff", ErrHuffman},
		{"padding of zeros", "0001 6181 18", ErrHuffman},
		{"EOS", "0001 6184 ffff ffff", ErrHuffman},
		{"EOS behind a letter", "0001 6185 1fff ffff ff", ErrHuffman},
		{"update above the limit", "3fe2 1f", ErrTableSize},
		{"update behind a field", "8220", ErrUpdatePlace},
	} {
		var d Decoder
		var list message.Fields
		d.Init(4096)
		if _, _, err := d.Decode(unhex(t, c.block), &list, nil, roomy); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.what, err, c.want)
		}
	}
}

func TestATableSizeUpdateEmptiesTheTable(t *testing.T) {
	var d Decoder
	var list message.Fields
	d.Init(4096)
	for _, block := range []string{"4001 6101 62", "be", "20be"} {
		list.Reset()
		_, _, err := d.Decode(unhex(t, block), &list, nil, roomy)
		if wrong := block == "20be"; wrong != errors.Is(err, ErrIndex) {
			t.Errorf("%s: %v", block, err)
		}
	}
	list.Reset()
	if _, _, err := d.Decode(unhex(t, "2030 4001 6101 62"), &list, nil, roomy); err != nil || d.table.len() != 0 {
		t.Errorf("an entry of 34 bytes in a table of 16: %d entries, %v", d.table.len(), err)
	}
}

func TestASmallerTableHasToBeAcknowledged(t *testing.T) {
	for _, c := range []struct {
		block string
		want  error
	}{{"82", ErrUpdateAbsent}, {"", ErrUpdateAbsent}, {"3f45 82", nil}, {"3f46 82", ErrTableSize}, {"2082", nil}} {
		var d Decoder
		var list message.Fields
		d.Init(4096)
		d.SetMaxTable(100)
		_, _, err := d.Decode(unhex(t, c.block), &list, nil, roomy)
		if !errors.Is(err, c.want) || c.want == nil && err != nil {
			t.Errorf("%q: %v, want %v", c.block, err, c.want)
		}
		if err == nil {
			if _, _, err = d.Decode(unhex(t, "82"), &list, nil, roomy); err != nil {
				t.Errorf("%q, then the next block: %v", c.block, err)
			}
		}
	}
	var d Decoder
	var list message.Fields
	d.Init(4096)
	d.SetMaxTable(8192)
	if _, _, err := d.Decode(unhex(t, "82"), &list, nil, roomy); err != nil {
		t.Errorf("a larger table need not be used: %v", err)
	}
}

func TestAListOverItsLimitKeepsTheTableInStep(t *testing.T) {
	// :method GET (42), a: b with indexing (34), c: d with indexing (34)
	block := "82 4001 6101 62 4001 6301 64"
	for _, c := range []struct {
		limit Limit
		want  string
	}{
		{Limit{110, 3}, ":method: GET\na: b\nc: d\n"},
		{Limit{109, 3}, ":method: GET\na: b\n"},
		{Limit{110, 2}, ":method: GET\na: b\n"},
		{Limit{41, 3}, ""}, // what would still fit behind does not come either
		{Limit{}, ""},
	} {
		var d Decoder
		var list message.Fields
		d.Init(4096)
		mem, over, err := d.Decode(unhex(t, block), &list, nil, c.limit)
		if err != nil || lines(&list) != c.want || over != (list.Len() < 3) {
			t.Errorf("%+v: over %t, %v, fields\n%s", c.limit, over, err, lines(&list))
		}
		if over && len(mem) > 2 {
			t.Errorf("%+v: %d bytes kept", c.limit, len(mem))
		}
		list.Reset()
		if _, _, err = d.Decode(unhex(t, "bebf"), &list, nil, roomy); err != nil || lines(&list) != "c: d\na: b\n" {
			t.Errorf("%+v, then the next block: %v, fields\n%s", c.limit, err, lines(&list))
		}
	}
}

// A field of 4,000 bytes in the table, and a block that names it 100,000 times, would be 400 MB.
func TestABombCostsNoMoreThanItsLimit(t *testing.T) {
	var d Decoder
	var list message.Fields
	d.Init(4096)
	bomb := appendText(append([]byte{0x40}, 1, 'a'), bytes.Repeat([]byte("\x00"), 4000))
	bomb = append(bomb, bytes.Repeat([]byte{0xbe}, 100_000)...)
	mem, over, err := d.Decode(bomb, &list, nil, Limit{64 << 10, 1000})
	if err != nil || !over || list.Len() != 16 || cap(mem) > 256<<10 {
		t.Errorf("over %t, %v, %d fields, %d bytes of memory", over, err, list.Len(), cap(mem))
	}
}

func TestAFieldLargerThanTheTableEmptiesIt(t *testing.T) {
	var d Decoder
	var list message.Fields
	d.Init(4096)
	block := append([]byte{0x40, 1, 'a', 1, 'b'}, appendText([]byte{0x40, 1, 'c'}, bytes.Repeat([]byte{0}, 5000))...)
	if _, over, err := d.Decode(block, &list, nil, roomy); err != nil || over || list.Len() != 2 || d.table.len() != 0 {
		t.Errorf("%v, %d fields, %d entries", err, list.Len(), d.table.len())
	}
}

func TestTheTablesMemoryStaysBelowItsLimit(t *testing.T) {
	var d Decoder
	d.Init(4096)
	for i := range 20_000 {
		var list message.Fields
		n := i * 7919 % 300
		block := appendText([]byte{0x40, 1, 'a'}, bytes.Repeat([]byte{byte(i)}, n))
		if _, _, err := d.Decode(block, &list, nil, roomy); err != nil {
			t.Fatal(err)
		}
		if e := d.table.entry(d.table.next - 1); string(d.table.bytes(e)) != "a"+strings.Repeat(string([]byte{byte(i)}), n) {
			t.Fatalf("entry %d is %q", i, d.table.bytes(e))
		}
	}
	if cap(d.table.data) > 4096 || len(d.table.ring) > 128 {
		t.Errorf("%d bytes, %d entries", cap(d.table.data), len(d.table.ring))
	}
}

func TestViewsStayWhenMemoryGrowsAndTheTableTurnsOver(t *testing.T) {
	var d Decoder
	var list message.Fields
	d.Init(4096)
	var mem []byte
	var err error
	for range 200 {
		mem, _, err = d.Decode(unhex(t, "4001 6102 6263 be"), &list, mem, roomy)
		if err != nil {
			t.Fatal(err)
		}
	}
	for i, f := range list.List() {
		if string(f.Name) != "a" || string(f.Value) != "bc" || cap(f.Name) != 1 || cap(f.Value) != 2 {
			t.Fatalf("field %d is %q: %q", i, f.Name, f.Value)
		}
	}
}

func TestFieldsKnowTheirNamesAndTheirSecrecy(t *testing.T) {
	var d Decoder
	var list message.Fields
	d.Init(4096)
	// content-type by index, its entry, x-request-id spelled out, authorization never indexed, :path
	block := append(unhex(t, "5f01 61be 000c"), "x-request-id\x011\x1f\x08\x03abc\x84"...)
	if _, _, err := d.Decode(block, &list, nil, roomy); err != nil {
		t.Fatal(err)
	}
	want := []message.Name{message.ContentType, message.ContentType, message.XRequestID, message.Authorization, message.Unknown}
	for i, f := range list.List() {
		if f.ID != want[i] || f.NeverIndex != (want[i] == message.Authorization) {
			t.Errorf("field %d, %q, has ID %q, never indexed %t", i, f.Name, f.ID, f.NeverIndex)
		}
	}
	if list.Len() != len(want) {
		t.Errorf("%d fields", list.Len())
	}
}
