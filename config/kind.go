package config

// Kind is a kind of object. The values are part of the snapshot's format.
type Kind uint8

const (
	KindBasic Kind = iota
	KindServer
	KindLocation
	KindUpstream
	KindPlugin
	KindCertificate
	KindStorage

	kinds = 7
)

// String is the singular name, as the admin API and notifications use it.
func (k Kind) String() string {
	switch k {
	case KindBasic:
		return "basic"
	case KindServer:
		return "server"
	case KindLocation:
		return "location"
	case KindUpstream:
		return "upstream"
	case KindPlugin:
		return "plugin"
	case KindCertificate:
		return "certificate"
	case KindStorage:
		return "storage"
	}
	return "unknown"
}

// Table is the name of its table in TOML.
func (k Kind) Table() string {
	if k == KindBasic {
		return "basic"
	}
	return k.String() + "s"
}

// kindOfTable finds the kind by the name of its table.
func kindOfTable(name string) (Kind, bool) {
	for k := KindBasic; k < kinds; k++ {
		if k.Table() == name {
			return k, true
		}
	}
	return 0, false
}
