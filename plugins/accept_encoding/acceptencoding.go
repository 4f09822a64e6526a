package acceptencoding

import (
	"strings"

	"pingap/message"
	"pingap/plugins"
)

const (
	// maxEncodings bounds the list: what the request accepts is kept as a set of bits.
	maxEncodings = 16
	// maxLength bounds the texts of the list together, so that the new value fits on the stack.
	maxLength = 256
)

// Factory declares the plugin.
func Factory() plugins.Factory {
	return plugins.Factory{
		Category: "accept_encoding",
		Summary:  "Narrows the Accept-Encoding of requests.",
		Steps:    []plugins.Step{plugins.EarlyRequest},
		Plain:    true,
		Params: []plugins.Param{
			{Name: "encodings", Type: plugins.String, Help: "Comma list of the encodings that may stay, in the order in which they are wanted, such as \"zstd, br, gzip\". Empty removes the field from every request."},
			{Name: "only_one_encoding", Type: plugins.Bool, Default: false, Help: "Whether only the first encoding that a request accepts stays."},
		},
		New: build,
	}
}

// narrowing is an instance.
type narrowing struct {
	encodings []string // in lower case
	onlyOne   bool
}

func build(p *plugins.Parameters) (plugins.Plugin, error) {
	n := &narrowing{onlyOne: p.Bool("only_one_encoding")}
	text := strings.ToLower(p.String("encodings"))
	seen := map[string]bool{"": true} // "gzip, , br" is no mistake that matters
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		if seen[part] {
			continue
		}
		if !message.ValidToken([]byte(part)) {
			return nil, plugins.Errorf("encodings", "expected a comma list of encodings such as \"zstd, br, gzip\"")
		}
		seen[part] = true
		n.encodings = append(n.encodings, part)
	}
	if len(n.encodings) > maxEncodings || len(text) > maxLength {
		return nil, plugins.Errorf("encodings", "expected at most %d encodings and %d letters", maxEncodings, maxLength)
	}
	return n, nil
}

// Decide narrows the field. A request without one stays as it is, and so does one that has nothing else.
func (n *narrowing) Decide(e *plugins.Exchange) plugins.Decision {
	fields := &e.Request.Fields
	var wanted uint
	var first []byte
	count := 0
	for _, f := range fields.List() {
		if f.ID == message.AcceptEncoding {
			if count == 0 {
				first = f.Value
			}
			count++
			wanted |= n.accepted(f.Value)
		}
	}
	if count == 0 {
		return plugins.Continue
	}
	var memory [maxLength + 2*maxEncodings]byte
	value := n.appendValue(memory[:0], wanted)
	switch {
	case len(value) == 0:
		fields.DelID(message.AcceptEncoding)
	case count > 1 || string(value) != string(first):
		fields.Set("Accept-Encoding", value)
	}
	return plugins.Continue
}

// appendValue appends the encodings of a set in their order.
func (n *narrowing) appendValue(dst []byte, wanted uint) []byte {
	for i, encoding := range n.encodings {
		if wanted&(1<<i) == 0 {
			continue
		}
		if len(dst) > 0 {
			dst = append(dst, ", "...)
		}
		dst = append(dst, encoding...)
		if n.onlyOne {
			break
		}
	}
	return dst
}
