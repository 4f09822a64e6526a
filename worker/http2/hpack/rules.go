package hpack

import (
	"bytes"

	"pingap/message"
)

// kind says what may become of a field's value.
type kind uint8

const (
	repeats kind = iota // goes into the table when it comes again, as Date does many times a second on a busy connection
	changes             // never goes there, where it would drive out what repeats, and is not coded, which costs more than it saves
	secret              // neither we nor anybody behind may keep it there (section 7.1.3)
)

// rule is what the encoder does with a well-known field.
type rule struct {
	name  []byte // in lower case; nil for other fields
	index uint8  // of the name in the static table, or 0
	kind  kind
}

// rules has a rule for each message.Name.
var rules = buildRules()

func buildRules() (all [256]rule) {
	for id := message.Name(1); int(id) < message.Names; id++ {
		all[id].name = appendLower(nil, []byte(id.String()))
	}
	for i := staticLen; i > 0; i-- {
		if id := staticFields[i].ID; id != message.Unknown {
			all[id].index = uint8(i)
		}
	}
	for _, id := range []message.Name{
		message.Age, message.ContentRange, message.ETag, message.Expires,
		message.IfModifiedSince, message.IfNoneMatch, message.IfRange, message.LastModified, message.Range,
		message.ServerTiming, message.XRequestID,
	} {
		all[id].kind = changes
	}
	for _, id := range []message.Name{
		message.Authorization, message.Cookie, message.ProxyAuthorization, message.SetCookie,
		message.ProxyAuthenticate, message.WWWAuthenticate,
	} {
		all[id].kind = secret
	}
	return all
}

// secretWords are what names of fields with secrets contain.
var secretWords = [][]byte{[]byte("auth"), []byte("token"), []byte("key"), []byte("secret"), []byte("session"), []byte("passw")}

// looksSecret guesses by its name whether a field nobody knows has a secret for its value.
func looksSecret(name []byte) bool {
	for _, word := range secretWords {
		if bytes.Contains(name, word) {
			return true
		}
	}
	return false
}
