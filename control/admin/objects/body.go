package objects

import (
	"io"
	"net/http"
)

// readAll reads a body within the bound of its route.
func readAll(r *http.Request) ([]byte, error) { return io.ReadAll(r.Body) }
