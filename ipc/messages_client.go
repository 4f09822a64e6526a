package ipc

// ConfigRead asks for a part of a JSON document about the versions that are kept. Documents are larger than an answer may be:
// a client asks on, from Offset, until it has all of it. They are those of package control/history.
type ConfigRead struct {
	What    string `json:"what"`              // list, show, diff or certificates
	Version uint64 `json:"version,omitempty"` // show: this one, 0 = the live one; diff: from this one
	Other   uint64 `json:"other,omitempty"`   // diff: to that one
	Secrets bool   `json:"secrets,omitempty"` // show: in the clear; only for root and the user that control runs as
	Offset  int    `json:"offset,omitempty"`  // bytes; 0 makes the document anew, others continue it on the same connection
}

// The documents that ConfigRead asks for.
const (
	ConfigList = "list"
	ConfigShow = "show"
	ConfigDiff = "diff"

	ConfigCertificates = "certificates" // of the live version; that of package control/inventory
)

// ConfigPart answers ConfigRead.
type ConfigPart struct {
	Data  []byte `json:"data"`
	Total int    `json:"total"` // bytes of the whole document
}

// MaxConfigPart bounds Data in bytes, so that the answer fits into one packet.
const MaxConfigPart = 32 << 10

// Rollback asks control to make a kept version live again; the answers are those of Reload.
type Rollback struct {
	Version uint64 `json:"version,omitempty"` // 0 = the one before the live one
	Wait    bool   `json:"wait,omitempty"`
}
