package tally

// Kind is what a block is about.
type Kind uint8

// The kinds. The name beside the server in a Key is that of the location ("" is the total over all of them), of the upstream, or empty.
const (
	LocationBlock Kind = iota + 1
	ServerBlock
	UpstreamBlock
)

// Type is how a metric reads its words.
type Type uint8

// The types.
const (
	// Counter is one word.
	Counter Type = iota + 1
	// Codes is a word for each of the values of a label.
	Codes
	// Histogram is a word for each bucket, one for what is above the last bound, and one for the sum. The sum is in the metric's unit times Scale.
	Histogram
)

// Family is a metric.
type Family struct {
	Name, Help string
	Type       Type
	Kind       Kind
	// At is the first of its words in the block.
	At int
	// Buckets are the upper bounds of a histogram, in the unit of the metric.
	Buckets []float64
	// Scale is how many of what is counted are one of the metric's unit: nanoseconds of a second, bytes of a KiB.
	Scale float64
	// Label and Values are the further label of Codes.
	Label  string
	Values []string
	// Native tells that the histogram has native buckets beside the classic ones (Exponent, NativeAt).
	Native bool
}

// Words is how many words the family has.
func (f *Family) Words() int {
	switch f.Type {
	case Codes:
		return len(f.Values)
	case Histogram:
		return len(f.Buckets) + 2
	}
	return 1
}
