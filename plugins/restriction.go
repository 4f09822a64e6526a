package plugins

import (
	"strings"

	"pingap/message"
)

// Restriction is what plugins have in common that let requests pass, or refuse them, by a list.
type Restriction struct {
	denies bool
	answer *Answer // shared by all requests
	reason string
}

const (
	typeKey    = "type"
	messageKey = "message"
)

// RestrictionParams declares the parameters of a Restriction. things names what the list holds, in the plural.
func RestrictionParams(things string) []Param {
	return []Param{
		{Name: typeKey, Type: String, Default: "allow", Help: "What is done with " + things + " in the list: allow lets only these pass, deny refuses these. In any case of letters."},
		{Name: messageKey, Type: String, Default: "Request is forbidden", Help: "Body of the answer 403 to a refused request."},
	}
}

// NewRestriction reads the parameters of RestrictionParams. reason is that of refusals.
func NewRestriction(p *Parameters, reason string) (*Restriction, error) {
	r := &Restriction{answer: Text(403, p.String(messageKey)), reason: reason}
	switch text := p.String(typeKey); strings.ToLower(text) {
	case "allow":
	case "deny":
		r.denies = true
	default:
		return nil, Errorf(typeKey, "expected allow or deny, found %q", clip(text))
	}
	return r, nil
}

// Decide refuses what is listed and denied, and what is not listed where the list is of those allowed.
func (r *Restriction) Decide(listed bool) Decision {
	if listed != r.denies {
		return Continue
	}
	return Respond(r.answer, r.reason)
}

// Lister says whether a value is in the list of a Restriction.
type Lister interface{ Lists(value []byte) bool }

// DecideByField decides by all fields of a name: listed is the request that has one whose value is.
func (r *Restriction) DecideByField(e *Exchange, name message.Name, list Lister) Decision {
	fields := e.Request.Fields.List()
	for i := range fields {
		if fields[i].ID == name && list.Lists(fields[i].Value) {
			return r.Decide(true)
		}
	}
	return r.Decide(false)
}
