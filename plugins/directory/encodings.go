package directory

import (
	"bytes"
	"slices"

	"pingap/message"
	"pingap/plugins"
)

// coding is an encoding for which compressed files may lie beside a file.
type coding struct {
	name   []byte // Content-Encoding
	suffix string // of the file's name
	mark   string // of its entity tag
}

func readCodings(texts []string) ([]coding, error) {
	known := []coding{{[]byte("zstd"), ".zst", "-zst"}, {[]byte("br"), ".br", "-br"}, {[]byte("gzip"), ".gz", "-gz"}}
	var list []coding
	for i, text := range texts {
		at := slices.IndexFunc(known, func(c coding) bool { return string(c.name) == text })
		if at < 0 {
			return nil, plugins.EntryErrorf("precompressed", i, "expected zstd, br or gzip, each once")
		}
		list = append(list, known[at])
		known = slices.Delete(known, at, at+1)
	}
	return list, nil
}

// maxCodings is how many there are.
const maxCodings = 3

// preferred puts the encodings that a client wants into the order in which it wants them, ties into that of the configuration. Those that it
// wants less than the file as it is are left out.
func (d *directory) preferred(fields *message.Fields) (order [maxCodings]int8, n int) {
	var weights [maxCodings]int
	identity, star := -1, -1
	for i := range weights {
		weights[i] = -1
	}
	list := fields.List()
	for i := range list {
		if list[i].ID == message.AcceptEncoding {
			d.readWeights(list[i].Value, &weights, &identity, &star)
		}
	}
	least := max(identity, 1)
	for i := range d.codings {
		if weights[i] < 0 {
			weights[i] = star
		}
		if weights[i] < least {
			continue
		}
		at := n
		for ; at > 0 && weights[order[at-1]] < weights[i]; at-- {
			order[at] = order[at-1]
		}
		order[at] = int8(i)
		n++
	}
	return order, n
}

// readWeights reads a line of Accept-Encoding (RFC 9110 section 12.5.3). Weights are in thousandths, the first of a name counts.
func (d *directory) readWeights(value []byte, weights *[maxCodings]int, identity, star *int) {
	for each := range bytes.SplitSeq(value, []byte(",")) {
		name, parameters, _ := bytes.Cut(each, []byte(";"))
		name = bytes.Trim(name, " \t")
		if message.EqualFold(name, "x-gzip") {
			name = name[2:]
		}
		var place *int
		switch {
		case len(name) == 1 && name[0] == '*':
			place = star
		case message.EqualFold(name, "identity"):
			place = identity
		default:
			for i := range d.codings {
				if message.EqualFold(name, string(d.codings[i].name)) {
					place = &weights[i]
				}
			}
		}
		if place != nil && *place < 0 {
			*place = weight(parameters)
		}
	}
}

// weight reads ";q=0.5" in thousandths; 1000 without one, 0 for what is none.
func weight(parameters []byte) int {
	text := bytes.Trim(parameters, " \t")
	if len(text) == 0 {
		return 1000
	}
	if len(text) < 3 || text[0]|0x20 != 'q' || text[1] != '=' {
		return 0
	}
	text = text[2:]
	if len(text) > 5 || text[0] != '0' && text[0] != '1' || len(text) > 1 && text[1] != '.' {
		return 0
	}
	n, unit := int(text[0]-'0')*1000, 100
	for _, c := range text[min(2, len(text)):] {
		if c < '0' || c > '9' {
			return 0
		}
		n += int(c-'0') * unit
		unit /= 10
	}
	return min(n, 1000)
}
