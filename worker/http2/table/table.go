package table

// Table maps stream numbers to values: open addressing, because the numbers that one side gives are consecutive and spread by
// themselves. The zero value is empty.
type Table[T any] struct {
	slots []slot[T] // a power of two, at most half full
	n     int
}

type slot[T any] struct {
	id    uint32
	value *T // nil if the slot is free
}

func (t *Table[T]) home(id uint32) int { return int(id>>1) & (len(t.slots) - 1) }

// Len returns how many there are.
func (t *Table[T]) Len() int { return t.n }

// Find returns the value for a number, nil if it is not there.
func (t *Table[T]) Find(id uint32) *T {
	if t.n == 0 {
		return nil
	}
	for i := t.home(id); ; i = (i + 1) & (len(t.slots) - 1) {
		if s := &t.slots[i]; s.value == nil || s.id == id {
			return s.value
		}
	}
}

// Add adds a number that is not there yet.
func (t *Table[T]) Add(id uint32, value *T) {
	if 2*(t.n+1) > len(t.slots) {
		old := t.slots
		t.slots = make([]slot[T], max(16, 2*len(old)))
		for _, o := range old {
			if o.value != nil {
				t.place(o)
			}
		}
	}
	t.place(slot[T]{id, value})
	t.n++
}

func (t *Table[T]) place(s slot[T]) {
	i := t.home(s.id)
	for t.slots[i].value != nil {
		i = (i + 1) & (len(t.slots) - 1)
	}
	t.slots[i] = s
}

// Remove takes a number out that is there, and moves those behind it up that would not be found any more.
func (t *Table[T]) Remove(id uint32) {
	mask := len(t.slots) - 1
	hole := t.home(id)
	for t.slots[hole].id != id {
		hole = (hole + 1) & mask
	}
	for i := (hole + 1) & mask; t.slots[i].value != nil; i = (i + 1) & mask {
		home := t.home(t.slots[i].id)
		if (i-home)&mask >= (i-hole)&mask { // its way from home leads over the hole
			t.slots[hole], hole = t.slots[i], i
		}
	}
	t.slots[hole] = slot[T]{}
	t.n--
}

// All returns a copy of all values, in no order.
func (t *Table[T]) All() []*T {
	all := make([]*T, 0, t.n)
	for _, s := range t.slots {
		if s.value != nil {
			all = append(all, s.value)
		}
	}
	return all
}
