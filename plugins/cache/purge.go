package cache

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"pingap/plugins"
	"pingap/worker/cache"
)

// purgeMax is how long the answer to a purge waits for the other workers.
const purgeMax = 10 * time.Second

// purge serves a request with the method PURGE, which never goes to the upstream.
func (c *cached) purge(e *plugins.Exchange) plugins.Decision {
	if !e.ClientIP.IsValid() {
		return plugins.Respond(plugins.Text(400, "Bad Request, the client has no ip"), "client without address")
	}
	if !c.mayPurge(e) {
		return plugins.Respond(plugins.Text(403, "Forbidden, ip is not allowed"), "client may not purge")
	}
	p := c.exact(e)
	done := &plugins.Answer{Status: 204}
	tags, _ := e.Request.Fields.Lookup("Cache-Tag")
	switch {
	case e.Shadow || c.skips(&e.Request):
		return plugins.Respond(done, "nothing to purge")
	case len(tags) > 0:
		p = &cache.Purge{Namespace: c.namespace, Tags: strings.FieldsFunc(string(tags), func(r rune) bool { return r == ',' || r == ' ' || r == '\t' })}
	case p.Target == "/*": // without a namespace that is everything that has none
		p = &cache.Purge{Namespace: c.namespace}
	case strings.HasSuffix(p.Target, "*"):
		p.Target, p.Exact, p.Parts = strings.TrimSuffix(p.Target, "*"), false, ""
	}
	removed, failed := c.cache.Purge(p)
	if err := c.others.tell(p); err != nil {
		return plugins.Respond(plugins.Text(500, "the other workers were not reached"), "purge did not reach all workers")
	}
	if p.Exact {
		return plugins.Respond(done, "purged")
	}
	return plugins.Respond(plugins.Text(200, fmt.Sprintf("purged: %d, fail: %d", removed, failed)), "purged")
}

func (c *cached) mayPurge(e *plugins.Exchange) bool {
	ip := e.ClientIP.Unmap()
	for _, network := range c.purgers {
		if network.Contains(ip) {
			return true
		}
	}
	return false
}

// exact is the purge of the address that a request names.
func (c *cached) exact(e *plugins.Exchange) *cache.Purge {
	at := cache.PlaceOf(c.key(nil, e))
	return &cache.Purge{Namespace: c.namespace, Host: at.Host, Target: at.Target, Exact: true, Parts: string(c.parts(nil, e))}
}

// others are the other workers.
type others struct {
	cache    *cache.Cache
	services *plugins.Services
	store    string // what messages name
	stop     func()

	queue chan *cache.Purge // what unsafe requests made invalid
	ended sync.WaitGroup
}

// maxForgotten bounds what waits to be told. A worker that cannot be told so fast keeps the rest until it is stale.
const maxForgotten = 4096

// topic is that of messages between workers: purges, each with the name of the store it is meant for.
const topic = "cache"

// connect has purges of other workers heard.
func connect(s *plugins.Services, c *cache.Cache, store string) *others {
	o := &others{cache: c, services: s, store: store, queue: make(chan *cache.Purge, maxForgotten)}
	o.stop = s.Hear(topic, func(body []byte) {
		p, err := cache.ReadPurge(body)
		switch {
		case err != nil || p.Store != store: // another's
		case c.Shared():
			c.Doom(p)
		default:
			c.Purge(p)
		}
	})
	if s.Tell != nil {
		o.ended.Add(1)
		go o.run() // ends with close
	}
	return o
}

// tell has all other workers purge, and waits until they have.
func (o *others) tell(p *cache.Purge) error {
	if o.services.Tell == nil {
		return nil
	}
	message := *p
	message.Store = o.store
	body, err := message.Message()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), purgeMax)
	defer cancel()
	return o.services.Tell(ctx, topic, body)
}

// forget purges here at once, and soon in the other workers.
func (o *others) forget(p *cache.Purge) {
	o.cache.Purge(p)
	if o.services.Tell == nil {
		return
	}
	select {
	case o.queue <- p:
	default:
	}
}

func (o *others) run() {
	defer o.ended.Done()
	for p := range o.queue {
		if err := o.tell(p); err != nil && o.services.Log != nil {
			o.services.Log.Named("cache").Sugar().Warnw("other workers keep what is not right any more", "error", err)
		}
	}
}

// close ends hearing and telling; what waits is told first.
func (o *others) close() {
	o.stop()
	close(o.queue)
	o.ended.Wait()
}
