package explain

// Question is a request that somebody thinks of.
type Question struct {
	Method  string      `json:"method"`
	URL     string      `json:"url"`
	Headers [][2]string `json:"headers,omitempty"`
	// Protocol is what the client speaks: "http/1.1", or empty; "h2"; or "grpc", which is h2 with the fields that a call has.
	Protocol string `json:"protocol,omitempty"`
	// Client is the address that the connection comes from; empty is 127.0.0.1.
	Client string `json:"client,omitempty"`
	// Server is asked in place of those that listen where the URL leads; empty for these.
	Server string `json:"server,omitempty"`
}

// Explanation is the way of a request.
type Explanation struct {
	Server    string     `json:"server"`
	Listener  string     `json:"listener"`
	Version   uint64     `json:"version,omitempty"` // of the configuration
	Request   Request    `json:"request"`
	Client    string     `json:"client"`                // address of the client, as limits, lists and logs know it
	Cert      string     `json:"certificate,omitempty"` // table whose certificate a TLS client is shown
	Locations []Location `json:"locations"`
	More      int        `json:"more,omitempty"` // locations left out
	Location  string     `json:"location"`       // empty for none
	Rewrite   *Rewrite   `json:"rewrite"`
	Headers   []Header   `json:"headers"`
	Plugins   []Plugin   `json:"plugins"`
	Upstream  *Upstream  `json:"upstream"`
	Answer    *Answer    `json:"answer"`
	Notes     []string   `json:"notes"`
	// Also are the explanations of further servers that the URL may mean.
	Also []*Explanation `json:"also,omitempty"`
}

// Request is what the server sees of a request.
type Request struct {
	Method     string `json:"method"`
	Host       string `json:"host"`
	Path       string `json:"path"`
	Normalized string `json:"normalized"`       // the path that locations are matched by
	Protocol   string `json:"protocol"`         // http/1.1 or h2
	Call       string `json:"call,omitempty"`   // gRPC or gRPC-web, where it is a call that the server takes for one
	Tunnel     bool   `json:"tunnel,omitempty"` // it goes on as one that asks for a tunnel, such as a WebSocket
}

// Location is one that was tried.
type Location struct {
	Name    string `json:"name"`
	Weight  int    `json:"weight"`
	Matched bool   `json:"matched"` // it is the one
	Why     string `json:"why"`
}

// Rewrite is what the upstream is asked for in place of what the client asked for.
type Rewrite struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// Header is a change of the request's fields on their way to the upstream.
type Header struct {
	Op    string `json:"op"` // set, add or remove
	Name  string `json:"name"`
	Value string `json:"value"` // *** where it is nobody's business
}

// Verdicts of plugins.
const (
	Passes  = "passes"  // it lets the request go on as it is
	Answers = "answers" // it answers
	Changes = "changes" // it changes the request
	Unknown = "unknown" // it cannot tell without doing it, or acts on the response
	Off     = "off"     // it is not asked, or its word does not count
)

// Plugin is what one plugin says.
type Plugin struct {
	Name     string `json:"name"`
	Category string `json:"category"`
	Step     string `json:"step"`
	Verdict  string `json:"verdict"`
	Status   int    `json:"status,omitempty"`
	Why      string `json:"why"`
}

// Upstream is where the request goes.
type Upstream struct {
	Name      string    `json:"name"`
	Algorithm string    `json:"algorithm"`
	Protocol  string    `json:"protocol"` // that backends are spoken to in: http/1.1, h2, or "h2, http/1.1" where they choose
	Backends  []Backend `json:"backends"`
	More      int       `json:"more,omitempty"` // backends left out
	Chosen    string    `json:"chosen"`         // empty for none, or where a lot is drawn
}

// Backend is one that may be chosen, or not.
type Backend struct {
	Addr    string `json:"addr"`
	Weight  int    `json:"weight"`
	Healthy bool   `json:"healthy"`
	State   string `json:"state"` // up, drain or down: what operators want; unknown outside of a running instance
	Backup  bool   `json:"backup,omitempty"`
	Chosen  bool   `json:"chosen"`
	Why     string `json:"why"`
}

// Answer is one that is made here.
type Answer struct {
	Status int `json:"status"`
	// GRPC is the status of the call, told with 200 in place of an error of HTTP; GRPCName its name.
	GRPC     int    `json:"grpc_status,omitempty"`
	GRPCName string `json:"grpc_name,omitempty"`
	Why      string `json:"why"`
}

// Routes are the locations of a server in the order in which they are tried.
type Routes struct {
	Server    string  `json:"server"`
	Locations []Route `json:"locations"`
	More      int     `json:"more,omitempty"` // locations left out
}

// Route is one location.
type Route struct {
	Name     string        `json:"name"`
	Order    int           `json:"order"` // from 1
	Host     []string      `json:"host"`  // none is any
	Path     string        `json:"path"`
	Kind     string        `json:"kind"` // exact, prefix, regex or any
	Weight   int           `json:"weight"`
	Plugins  []RoutePlugin `json:"plugins"`
	Upstream string        `json:"upstream"` // empty for none; $name where a captured variable says it
	Healthy  int           `json:"healthy"`  // backends that may be chosen
	Total    int           `json:"total"`
}

// RoutePlugin is a plugin of a location.
type RoutePlugin struct {
	Name     string `json:"name"`
	Category string `json:"category"`
	Step     string `json:"step"`
}
