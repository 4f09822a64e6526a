package http1

import "bytes"

// Scan tells whether a head that was incomplete is worth another look. To parse it again with every
// byte that comes would cost the square of its length, and a peer that sends single bytes could have
// that for little. The zero value stands before the first look.
type Scan struct {
	seen  int // bytes searched for line ends
	tried int // bytes there were at the last look
	lines int // line feeds among seen, as far as they are counted
}

// countedLines is how many line ends are worth a look each: of a forgiven empty line and of the first line.
const countedLines = 2

// Ready reports whether buf, which begins with the head, is to be parsed: at the first look, at the
// end of its first line, when it has the end of a head, when it fills max, and when it has doubled
// since the last look. All looks together cost about three times its length.
func (s *Scan) Ready(buf []byte, max int) bool {
	if s.tried == 0 || len(buf) >= max || len(buf) >= 2*s.tried || s.lineEnd(buf) {
		s.tried = len(buf)
		return true
	}
	return false
}

// lineEnd searches the new bytes of buf for an empty line, or one of the first line ends.
func (s *Scan) lineEnd(buf []byte) bool {
	found := false
	for s.seen < len(buf) {
		i := bytes.IndexByte(buf[s.seen:], '\n')
		if i < 0 {
			s.seen = len(buf)
			break
		}
		at := s.seen + i
		s.seen = at + 1
		if s.lines < countedLines {
			s.lines++
			found = true
		}
		found = found || at >= 1 && buf[at-1] == '\n' || at >= 2 && buf[at-1] == '\r' && buf[at-2] == '\n'
	}
	return found
}
