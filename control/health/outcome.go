package health

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
)

// verdict is what a check found.
type verdict uint8

const (
	passed verdict = iota
	failed
	timedOut // failed, by doing nothing for too long
	unmade   // nothing is known, as the check could not be made here
)

// outcome is how a check ended.
type outcome struct {
	verdict verdict
	reason  string // why it did not pass
}

// maxReason bounds a reason, which may quote a backend, in bytes.
const maxReason = 160

// refused is a failure with a reason of our words.
func refused(format string, args ...any) outcome {
	return outcome{failed, printable(fmt.Sprintf(format, args...))}
}

func late(what string, limit time.Duration) outcome {
	return outcome{timedOut, fmt.Sprintf("no %s within %v", what, limit)}
}

// outcomeOf is the outcome of an error of the system, or of TLS.
func outcomeOf(err error) outcome {
	if lacking(err) {
		return outcome{unmade, printable(err.Error())}
	}
	var number syscall.Errno
	switch {
	case errors.As(err, &number):
		return refused("%s", number.Error())
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return refused("connection closed without an answer")
	}
	return refused("%v", err)
}

// lacking says whether it is this process or host that cannot make a check now.
func lacking(err error) bool {
	for _, number := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EADDRNOTAVAIL} {
		if errors.Is(err, number) {
			return true
		}
	}
	return false
}

func isTimeout(err error) bool {
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded)
}

// printable makes a text that may quote a backend fit for a log.
func printable(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\uFFFD' {
			return '?'
		}
		return r
	}, text)
	if len(text) > maxReason {
		text = strings.ToValidUTF8(text[:maxReason], "") + "..."
	}
	return text
}
