package plugins

import "io"

// Instance is a built plugin with the steps it has; a step that it lacks is nil.
type Instance struct {
	// Name is the name of its table, or of the built-in.
	Name string
	// Category is the category it is made from.
	Category string
	// Step is where Decider runs: EarlyRequest, Request or ProxyUpstream.
	Step Step

	Decider           Decider
	UpstreamResponder UpstreamResponder
	Responder         Responder
	BodyFilterer      BodyFilterer
	Storer            Storer

	// Shadow has it asked and not obeyed: what it would do is counted and said.
	Shadow bool
	// Watched counts what it would have done then.
	Watched Watched

	closer   io.Closer
	foreseer Foreseer
	plain    bool
	warnings []Problem
}

func newInstance(name string, f *Factory, step Step, plugin Plugin) *Instance {
	i := &Instance{Name: name, Category: f.Category, Step: step}
	i.Decider, _ = plugin.(Decider)
	i.UpstreamResponder, _ = plugin.(UpstreamResponder)
	i.Responder, _ = plugin.(Responder)
	i.BodyFilterer, _ = plugin.(BodyFilterer)
	i.Storer, _ = plugin.(Storer)
	i.closer, _ = plugin.(io.Closer)
	i.foreseer, _ = plugin.(Foreseer)
	i.plain = f.Plain
	if w, ok := plugin.(Warner); ok {
		i.warnings = w.Warnings()
	}
	if placed, ok := plugin.(Placed); ok && step == NoStep {
		i.Step = placed.BodyStep()
	}
	return i
}

// Close ends what the plugin owns. It is called once, when no request uses the instance any more.
func (i *Instance) Close() error {
	if i.closer == nil {
		return nil
	}
	return i.closer.Close()
}

// mismatch says why the instance does not fit the step of its table; empty if it does.
func (i *Instance) mismatch() string {
	switch i.Step {
	case EarlyRequest, Request, ProxyUpstream:
		if i.Decider == nil {
			return "declares a request step and decides nothing"
		}
	case UpstreamResponse:
		if i.UpstreamResponder == nil {
			return "with these parameters it does not act at upstream_response"
		}
	case Response:
		if i.Responder == nil && i.BodyFilterer == nil {
			return "with these parameters it does not act at response"
		}
	}
	return ""
}

// Chain holds the plugins of a location, a slice per step in the order of the location's list. Each
// slice holds only instances that have the step, so that the field named in its comment is not nil.
type Chain struct {
	Early            []*Instance // Decider
	Request          []*Instance // Decider
	ProxyUpstream    []*Instance // Decider
	UpstreamResponse []*Instance // UpstreamResponder
	UpstreamBody     []*Instance // BodyFilterer, of instances whose step is upstream_response: before the Storer
	Storer           *Instance   // Storer; nil for none
	Response         []*Instance // Responder
	Body             []*Instance // BodyFilterer
}

// NewChain sorts instances by step; nil without any.
func NewChain(instances []*Instance) *Chain {
	if len(instances) == 0 {
		return nil
	}
	c := &Chain{}
	for _, i := range instances {
		c.addDecider(i)
		if i.UpstreamResponder != nil {
			c.UpstreamResponse = append(c.UpstreamResponse, i)
		}
		if i.Responder != nil {
			c.Response = append(c.Response, i)
		}
		switch {
		case i.Shadow: // bodies are not copied
		case i.BodyFilterer != nil && i.Step == UpstreamResponse:
			c.UpstreamBody = append(c.UpstreamBody, i)
		case i.BodyFilterer != nil:
			c.Body = append(c.Body, i)
		}
		if i.Storer != nil && c.Storer == nil && !i.Shadow {
			c.Storer = i
		}
	}
	return c
}

func (c *Chain) addDecider(i *Instance) {
	if i.Decider == nil {
		return
	}
	switch i.Step {
	case EarlyRequest:
		c.Early = append(c.Early, i)
	case Request:
		c.Request = append(c.Request, i)
	case ProxyUpstream:
		c.ProxyUpstream = append(c.ProxyUpstream, i)
	}
}
