package ipc

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
)

// maxItemsFile bounds the file of SealItems: bodies are in base64, and JSON adds some to each item.
const maxItemsFile = 2*MaxStateBytes + MaxStateItems*64

// SealItems returns a sealed memory file with items, which the caller closes.
func SealItems(items []StateItem) (int, error) {
	var data bytes.Buffer
	to := json.NewEncoder(&data)
	for i := range items {
		if err := to.Encode(&items[i]); err != nil {
			return -1, fmt.Errorf("items: %w", err)
		}
	}
	return SealedMemfd("items", data.Bytes())
}

// ReadItems reads what SealItems wrote; the descriptor stays open. It does not look into items. Errors do not quote them.
func ReadItems(fd int) ([]StateItem, error) {
	data, err := ReadMemfd(fd, maxItemsFile)
	if err != nil {
		return nil, fmt.Errorf("items: %w", err)
	}
	return parseItems(data)
}

// parseItems takes one after the other, so that many small ones are refused before they need more memory than the bounds allow.
func parseItems(data []byte) ([]StateItem, error) {
	var items []StateItem
	for from, bytes := json.NewDecoder(bytes.NewReader(data)), 0; ; {
		var i StateItem
		switch err := from.Decode(&i); {
		case err == io.EOF:
			return items, nil
		case err != nil:
			return nil, fmt.Errorf("%w: items that cannot be read", ErrMalformed) // the cause could quote one
		}
		if bytes += i.Size(); len(items) == MaxStateItems || bytes > MaxStateBytes {
			return nil, fmt.Errorf("%w: items, more than %d or of more than %d bytes", ErrTooLarge, MaxStateItems, MaxStateBytes)
		}
		items = append(items, i)
	}
}
