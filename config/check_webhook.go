package config

import (
	"net/url"
	"strings"

	"pingap/config/internal/places"
)

// eventNames are what webhook_notifications may list.
func eventNames() []string {
	return []string{"backend_status", "upstream_status", "service_discover_fail", "tls_validity", "parse_certificate_fail", "lets_encrypt", "diff_config",
		"reload_config", "reload_config_fail", "restart", "restart_fail", "worker_exit", "rollback", "upgrade"}
}

// checkWebhook judges where events are sent. Pingap accepts anything here, so it must load. The URL is a secret: no message shows it.
func (l *loader) checkWebhook(e *entry, b *Basic) {
	if b.Webhook != "" {
		u, err := url.Parse(b.Webhook.Reveal())
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.Fragment != "" {
			l.warn(e.problem("expected a URL with http:// or https:// and a host; nothing can be sent", "webhook"))
		}
	}
	types := []string{"", "normal", "generic", "json", "wecom", "dingtalk", "slack"}
	if !contains(types, strings.ToLower(b.WebhookType)) {
		l.warn(e.problem("expected wecom, dingtalk, slack or normal; plain JSON is sent"+l.suggest(b.WebhookType, types[1:]), "webhook_type"))
	}
	for i, name := range b.WebhookNotifications {
		if !contains(eventNames(), name) {
			l.warn(e.problem("there is no event "+clip(name)+l.suggest(name, eventNames()), "webhook_notifications", places.Element(i)))
		}
	}
	if b.Webhook != "" && len(b.WebhookNotifications) == 0 {
		l.warn(e.problem("nothing is sent: webhook_notifications lists no event", "webhook"))
	}
}
