package ipc

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Version is the protocol spoken by this build, ProtoMin the oldest it still understands; both go into Hello.
const (
	Version  = 1
	ProtoMin = 1
)

// Limits of one message.
const (
	MaxInline      = 64 << 10 // bytes of body in the packet itself; larger bodies travel in a sealed memfd
	MaxBody        = 16 << 20 // bytes of body altogether
	MaxPacketFDs   = 64       // descriptors in one packet; the kernel's limit is 253
	MaxMessageFDs  = 4096     // descriptors of one message over all its packets
	headerSize     = 16
	magic          = 0x5047 // "PG"
	flagMore       = 1 << 0 // the descriptors belong to the next packet's message
	flagBodyMemfd  = 1 << 1 // the first descriptor holds the body
	maxPacketBytes = headerSize + MaxInline
)

// Errors of a packet that cannot be understood. The connection is of no use after one.
var (
	ErrMalformed = errors.New("ipc: malformed message")
	ErrTruncated = errors.New("ipc: message or descriptors truncated")
	ErrFull      = errors.New("ipc: the peer does not read")
	ErrTooLarge  = errors.New("ipc: message too large")
)

// header precedes every packet: magic u16, version u8, flags u8, type u16, nfds u16, epoch u32, txn u32,
// little endian, 16 bytes.
type header struct {
	flags uint8
	typ   Type
	nfds  uint16
	epoch uint32
	txn   uint32
}

func (h header) append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint16(b, magic)
	b = append(b, Version, h.flags)
	b = binary.LittleEndian.AppendUint16(b, uint16(h.typ))
	b = binary.LittleEndian.AppendUint16(b, h.nfds)
	b = binary.LittleEndian.AppendUint32(b, h.epoch)
	return binary.LittleEndian.AppendUint32(b, h.txn)
}

// parseHeader splits a packet. Header layout is the same in every version, so the version byte is not
// checked here: versions are agreed by Hello's range.
func parseHeader(p []byte) (header, []byte, error) {
	if len(p) < headerSize {
		return header{}, nil, fmt.Errorf("%w: %d bytes", ErrMalformed, len(p))
	}
	if binary.LittleEndian.Uint16(p) != magic {
		return header{}, nil, fmt.Errorf("%w: wrong magic", ErrMalformed)
	}
	h := header{
		flags: p[3],
		typ:   Type(binary.LittleEndian.Uint16(p[4:])),
		nfds:  binary.LittleEndian.Uint16(p[6:]),
		epoch: binary.LittleEndian.Uint32(p[8:]),
		txn:   binary.LittleEndian.Uint32(p[12:]),
	}
	if h.nfds > MaxPacketFDs {
		return header{}, nil, fmt.Errorf("%w: %d descriptors announced", ErrMalformed, h.nfds)
	}
	if h.flags&^(flagMore|flagBodyMemfd) != 0 {
		return header{}, nil, fmt.Errorf("%w: unknown flags %#x", ErrMalformed, h.flags)
	}
	if h.flags&flagBodyMemfd != 0 && h.nfds == 0 {
		return header{}, nil, fmt.Errorf("%w: body in a descriptor that is not there", ErrMalformed)
	}
	return h, p[headerSize:], nil
}
