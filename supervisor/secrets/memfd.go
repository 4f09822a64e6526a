package secrets

import (
	"encoding/json"
	"fmt"
	"time"

	"pingap/ipc"
)

// format changes when another build could misread the content.
const format = 1

// maxBytes bounds the content: items in base64, with what JSON adds.
const maxBytes = 2 * ipc.MaxStateBytes

type content struct {
	Format  int             `json:"format"`
	Tickets ipc.TicketKeys  `json:"tickets"`
	Items   []ipc.StateItem `json:"items"`
	Number  uint64          `json:"number,omitempty"`
}

// Memfd returns a sealed memory file with everything, which the caller closes.
func (s *Store) Memfd() (int, error) {
	c := content{Format: format, Tickets: s.tickets, Number: s.number}
	for _, i := range s.items {
		c.Items = append(c.Items, i)
	}
	data, err := json.Marshal(c)
	if err != nil {
		return -1, fmt.Errorf("secrets: %w", err)
	}
	return ipc.SealedMemfd("secrets", data)
}

// Open reads what Memfd wrote. The descriptor stays open.
func Open(fd int, now time.Time) (*Store, error) {
	data, err := ipc.ReadMemfd(fd, maxBytes)
	if err != nil {
		return nil, fmt.Errorf("secrets: %w", err)
	}
	var c content
	if err := json.Unmarshal(data, &c); err != nil {
		return nil, fmt.Errorf("secrets: what is in the memory file cannot be read") // the cause could quote it
	}
	if c.Format != format || !c.Tickets.Valid() {
		return nil, fmt.Errorf("secrets: format %d with %d keys", c.Format, len(c.Tickets.Keys))
	}
	s := With(c.Tickets, now)
	s.number = c.Number
	return s, s.Change(&ipc.State{Items: c.Items, All: true}, now)
}
