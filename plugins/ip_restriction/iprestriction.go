package iprestriction

import (
	"errors"

	"pingap/plugins"
)

// Factory declares the plugin.
func Factory() plugins.Factory {
	return plugins.Factory{
		Category: "ip_restriction",
		Summary:  "Lets clients pass, or refuses them, by their address.",
		Steps:    []plugins.Step{plugins.Request},
		Plain:    true,
		Params: append([]plugins.Param{
			{Name: "ip_list", Type: plugins.Strings, Help: "Addresses and networks, such as 192.0.2.1 or 2001:db8::/32. Empty holds no address: allow then refuses everybody."},
		}, plugins.RestrictionParams("addresses")...),
		New: build,
	}
}

// restriction is an instance.
type restriction struct {
	list    *networks
	refusal *plugins.Restriction
	unknown *plugins.Answer // shared by all requests
}

func build(p *plugins.Parameters) (plugins.Plugin, error) {
	list, listErr := readNetworks("ip_list", p.Strings("ip_list"))
	refusal, refusalErr := plugins.NewRestriction(p, "address")
	if err := errors.Join(listErr, refusalErr); err != nil {
		return nil, err
	}
	return &restriction{list: list, refusal: refusal, unknown: plugins.Text(400, "Client address is unknown")}, nil
}

// Decide looks the client's address up. A client without one (a unix socket, and no proxy in front that is believed) can be on no list, and is
// refused either way.
func (r *restriction) Decide(e *plugins.Exchange) plugins.Decision {
	if !e.ClientIP.IsValid() {
		return plugins.Respond(r.unknown, "no address")
	}
	return r.refusal.Decide(r.list.contain(e.ClientIP))
}
