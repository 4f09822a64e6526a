package subfilter

import "bytes"

// maxGrowth bounds how many times a piece may grow on its way through the rules of a stream: what comes out of one piece is in memory at once.
const maxGrowth = 16

// streams reports whether rules can be applied while the body passes: texts only, which are found across pieces by holding back less than
// their length. What a regex finds may depend on all of the body.
func streams(rules []rule) bool {
	growth := 1
	for i := range rules {
		r := &rules[i]
		if r.regex != nil {
			return false
		}
		if r.all {
			growth *= max(1, (len(r.replacement)+len(r.text)-1)/len(r.text))
		}
		if growth > maxGrowth {
			return false
		}
	}
	return true
}

// stream applies rules to one body while it passes, each to what the one before made of it.
type stream struct {
	stages []stage
}

func newStream(rules []rule) *stream {
	s := &stream{stages: make([]stage, len(rules))}
	for i := range rules {
		s.stages[i].rule = &rules[i]
	}
	return s
}

// Filter replaces what is complete in piece.
func (s *stream) Filter(dst, piece []byte, last bool) ([]byte, error) {
	final := len(s.stages) - 1
	for i := range s.stages[:final] {
		each := &s.stages[i]
		each.out = each.pass(each.out[:0], piece, last)
		piece = each.out
	}
	return s.stages[final].pass(dst, piece, last), nil
}

// stage applies one rule.
type stage struct {
	rule *rule
	held []byte // the begin of what may become the text with the next piece: less than its length
	done bool   // the only replacement was made
	out  []byte // what it made of the last piece, for the next stage
}

// pass appends what is made of text, and holds back what may be the begin of a match.
func (s *stage) pass(dst, text []byte, last bool) []byte {
	if len(s.held) > 0 {
		s.held = append(s.held, text...)
		text = s.held
	}
	for !s.done {
		at := bytes.Index(text, s.rule.text)
		if at < 0 {
			break
		}
		dst = append(append(dst, text[:at]...), s.rule.replacement...)
		text = text[at+len(s.rule.text):]
		s.done = !s.rule.all
	}
	keep := 0
	if !last && !s.done {
		keep = begun(text, s.rule.text)
	}
	dst = append(dst, text[:len(text)-keep]...)
	s.held = append(s.held[:0], text[len(text)-keep:]...) // may be the same memory; append moves it
	return dst
}

// begun returns how many bytes at the end of text are the begin of what is looked for.
func begun(text, wanted []byte) int {
	n := min(len(text), len(wanted)-1)
	for n > 0 && !bytes.HasPrefix(wanted, text[len(text)-n:]) {
		n--
	}
	return n
}
