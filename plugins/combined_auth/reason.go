package combinedauth

// reason is why a request is refused, none for one that passes.
type reason int

const (
	none reason = iota
	noApp
	wrongApp
	wrongAddress
	noTime
	badTime
	wrongTime
	noDigest
	wrongDigest
	reasons
)

// String returns the message that clients read.
func (r reason) String() string {
	return [reasons]string{
		none: "none", noApp: "app id is empty", wrongApp: "app id is invalid", wrongAddress: "ip is invalid", noTime: "timestamp is empty",
		badTime: "invalid digit found in string", wrongTime: "timestamp deviation is invalid", noDigest: "digest is empty", wrongDigest: "digest is invalid",
	}[r]
}
