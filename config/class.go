package config

// Class says what a change needs to become live. Higher needs more; the class of several
// changes is the highest of them.
type Class uint8

const (
	// Same needs nothing: the key has no effect at run time.
	Same Class = iota
	// Hot is swapped inside the running workers.
	Hot
	// Listeners adds or removes listening sockets, then swaps inside the running workers.
	Listeners
	// Roll needs fresh workers on the same sockets. What nobody classified is Roll.
	Roll
)

// String names the class as status and refusals print it.
func (c Class) String() string {
	switch c {
	case Same:
		return "same"
	case Hot:
		return "hot"
	case Listeners:
		return "listeners"
	default:
		return "roll"
	}
}

// parseClass reads a class tag. A missing or unknown tag is Roll, never Hot.
func parseClass(text string) (class Class, known bool) {
	switch text {
	case "same":
		return Same, true
	case "hot":
		return Hot, true
	case "listeners":
		return Listeners, true
	case "roll":
		return Roll, true
	}
	return Roll, false
}
