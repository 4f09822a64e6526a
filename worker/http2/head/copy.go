package head

import "pingap/message"

// CopyTo fills req, which must be fresh or Reset, with the head. Everything is copied into mem, which is used up to its
// capacity and replaced when it is too small; it is returned, and must stay while req is used. Pseudo-fields are not among
// the fields; the authority is, as Host; several cookie fields are one (RFC 9113 section 8.2.3).
//
// Of a head with a Status only the parts that are valid are there.
func (h *Head) CopyTo(req *message.Request, mem []byte) []byte {
	if need := h.size(); cap(mem)-len(mem) < need {
		mem = make([]byte, 0, need)
	}
	keep := func(b []byte) []byte {
		start := len(mem)
		mem = append(mem, b...)
		return mem[start:len(mem):len(mem)]
	}
	req.SetMethod(keep(h.Method))
	req.Version = message.HTTP2
	if h.Path != nil {
		req.SetTarget(keep(h.Path))
	}
	req.BodyLength = h.Length
	if h.Ended {
		req.BodyLength = h.Body
	}
	if h.Authority != nil {
		req.Host = keep(h.Authority)
		req.Fields.Append(message.Host, keep([]byte("host")), req.Host)
	}
	if h.list == nil {
		return mem
	}
	joined := false
	list := h.list.List()
	for i := range list {
		f := &list[i]
		switch {
		case len(f.Name) == 0, f.ID == message.Cookie && joined:
		case f.ID == message.Cookie && h.cookies > 1:
			joined = true
			name := keep(f.Name)
			start := len(mem)
			mem = appendCookies(mem, list)
			req.Fields.Append(f.ID, name, mem[start:len(mem):len(mem)])
		default:
			name := keep(f.Name)
			req.Fields.Append(f.ID, name, keep(f.Value))
		}
	}
	return mem
}

// size is how many bytes CopyTo needs, or a few more.
func (h *Head) size() int {
	n := len(h.Method) + len(h.Path) + len(h.Authority) + len("host")
	if h.list == nil {
		return n
	}
	list := h.list.List()
	for i := range list {
		n += len(list[i].Name) + len(list[i].Value) + len("; ")
	}
	return n
}

// appendCookies joins all cookie fields.
func appendCookies(dst []byte, list []message.Field) []byte {
	first := true
	for i := range list {
		if list[i].ID != message.Cookie || len(list[i].Name) == 0 {
			continue
		}
		if !first {
			dst = append(dst, "; "...)
		}
		first = false
		dst = append(dst, list[i].Value...)
	}
	return dst
}
