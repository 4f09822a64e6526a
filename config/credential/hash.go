package credential

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Bounds of the parameters of argon2id. Whoever writes the configuration chooses them, and control has to find the memory for a hash each time
// somebody logs in.
const (
	MaxMemory  = 64 << 10  // KiB
	maxPasses  = 10        // over the memory
	maxWork    = 256 << 10 // KiB, memory times passes: half a second or so
	maxLanes   = 4
	minSalt    = 8
	minKey     = 16
	maxHashed  = 64 // bytes of salt, of key
	hashPrefix = "$argon2id$"
)

// Hash is a password hashed by argon2id.
type Hash struct {
	Memory uint32 // KiB
	Passes uint32
	Lanes  uint8
	Salt   []byte
	Key    []byte
}

var errHash = errors.New("expected a hash such as $argon2id$v=19$m=19456,t=2,p=1$salt$key, salt and key in base64 without padding")

// ParseHash reads the text form of a hash (PHC): $argon2id$v=19$m=19456,t=2,p=1$salt$key.
func ParseHash(text string) (*Hash, error) {
	parts := strings.Split(text, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != "v=19" {
		return nil, errHash
	}
	h := &Hash{}
	settings := strings.Split(parts[3], ",")
	if len(settings) != 3 {
		return nil, errHash
	}
	for i, s := range []struct {
		name string
		set  func(uint64)
	}{
		{"m=", func(n uint64) { h.Memory = uint32(n) }},
		{"t=", func(n uint64) { h.Passes = uint32(n) }},
		{"p=", func(n uint64) { h.Lanes = uint8(min(n, 255)) }},
	} {
		digits, ok := strings.CutPrefix(settings[i], s.name)
		n, err := strconv.ParseUint(digits, 10, 32)
		if !ok || err != nil || strings.HasPrefix(digits, "0") {
			return nil, errHash
		}
		s.set(n)
	}
	var err error
	if h.Salt, err = base64.RawStdEncoding.Strict().DecodeString(parts[4]); err == nil {
		h.Key, err = base64.RawStdEncoding.Strict().DecodeString(parts[5])
	}
	if err != nil {
		return nil, errHash
	}
	return h, h.check()
}

// check holds a hash to the bounds.
func (h *Hash) check() error {
	switch {
	case h.Lanes < 1 || h.Lanes > maxLanes:
		return fmt.Errorf("expected p of the hash from 1 to %d", maxLanes)
	case h.Memory < 8*uint32(h.Lanes) || h.Memory > MaxMemory:
		return fmt.Errorf("expected m of the hash from 8 for each lane to %d KiB", MaxMemory)
	case h.Passes < 1 || h.Passes > maxPasses || h.Memory*h.Passes > maxWork:
		return fmt.Errorf("expected t of the hash from 1 to %d, and m times t up to %d", maxPasses, maxWork)
	case len(h.Salt) < minSalt || len(h.Salt) > maxHashed:
		return fmt.Errorf("expected a salt of %d to %d bytes", minSalt, maxHashed)
	case len(h.Key) < minKey || len(h.Key) > maxHashed:
		return fmt.Errorf("expected a key of %d to %d bytes", minKey, maxHashed)
	}
	return nil
}

// String is the text form.
func (h *Hash) String() string {
	b := base64.RawStdEncoding
	return fmt.Sprintf("%sv=19$m=%d,t=%d,p=%d$%s$%s", hashPrefix, h.Memory, h.Passes, h.Lanes, b.EncodeToString(h.Salt), b.EncodeToString(h.Key))
}
