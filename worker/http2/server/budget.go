package server

// budget bounds how often something happens: a number at once, forgiven with time. The zero value has all of it.
type budget struct {
	spent int64 // in nanoseconds of forgiving
	last  int64
}

// take spends one at now, and reports whether there was one left.
func (b *budget) take(now int64, burst, perSecond int) bool {
	each := int64(1e9) / int64(perSecond)
	b.spent = max(b.spent-(now-b.last), 0) + each
	b.last = now
	return b.spent <= each*int64(burst)
}

// forgive gives one back.
func (b *budget) forgive(perSecond int) {
	b.spent = max(b.spent-int64(1e9)/int64(perSecond), 0)
}
