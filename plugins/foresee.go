package plugins

// Foresight is what a plugin would do with a request, found out without doing it.
type Foresight struct {
	Decision
	// Unknown tells that this cannot be found out; then there is no Answer.
	Unknown bool
	// Why says in a few words what is behind it, or why it is unknown. Empty where Reason says enough. It never holds a secret.
	Why string
}

// Foreseer is a Decider whose Decide has effects beside what it decides, or asks others. Foresee has none: explain asks it instead, with
// Exchange.Shadow set. What it changes in the exchange is as if Decide had.
type Foreseer interface {
	Foresee(*Exchange) Foresight
}

// Unknown is a Foresight that says why there is none.
func Unknown(why string) Foresight { return Foresight{Unknown: true, Why: why} }

// Foresee says what the instance would do with a request, without any effect outside of the exchange. The Answer belongs to the caller.
func (i *Instance) Foresee(e *Exchange) Foresight {
	switch {
	case i.foreseer != nil:
		return i.foreseer.Foresee(e)
	case i.plain:
		return Foresight{Decision: i.Decider.Decide(e)}
	}
	return Unknown("it cannot tell without doing it")
}
