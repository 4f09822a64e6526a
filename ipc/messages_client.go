package ipc

// ConfigRead asks for a part of a JSON document about the versions that are kept. Documents are larger than an answer may be:
// a client asks on, from Offset, until it has all of it. They are those of package control/history.
type ConfigRead struct {
	What    string `json:"what"`              // list, show, diff, certificates or upstreams
	Version uint64 `json:"version,omitempty"` // show: this one, 0 = the live one; diff: from this one
	Other   uint64 `json:"other,omitempty"`   // diff: to that one
	Secrets bool   `json:"secrets,omitempty"` // show: in the clear; only for root and the user that control runs as
	Name    string `json:"name,omitempty"`    // upstreams: this one only
	Offset  int    `json:"offset,omitempty"`  // bytes; 0 makes the document anew, others continue it on the same connection
}

// The documents that ConfigRead asks for.
const (
	ConfigList = "list"
	ConfigShow = "show"
	ConfigDiff = "diff"

	ConfigCertificates = "certificates" // of the live version; that of package control/inventory
	ConfigUpstreams    = "upstreams"    // their backends as they are now; that of package control/endpoints
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

// UpstreamAdmin asks control to take a backend out of service, or back in.
type UpstreamAdmin struct {
	Upstream string `json:"upstream"`
	Address  string `json:"address"` // as Endpoint.Address; a socket with or without unix: before its path
	Admin    Admin  `json:"admin"`
}

// UpstreamChanged answers UpstreamAdmin when all workers that accept know, or Refused.
type UpstreamChanged struct {
	Address string `json:"address"`           // as the list has it
	Before  Admin  `json:"before"`            // what it was
	Absent  bool   `json:"absent"`            // it is in no list now: the wish waits until it comes back
	Problem string `json:"problem,omitempty"` // why workers may not know yet
}
