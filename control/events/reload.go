package events

import "pingap/config"

// kindTexts are what the kinds of objects are called when a reload is told, in its order.
func kindTexts() []struct {
	kind config.Kind
	text string
} {
	return []struct {
		kind config.Kind
		text string
	}{{config.KindUpstream, "Upstream"}, {config.KindLocation, "Location"}, {config.KindPlugin, "Plugin"}, {config.KindCertificate, "Certificate"},
		{config.KindServer, "Server Location"}, {config.KindBasic, "Basic"}}
}

// Reloaded says for each kind what has changed, as the original does.
func Reloaded(changes config.Changes) []string {
	var all []string
	for _, k := range kindTexts() {
		var names []string
		touched, elsewhere := false, false
		for _, c := range changes {
			if c.Kind != k.kind {
				continue
			}
			if touched = true; c.Op != config.Removed && c.Kind != config.KindBasic {
				names = append(names, c.Name)
			}
			elsewhere = elsewhere || c.Op != config.Changed || len(c.Keys) != 1 || c.Keys[0].Key != "locations"
		}
		text := k.text
		if k.kind == config.KindServer && elsewhere {
			text = "Server"
		}
		switch {
		case !touched:
		case k.kind == config.KindBasic:
			all = append(all, text+" is modified")
		case len(names) == 0:
			all = append(all, text+" is removed")
		case len(names) == 1:
			all = append(all, text+"("+names[0]+") is modified")
		default:
			all = append(all, text+"s("+Names(names)+") are modified")
		}
	}
	return all
}
