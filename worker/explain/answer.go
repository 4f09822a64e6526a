package explain

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// Answer answers what control passes on: what is ipc.ExplainRequest or ipc.ExplainRoutes, body is a Question or the name of a server in JSON. The
// error is a *Mistake.
func (s *Site) Answer(routes bool, body []byte) ([]byte, error) {
	var answer any
	var err error
	if routes {
		var name string
		if err = json.Unmarshal(body, &name); err != nil {
			return nil, mistake(http.StatusBadRequest, "the name of a server is expected: %v", err)
		}
		answer, err = s.Routes(name)
	} else {
		var q Question
		if err = strictly(body, &q); err != nil {
			return nil, mistake(http.StatusBadRequest, "the question cannot be read: %v", err)
		}
		answer, err = s.Explain(&q)
	}
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(answer)
	if err != nil {
		return nil, fmt.Errorf("write the explanation: %w", err)
	}
	return text, nil
}

// strictly reads JSON in which keys that nobody knows are mistakes.
func strictly(body []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	return d.Decode(into)
}

// StatusOf is the HTTP status of an error.
func StatusOf(err error) int {
	var m *Mistake
	if errors.As(err, &m) {
		return m.Status
	}
	return http.StatusInternalServerError
}
