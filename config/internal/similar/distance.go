package similar

// Distance counts inserted, deleted, replaced and swapped bytes; most when it is at
// least that many or the texts are too long to be a slip.
func Distance(a, b string, most int) int {
	if len(a) > 128 || len(b) > 128 || len(a)-len(b) >= most || len(b)-len(a) >= most {
		return most
	}
	var rows [3][129]int
	for j := 0; j <= len(b); j++ {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		row, above, above2 := &rows[i%3], &rows[(i-1)%3], &rows[(i+1)%3]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(above[j]+1, row[j-1]+1, above[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], above2[j-2]+1)
			}
		}
	}
	return min(rows[len(a)%3][len(b)], most)
}
