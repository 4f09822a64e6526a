package ipc

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// ListenerID names a listener by what it is, so that the same address with the same options is the same listener in
// every configuration, wherever it stands in it. The server that uses it does not matter.
func ListenerID(l Listener) string {
	h := sha256.Sum256(fmt.Appendf(nil, "%s|%s|%o|%d|%t", l.Network, l.Address, l.Mode, l.FastOpen, l.ReusePort))
	return "l-" + hex.EncodeToString(h[:8])
}

// LogTargetID names a log target by what it is; targets that two servers share are one.
func LogTargetID(t LogTarget) string {
	h := sha256.Sum256(fmt.Appendf(nil, "%s|%s|%s", t.Network, t.Path, t.Rolling))
	return "f-" + hex.EncodeToString(h[:8])
}
