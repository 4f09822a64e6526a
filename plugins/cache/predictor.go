package cache

import (
	"encoding/binary"
	"sync/atomic"

	"pingap/worker/cache"
)

// predictor remembers addresses whose responses could not be stored, each in the one place that its key has. A nil one remembers nothing.
type predictor struct{ slots [128]atomic.Uint64 }

func (p *predictor) slot(k cache.Key) (*atomic.Uint64, uint64) {
	return &p.slots[k[8]%128], binary.BigEndian.Uint64(k[:8]) | 1
}

func (p *predictor) refused(k cache.Key) bool {
	if p == nil {
		return false
	}
	slot, value := p.slot(k)
	return slot.Load() == value
}

func (p *predictor) note(k cache.Key, stored bool) {
	if p == nil {
		return
	}
	slot, value := p.slot(k)
	if !stored {
		slot.Store(value)
		return
	}
	slot.CompareAndSwap(value, 0)
}
