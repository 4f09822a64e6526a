package events

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"time"
)

// Headers of a request.
const (
	headerEvent     = "Pingap-Event"     // the category
	headerDelivery  = "Pingap-Delivery"  // the same in each attempt to send one event
	headerSignature = "Pingap-Signature" // with a secret
)

// sign makes the value of Pingap-Signature.
func sign(secret string, at time.Time, body []byte) string {
	t := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(t + "."))
	mac.Write(body)
	return "t=" + t + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}
