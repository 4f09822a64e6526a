package secure

// stage copies the beginning of the pieces into buf, so that a head and a short body become one
// record. It returns how much that was, and the pieces that are left.
func stage(buf []byte, pieces [][]byte) (int, [][]byte) {
	n := 0
	for n < len(buf) && len(pieces) > 0 {
		m := copy(buf[n:], pieces[0])
		n += m
		pieces = after(pieces, m)
	}
	return n, pieces
}

// after returns what is left of the pieces after n bytes of the first.
func after(pieces [][]byte, n int) [][]byte {
	if n == len(pieces[0]) {
		return pieces[1:]
	}
	pieces[0] = pieces[0][n:] // the caller's array of slices, not its bytes
	return pieces
}
