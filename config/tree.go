package config

// Config is a whole configuration: every default filled in, every include expanded.
// The maps are never nil after Load; their keys equal the Name of the object.
type Config struct {
	Basic        Basic
	Servers      map[string]*Server
	Locations    map[string]*Location
	Upstreams    map[string]*Upstream
	Plugins      map[string]*Plugin
	Certificates map[string]*Certificate
	Storages     map[string]*Storage
}

// Plugin is one table [plugins.X]. What its parameters mean is known to the plugin only.
type Plugin struct {
	Name     string `toml:"-"`
	Category string `toml:"category" class:"hot" required:"true" help:"Kind of plugin, for example limit or basic_auth."`
	Step     string `toml:"step" class:"hot" help:"Where in the life of a request it runs: early_request, request, proxy_upstream, upstream_response or response. Only plugins with a choice look at it."`
	Remark   string `toml:"remark" class:"same" help:"A comment."`
	// Params holds every other key as TOML decodes it: string, int64, float64, bool,
	// time.Time, []any, map[string]any.
	Params map[string]any `toml:"-"`
}

// Storage is one table [storages.X], a named text for includes. Storages are not part of
// a snapshot: their text arrives there through the objects that include them.
type Storage struct {
	Name      string `toml:"-"`
	Category  string `toml:"category" class:"same" required:"true" help:"What the text is: config or secret; other words are allowed."`
	Value     Secret `toml:"value" class:"same" required:"true" help:"The text. Where it is included it must be TOML keys of the including table."`
	Secret    Secret `toml:"secret" class:"same" help:"Key with which value is encrypted (AES-256-GCM-SIV)." later:"decrypting storages"`
	Remark    string `toml:"remark" class:"same" help:"A comment."`
	CreatedAt int    `toml:"created_at" class:"same" range:"0.." help:"Unix time in seconds at which the storage was made."`
}
