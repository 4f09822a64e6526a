package hpack

import (
	"testing"

	"pingap/message"
)

// answer is the head of a usual response; date changes.
func answer(date string) []*message.Field {
	return []*message.Field{
		field("Server", "nginx/1.22.1"), field("Date", date), field("Content-Type", "application/json; charset=utf-8"),
		field("Content-Length", "200"), field("Cache-Control", "private, max-age=60"), field("Vary", "Accept-Encoding"),
		field("ETag", `"5f3a-1234567"`), field("X-Frame-Options", "SAMEORIGIN"), field("Strict-Transport-Security", "max-age=31536000"),
	}
}

func encodeAnswer(e *Encoder, dst []byte, fields []*message.Field) []byte {
	dst = e.AppendStatus(dst[:0], 302)
	for _, f := range fields {
		dst = e.Append(dst, f)
	}
	return dst
}

func TestAWarmConnectionCostsNoMemory(t *testing.T) {
	var e Encoder
	var d Decoder
	e.Init()
	d.Init(DefaultTable)
	fields, changing := answer(date21), field("x-changing", "0000")
	var list message.Fields
	var block, mem []byte
	round := func() {
		changing.Value[0]++ // a table that turns over
		block = encodeAnswer(&e, block, fields)
		block = e.Append(e.Append(block, changing), changing)
		list.Reset()
		var err error
		if mem, _, err = d.Decode(block, &list, mem[:0], roomy); err != nil || list.Len() != 12 {
			t.Fatal(err, list.Len())
		}
	}
	for range 300 {
		round()
	}
	if n := testing.AllocsPerRun(1000, round); n != 0 {
		t.Errorf("%v allocations a block", n)
	}
}

func BenchmarkEncode(b *testing.B) {
	var e Encoder
	e.Init()
	fields := answer(date21)
	var block []byte
	b.ReportAllocs()
	for b.Loop() {
		block = encodeAnswer(&e, block, fields)
	}
	b.ReportMetric(float64(len(block)), "B/block")
}

func BenchmarkDecode(b *testing.B) {
	var e Encoder
	var d Decoder
	e.Init()
	d.Init(DefaultTable)
	fields := answer(date21)
	var list message.Fields
	var block, mem []byte
	for range 3 {
		block = encodeAnswer(&e, block, fields)
		mem, _, _ = d.Decode(block, &list, mem[:0], roomy)
	}
	b.ReportAllocs()
	for b.Loop() {
		list.Reset()
		mem, _, _ = d.Decode(block, &list, mem[:0], roomy)
	}
}
