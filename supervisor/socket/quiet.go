package socket

import (
	"fmt"
	"math"

	"golang.org/x/sys/unix"
)

// Quiet lets no new connection begin on a listening TCP socket, for all who have it: such a client is refused. Those that wait in its
// queue stay, and those whose handshake is under way (RFC 9293 section 3.5) come to it still: so the queue can be emptied, and nobody
// is cut off by the close.
//
// The socket is bound to an interface that does not exist, which any process may do once (Linux 5.7). A socket filter against SYN
// would do the same, but the kernel refuses it where programs of others have used up net.core.bpf_jit_limit.
func Quiet(fd int) error {
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_BINDTOIFINDEX, math.MaxInt32); err != nil {
		return fmt.Errorf("SO_BINDTOIFINDEX: %w", err)
	}
	return nil
}
