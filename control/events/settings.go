package events

import (
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"pingap/config"
)

// Settings say where events are sent. The zero value sends nothing.
type Settings struct {
	Name       string        // of the instance, for texts that people read; empty for none
	URL        config.Secret // empty sends nothing
	Type       string        // wecom, dingtalk, slack, anything else is plain JSON; whatever the case
	Categories []string      // to be sent
	Secret     config.Secret // signs; empty does not
	Timeout    time.Duration // of one attempt
	Retries    int           // after the first attempt
	RetryTime  time.Duration // from the first attempt on
	Queue      int           // events that wait
	Parallel   int           // at a time
}

// Of are the settings of a configuration.
func Of(b *config.Basic) Settings {
	return Settings{Name: label(b.Name), URL: b.Webhook, Type: b.WebhookType, Categories: b.WebhookNotifications, Secret: b.WebhookSecret, Timeout: b.WebhookTimeout.Std(),
		Retries: b.WebhookRetries, RetryTime: b.WebhookRetryTime.Std(), Queue: b.WebhookQueue, Parallel: b.WebhookParallel}
}

const maxName = 128 // bytes

// label is the name of an instance as one short line.
func label(name string) string {
	return clip(strings.TrimSpace(strings.ReplaceAll(clean(name), "\n", " ")), maxName)
}

func (s *Settings) wants(category string) bool {
	return s.URL != "" && slices.Contains(s.Categories, category)
}

// here finds out where this is.
func here() place {
	p := place{}
	p.host, _ = os.Hostname() // empty where it has none
	addresses, _ := net.InterfaceAddrs()
	var v4, v6 string
	for _, a := range addresses {
		n, ok := a.(*net.IPNet)
		if !ok || !n.IP.IsGlobalUnicast() {
			continue
		}
		switch {
		case n.IP.To4() != nil && v4 == "":
			v4 = n.IP.String()
		case n.IP.To4() == nil && v6 == "":
			v6 = n.IP.String()
		}
	}
	p.ip = strings.Trim(v4+";"+v6, ";")
	return p
}
