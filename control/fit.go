package control

import (
	"encoding/json"

	"pingap/ipc"
)

// fit shortens the lists of an answer until it fits into one packet: clients
// accept no descriptors, and with them no larger bodies. Each list keeps its
// beginning.
func fit(body ipc.Body) ipc.Body {
	for tries := 0; tries < 16 && tooLarge(body); tries++ {
		switch b := body.(type) {
		case *ipc.Refused:
			short := *b // all clients of a load share it
			short.Errors = halved(b.Errors)
			body = &short
		case *ipc.Applied:
			short := *b // likewise
			short.Warnings, short.Changes = halved(b.Warnings), halved(b.Changes)
			body = &short
		case *ipc.StatusAll:
			b.Versions, b.Listeners, b.Logs = halved(b.Versions), halved(b.Listeners), halved(b.Logs)
		case *ipc.Reopened:
			b.Paths, b.Errors = halved(b.Paths), halved(b.Errors)
		default:
			return body
		}
	}
	return body
}

func tooLarge(body ipc.Body) bool {
	data, err := json.Marshal(body)
	return err == nil && len(data) > ipc.MaxInline
}

func halved[T any](list []T) []T { return list[:len(list)/2] }
