package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
)

// Error is an answer that says why something was not done.
type Error struct {
	Status  int      `json:"-"`
	Message string   `json:"message"`
	Errors  []Place  `json:"errors,omitempty"`  // of a configuration that would be invalid
	UsedBy  []string `json:"used_by,omitempty"` // of what cannot be removed: "location:api"
	Retry   int      `json:"-"`                 // seconds until it is worth another try; 0 says nothing
}

// Place is one mistake of a configuration.
type Place struct {
	File     string `json:"file,omitempty"`
	Line     int    `json:"line,omitempty"`
	Key      string `json:"key,omitempty"`
	Object   string `json:"object,omitempty"` // upstream:api
	Expected string `json:"expected,omitempty"`
	Message  string `json:"message"`
}

func (e *Error) Error() string { return e.Message }

// Errorf is an Error with a status.
func Errorf(status int, format string, args ...any) *Error {
	return &Error{Status: status, Message: fmt.Sprintf(format, args...)}
}

// WriteError answers with an error: what it says if it is an Error, else 500 and its text.
func WriteError(w http.ResponseWriter, err error) {
	e := &Error{Status: http.StatusInternalServerError, Message: err.Error()}
	var own *Error
	var long *http.MaxBytesError
	switch {
	case errors.As(err, &own):
		e = own
	case errors.As(err, &long):
		e = Errorf(http.StatusRequestEntityTooLarge, "the body is longer than %d bytes", long.Limit)
	}
	if e.Retry > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(e.Retry))
	}
	write(w, e.Status, e)
}

// WriteJSON answers 200 with a value.
func WriteJSON(w http.ResponseWriter, value any) error {
	write(w, http.StatusOK, value)
	return nil
}

func write(w http.ResponseWriter, status int, value any) {
	text, err := json.Marshal(value)
	if err != nil {
		status, text = http.StatusInternalServerError, []byte(`{"message":"the answer cannot be written as JSON"}`)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n')) // who hung up needs no answer
}

// ReadJSON reads a body that holds one JSON value and nothing else; unknown keys are mistakes.
func ReadJSON(r *http.Request, into any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		var long *http.MaxBytesError
		if errors.As(err, &long) {
			return err
		}
		return Errorf(http.StatusBadRequest, "the body is not what is expected: %v", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Errorf(http.StatusBadRequest, "something follows the JSON value of the body")
	}
	return nil
}
