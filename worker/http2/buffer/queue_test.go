package buffer

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// The queue gives out what was put in, in order, whatever the sizes.
func TestAQueueKeepsTheOrder(t *testing.T) {
	var q Queue
	var pool Pool
	var want bytes.Buffer
	next := byte(0)
	for range 5000 {
		switch rand.IntN(4) {
		case 0, 1:
			p := make([]byte, rand.IntN(rand.IntN(3*Size)+1))
			for i := range p {
				next++
				p[i] = next
			}
			q.Add(p, &pool)
			want.Write(p)
		case 2:
			got := make([]byte, rand.IntN(4*Size))
			got = got[:q.Read(got, &pool)]
			if !bytes.Equal(got, want.Next(len(got))) {
				t.Fatal("Read gives other bytes")
			}
		case 3:
			p := q.Front()
			n := rand.IntN(len(p) + 1)
			if !bytes.Equal(p[:n], want.Next(n)) || len(p) == 0 && q.Len() > 0 {
				t.Fatal("Front gives other bytes")
			}
			if n > 0 {
				q.Skip(n, &pool)
			}
		}
		if q.Len() != want.Len() {
			t.Fatalf("%d bytes, want %d", q.Len(), want.Len())
		}
	}
	if n := q.Drop(&pool); n != want.Len() || q.Len() != 0 || q.Front() != nil {
		t.Errorf("dropped %d of %d bytes", n, want.Len())
	}
}

// Small pieces share blocks: what many of them cost is what their bytes cost.
func TestSmallPiecesShareBlocks(t *testing.T) {
	var q Queue
	var pool Pool
	for range 3 * Size {
		q.Add([]byte{1}, &pool)
	}
	if len(q.blocks) != 3 {
		t.Errorf("%d blocks for 3", len(q.blocks))
	}
	for range 100 { // in step with a reader the queue does not grow
		q.Add(make([]byte, Size), &pool)
		q.Read(make([]byte, Size), &pool)
	}
	if cap(q.blocks) > 16 {
		t.Errorf("room for %d blocks", cap(q.blocks))
	}
}
