package secure

import "sync"

const (
	// headerLen is the length of a record's header: type, version, length (RFC 8446 section 5.1).
	headerLen = 5
	// recordMax is the most plaintext in a record.
	recordMax = 16 << 10
	// readSize is how much of a socket is read at once.
	readSize = 32 << 10
	// chunk is how much plaintext is encrypted before it is written: four full records.
	chunk = 4 * recordMax
	// gatherSize holds the records of a chunk. A record adds up to 325 bytes with the oldest ciphers.
	gatherSize = chunk + 2048
)

// writeBuffer gathers records; small pieces of plaintext are put together in stage.
type writeBuffer struct {
	stage   [recordMax]byte
	records [gatherSize]byte
}

// Buffers are the pools that connections share. The zero value is ready; it must not be copied.
type Buffers struct {
	in  sync.Pool // *[readSize]byte
	out sync.Pool // *writeBuffer
}

func (b *Buffers) reading() *[readSize]byte {
	if p, ok := b.in.Get().(*[readSize]byte); ok {
		return p
	}
	return new([readSize]byte)
}

func (b *Buffers) writing() *writeBuffer {
	if p, ok := b.out.Get().(*writeBuffer); ok {
		return p
	}
	return new(writeBuffer)
}
