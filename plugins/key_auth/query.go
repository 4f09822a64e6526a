package keyauth

import "bytes"

// fromQuery returns the first value of name that is not empty, and how many there are.
func fromQuery(query []byte, name string) (value []byte, count int) {
	for len(query) > 0 {
		var pair []byte
		pair, query, _ = bytes.Cut(query, []byte{'&'})
		key, v, ok := bytes.Cut(pair, []byte{'='})
		if !ok || len(v) == 0 || string(key) != name {
			continue
		}
		if count == 0 {
			value = v
		}
		count++
	}
	return value, count
}

// withoutPair returns path and query without the pairs called name, whatever their values. Nothing else of the query changes.
func withoutPair(path, query []byte, name string) []byte {
	target := append(make([]byte, 0, len(path)+1+len(query)), path...)
	mark := byte('?')
	for first := true; first || len(query) > 0; first = false {
		var pair []byte
		pair, query, _ = bytes.Cut(query, []byte{'&'})
		if key, _, _ := bytes.Cut(pair, []byte{'='}); string(key) == name {
			continue
		}
		target = append(append(target, mark), pair...)
		mark = '&'
	}
	return target
}
