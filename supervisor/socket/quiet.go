package socket

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Quiet lets no new connection begin on a listening TCP socket, for all who have it. Those that wait in its queue stay, and those whose
// handshake is under way (RFC 9293 section 3.5) come to it still: so the queue can be emptied, and nobody is cut off by the close. A
// client that begins meanwhile gets no answer, tries again after a second, and is refused by then.
func Quiet(fd int) error {
	const flagsAt, syn, ack = 13, 0x02, 0x10 // of the TCP header, which is where a filter of the socket begins to read
	program := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: flagsAt},
		{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: syn | ack},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: syn, Jt: 0, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0xffffffff},
	}
	prog := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &prog); err != nil {
		return fmt.Errorf("SO_ATTACH_FILTER: %w", err)
	}
	return nil
}
