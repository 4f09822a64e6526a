package health

// heap orders targets by when something is to be done with them. Each knows its place, so that it can be moved.
type heap []*target

// set puts t in at its time, or moves it there.
func (h *heap) set(t *target, at int64) {
	t.at = at
	if t.place < 0 {
		t.place = len(*h)
		*h = append(*h, t)
	}
	h.down(h.up(t.place))
}

// remove takes t out, if it is in.
func (h *heap) remove(t *target) {
	if t.place < 0 {
		return
	}
	place, last := t.place, len(*h)-1
	h.swap(place, last)
	(*h)[last] = nil
	*h = (*h)[:last]
	t.place = -1
	if place < last {
		h.down(h.up(place))
	}
}

func (h heap) up(i int) int {
	for i > 0 {
		parent := (i - 1) / 2
		if h[parent].at <= h[i].at {
			break
		}
		h.swap(i, parent)
		i = parent
	}
	return i
}

func (h heap) down(i int) {
	for {
		child := 2*i + 1
		if child+1 < len(h) && h[child+1].at < h[child].at {
			child++
		}
		if child >= len(h) || h[i].at <= h[child].at {
			return
		}
		h.swap(i, child)
		i = child
	}
}

func (h heap) swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}
