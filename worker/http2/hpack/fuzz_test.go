package hpack

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"golang.org/x/net/http2/hpack"

	"pingap/message"
)

// FuzzDecode gives the same blocks to us and to the decoder of others: both must say the same, and neither falls behind the other.
func FuzzDecode(f *testing.F) {
	for _, conn := range connections() {
		for _, s := range conn.steps {
			f.Add(unhex(f, s.block), unhex(f, s.block))
		}
	}
	f.Add(unhex(f, "4001 6101 62"), unhex(f, "203f e11f be"))
	f.Add(unhex(f, "0001 6184 ffff ffff"), unhex(f, "82"))
	f.Fuzz(func(t *testing.T, one, two []byte) {
		if len(one)+len(two) > 4096 {
			return // the oracle is asked for whole lists, which repeat what the table holds
		}
		var d Decoder
		d.Init(DefaultTable)
		o := newOracle()
		for _, block := range [][]byte{one, two} {
			var list, part message.Fields
			small := d
			small.table.data, small.table.ring = bytes.Clone(d.table.data), append([]entry(nil), d.table.ring...)
			mem, over, err := d.Decode(block, &list, nil, Limit{1 << 30, 1 << 20})
			_, _, partErr := small.Decode(block, &part, nil, Limit{100, 2})
			if over || !errors.Is(partErr, err) || len(mem) > 0 && cap(mem) > 1<<26 {
				t.Fatalf("%x: over %t, %v, with a limit %v", block, over, err, partErr)
			}
			theirs, theirErr := o.tryDecode(block)
			if err != nil || theirErr != nil {
				if (err == nil) != (theirErr == nil) && !knownDifference(err, theirErr) {
					t.Fatalf("%x: %v, the oracle says %v", block, err, theirErr)
				}
				return
			}
			if got := lines(&list); got != theirs {
				t.Fatalf("%x is %q, the oracle says %q", block, got, theirs)
			}
			if d.table.size != small.table.size || d.table.len() != small.table.len() {
				t.Fatalf("%x: a list over its limit leaves another table", block)
			}
		}
	})
}

// knownDifference are the places where the oracle is laxer or stricter than RFC 7541: a second update while its table is not empty, an update
// behind a field while it is empty, and integers between 2^31 and 2^63.
func knownDifference(ours, theirs error) bool {
	if errors.Is(ours, ErrUpdatePlace) || errors.Is(ours, ErrInteger) {
		return true
	}
	return theirs != nil && strings.Contains(theirs.Error(), "MUST occur at the beginning")
}

func (o *oracle) tryDecode(block []byte) (string, error) {
	o.out = o.out[:0]
	if _, err := o.d.Write(block); err != nil {
		return "", err
	}
	if err := o.d.Close(); err != nil {
		return "", err
	}
	var b strings.Builder
	for _, f := range o.out {
		b.WriteString(f.Name + ": " + f.Value + "\n")
	}
	return b.String(), nil
}

// FuzzEncode takes fields from text, one a line, and settings, and has the oracle and us read what was made of them.
func FuzzEncode(f *testing.F) {
	f.Add("Content-Type: text/html\nX-A: b\n=100\nX-A: b\ncookie: c\n=4096\nX-A: b\n", uint8(3))
	f.Add("a: b\na: b\n\na: b\n\n=0\na: b\nx-token: 1\n:path: /x\n", uint8(9))
	f.Fuzz(func(t *testing.T, text string, repeat uint8) {
		var e Encoder
		var d Decoder
		e.Init()
		d.Init(DefaultTable)
		o := newOracle()
		for range repeat%4 + 1 {
			for _, block := range strings.Split(text, "\n\n") {
				out, want := encodeLines(&e, block)
				var list message.Fields
				_, _, err := d.Decode(out, &list, nil, Limit{1 << 30, 1 << 20})
				theirs, theirErr := o.tryDecode(out)
				if err != nil || theirErr != nil || lines(&list) != want || theirs != want {
					t.Fatalf("%q as %x: %v %q, oracle %v %q", want, out, err, lines(&list), theirErr, theirs)
				}
			}
		}
	})
}

func encodeLines(e *Encoder, block string) (out []byte, want string) {
	for _, line := range strings.Split(block, "\n") {
		if size, ok := strings.CutPrefix(line, "="); ok && len(out) == 0 {
			e.SetMaxTable(uint32(len(size)) * 50)
			continue
		}
		name, value, ok := strings.Cut(line, ": ")
		if !ok {
			continue
		}
		if name == ":path" {
			out = e.AppendPseudo(out, name, []byte(value))
		} else {
			out = e.Append(out, field(name, value))
		}
		want += string(appendLower(nil, []byte(name))) + ": " + value + "\n"
	}
	return out, want
}

func FuzzHuffman(f *testing.F) {
	f.Add([]byte("www.example.com"))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, text []byte) {
		coded := appendCoded(nil, text)
		back, err := appendDecoded(nil, coded)
		if err != nil || !bytes.Equal(back, text) || codedLen(text) != len(coded) {
			t.Fatalf("%q is %x and comes back as %q, %v", text, coded, back, err)
		}
		ours, err := appendDecoded(nil, text)
		theirs, theirErr := hpack.HuffmanDecodeToString(text)
		if (err == nil) != (theirErr == nil) || err == nil && string(ours) != theirs {
			t.Fatalf("%x decodes as %q, %v; the oracle says %q, %v", text, ours, err, theirs, theirErr)
		}
	})
}
