package spread

import (
	"strings"

	"pingap/message"
)

// Kind is how backends are chosen.
type Kind uint8

// The kinds of choice.
const (
	RoundRobin Kind = iota
	LeastConn
	Random2
	Hash
)

// Algo is the choice of an upstream.
type Algo struct {
	Kind Kind
	by   hashBy
	name string // of the header, cookie or query key
}

// Parse reads the algo of an upstream; what it does not know is round robin.
func Parse(text string) Algo {
	switch text {
	case "least_conn":
		return Algo{Kind: LeastConn}
	case "random2":
		return Algo{Kind: Random2}
	}
	rest, ok := strings.CutPrefix(text, "hash:")
	if !ok {
		return Algo{}
	}
	kind, name, _ := strings.Cut(rest, ":")
	return Algo{Kind: Hash, by: parseHashBy(kind), name: strings.TrimSpace(name)}
}

type hashBy uint8

const (
	byPath hashBy = iota
	byURL
	byIP
	byHeader
	byCookie
	byQuery
)

// parseHashBy reads the word behind "hash:"; any other word is the path.
func parseHashBy(kind string) hashBy {
	switch kind {
	case "url":
		return byURL
	case "ip":
		return byIP
	case "header":
		return byHeader
	case "cookie":
		return byCookie
	case "query":
		return byQuery
	}
	return byPath
}

// Key hashes what the choice depends on; a value that the request lacks is empty.
func (a *Algo) Key(rec *message.Record) uint64 {
	r := &rec.Request
	switch a.by {
	case byURL:
		return hashBytes(r.Target)
	case byIP:
		return hashBytes(rec.ClientIPText)
	case byHeader:
		value, _ := r.Fields.Lookup(a.name)
		return hashBytes(value)
	case byCookie:
		value, _ := r.Fields.CookieValue(a.name)
		return hashBytes(value)
	case byQuery:
		value, _ := r.QueryValue(a.name)
		return hashBytes(value)
	}
	return hashBytes(r.Path)
}
