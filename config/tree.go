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

// Certificate is one table [certificates.X].
type Certificate struct {
	Name          string `toml:"-"`
	Domains       string `toml:"domains" class:"hot" help:"Comma list of names served; empty takes the names in the certificate." later:"TLS"`
	TLSCert       string `toml:"tls_cert" class:"hot" help:"The certificate and its chain: PEM text, a file, or base64 of PEM." later:"TLS"`
	TLSKey        Secret `toml:"tls_key" class:"hot" help:"The private key: PEM text, a file, or base64 of PEM." later:"TLS"`
	TLSChain      string `toml:"tls_chain" class:"same" old:"true" help:"Removed by Pingap 0.11.2: the chain belongs into tls_cert. Accepted, without effect."`
	IsDefault     bool   `toml:"is_default" class:"hot" help:"Used when no other certificate fits the name the client asked for." later:"TLS"`
	IsCA          bool   `toml:"is_ca" class:"hot" help:"The pair is a CA that signs certificates on the fly." later:"TLS"`
	ACME          string `toml:"acme" class:"hot" help:"lets_encrypt requests and renews the certificate; any text that is not empty means the same." later:"ACME"`
	DNSChallenge  bool   `toml:"dns_challenge" class:"hot" help:"Prove ownership by dns-01 in place of http-01." later:"ACME"`
	DNSProvider   string `toml:"dns_provider" class:"hot" help:"Who hosts the zone: ali, cf, tencent, huawei or manual." later:"ACME"`
	DNSServiceURL Secret `toml:"dns_service_url" class:"hot" help:"Address and credentials of the DNS provider; $ENV:NAME takes the whole value from the environment." later:"ACME"`
	BufferDays    int    `toml:"buffer_days" class:"hot" range:"0..65535" unit:"days" help:"How long before its end a certificate is renewed or warned about." later:"ACME"`
	Remark        string `toml:"remark" class:"same" help:"A comment."`
}
