package message

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

func TestIDsAreWrittenWithAllTheirDigits(t *testing.T) {
	ids := []uint64{0, 1, 9, 0xa, 0x0123456789abcdef, 0xfedcba9876543210, 0xffffffffffffffff, 0x9a9a9a9a9a9a9a9a}
	for range 1000 {
		ids = append(ids, rand.Uint64()>>rand.IntN(64))
	}
	for _, id := range ids {
		if got, want := string(AppendSpanID([]byte("x"), id)), fmt.Sprintf("x%016x", id); got != want {
			t.Fatalf("%s, expected %s", got, want)
		}
	}
	if got, want := string(AppendTraceID(nil, TraceID{0xab, 0xcd})), "00000000000000ab00000000000000cd"; got != want {
		t.Errorf("%s, expected %s", got, want)
	}
}
