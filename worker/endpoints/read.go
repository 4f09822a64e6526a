package endpoints

import (
	"fmt"
	"net/netip"

	"pingap/config"
	"pingap/ipc"
	"pingap/worker/upstream"
)

// maxUnixPath is sun_path less its terminating NUL.
const maxUnixPath = 107

// endpoint reads one of a list.
func (b *Book) endpoint(e *ipc.Endpoint) (upstream.Endpoint, error) {
	address, err := addressOf(e)
	if err != nil {
		return upstream.Endpoint{}, err
	}
	out := upstream.Endpoint{Address: address, Weight: e.Weight, Backup: e.Backup, Record: b.record(e.Record)}
	if !e.Since.IsZero() {
		out.Since = e.Since.UnixNano()
	}
	switch e.Health {
	case ipc.Healthy:
	case ipc.Unhealthy:
		out.Health = upstream.Unhealthy
	case ipc.Unchecked:
		out.Health = upstream.Unchecked
	default:
		return out, fmt.Errorf("%s: health %.20q", e.Address, e.Health)
	}
	switch e.Admin {
	case ipc.AdminUp:
	case ipc.AdminDrain:
		out.Admin = upstream.Drain
	case ipc.AdminDown:
		out.Admin = upstream.Down
	default:
		return out, fmt.Errorf("%s: admin %.20q", e.Address, e.Admin)
	}
	return out, nil
}

func addressOf(e *ipc.Endpoint) (config.Address, error) {
	if e.Network == "unix" {
		if e.Address == "" || len(e.Address) > maxUnixPath {
			return config.Address{}, fmt.Errorf("a path of %d bytes", len(e.Address))
		}
		return config.Address{Network: "unix", Path: e.Address}, nil
	}
	ap, err := netip.ParseAddrPort(e.Address)
	if err != nil || e.Network != "" && e.Network != "tcp" || ap.Port() == 0 {
		return config.Address{}, fmt.Errorf("address %.60q", e.Address)
	}
	return config.Address{Network: "tcp", Host: ap.Addr().String(), Port: int(ap.Port())}, nil
}
