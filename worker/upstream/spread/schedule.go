package spread

const (
	// maxSlots and maxWork bound the schedule's length and the time to make it; weights are scaled down to fit.
	maxSlots = 1 << 16
	maxWork  = 1 << 22
)

// Schedule lays out one round in which every backend has turns by its weight, spread evenly, and returns their indexes: at
// each turn every backend gains its weight, and the one that has most pays the sum.
func Schedule(shares []int) []uint16 {
	weights := lowestTerms(shares)
	total := 0
	for _, w := range weights {
		total += w
	}
	schedule := make([]uint16, 0, total)
	if total == len(weights) { // equal ones
		for i := range weights {
			schedule = append(schedule, uint16(i))
		}
		return schedule
	}
	gained := make([]int, len(weights))
	for range total {
		best := -1
		for i, w := range weights {
			gained[i] += w
			if best < 0 || gained[i] > gained[best] {
				best = i
			}
		}
		gained[best] -= total
		schedule = append(schedule, uint16(best))
	}
	return schedule
}

// lowestTerms returns the weights in lowest terms and small enough for a schedule.
func lowestTerms(shares []int) []int {
	weights := make([]int, len(shares))
	total, divisor := 0, 0
	for i, w := range shares {
		weights[i] = w
		total += w
		divisor = gcd(w, divisor)
	}
	if total == 0 {
		return weights
	}
	for i := range weights {
		weights[i] /= divisor
	}
	total /= divisor
	limit := max(min(maxSlots, maxWork/len(shares)), len(shares))
	if total <= limit {
		return weights
	}
	for i, w := range weights {
		weights[i] = max(1, w*limit/total)
	}
	return weights
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
