// A part of the real schema: one or two keys of every type, so that forms have something to show.
const key = (name: string, type: string, help: string, more: Record<string, unknown> = {}) => ({ name, type, help, class: 'hot', secret: false, required: false, group: '', refers: '', ...more });

const category = key('category', 'enum', 'What the plugin does.', { required: true, class: 'hot' });

export const schema = {
  categories: [
    { name: 'basic', table: 'basic', keys: [
      key('name', 'string', 'Name of this instance in logs.', { default: 'pingap' }),
      key('threads', 'int', 'Threads of all workers together; 0 means all cores.', { default: 1, min: 0, max: 1024, class: 'roll' }),
      key('log_level', 'enum', 'The least level that is logged.', { default: 'INFO', enum: ['DEBUG', 'INFO', 'WARN', 'ERROR'], group: 'log' }),
      key('grace_period', 'duration', 'How long workers that end may take.', { default: '5m' }),
      key('trusted_proxies', 'list', 'Addresses whose X-Forwarded-For is believed.'),
    ] },
    { name: 'server', table: 'servers', keys: [
      key('addr', 'string', 'Addresses to listen on, with commas.', { required: true, class: 'listeners' }),
      key('locations', 'list', 'Locations that serve its requests.', { refers: 'location' }),
      key('access_log', 'string', 'Format of the access log, or the name of a preset.', { group: 'log' }),
      key('global_certificates', 'bool', 'Use the certificates of this configuration.', { default: false, group: 'tls' }),
      key('enabled_h2', 'bool', 'Speak HTTP/2.', { default: false }),
      key('remark', 'string', 'A note for people.'),
    ] },
    { name: 'location', table: 'locations', keys: [
      key('upstream', 'string', 'Where requests are passed on to.', { refers: 'upstream' }),
      key('host', 'string', 'Host names, with commas. Empty: every host.'),
      key('path', 'string', 'Prefix; "= /x" exact; "~ ^/x" a regular expression.'),
      key('rewrite', 'string', 'Regular expression and what takes its place.'),
      key('plugins', 'list', 'Plugins in their order.', { refers: 'plugin' }),
      key('max_processing', 'int', 'Most requests at a time.', { default: 0, min: 0, group: 'limits' }),
      key('client_max_body_size', 'size', 'Longest body of a request.', { group: 'limits' }),
      key('proxy_set_headers', 'list', 'Header lines for the upstream.', { group: 'headers' }),
      key('grpc_web', 'bool', 'Translate gRPC-web.', { default: false }),
      key('remark', 'string', 'A note for people.'),
    ] },
    { name: 'upstream', table: 'upstreams', keys: [
      key('addrs', 'list', 'Backends: "host:port weight".', { required: true }),
      key('algo', 'string', 'How a backend is chosen.', { default: 'round_robin' }),
      key('discovery', 'enum', 'Where the backends come from.', { default: 'common', enum: ['common', 'dns', 'docker'] }),
      key('health_check', 'string', 'How backends are checked.', { group: 'health' }),
      key('connection_timeout', 'duration', 'Longest time to connect.', { group: 'time', unit: '' }),
      key('read_timeout', 'duration', 'Longest silence of a backend.', { group: 'time' }),
      key('verify_cert', 'bool', 'Whether certificates of backends are verified.', { default: true, group: 'tls' }),
      key('remark', 'string', 'A note for people.'),
    ] },
    { name: 'plugin', table: 'plugins', keys: [category, key('step', 'string', 'When it runs.'), key('remark', 'string', 'A note for people.')] },
    { name: 'certificate', table: 'certificates', keys: [
      key('tls_cert', 'string', 'The chain as PEM, or a path.'), key('tls_key', 'string', 'The key as PEM, or a path.', { secret: true }),
      key('domains', 'string', 'Names of the certificate.'), key('acme', 'enum', 'The CA it comes from.', { enum: ['', 'lets_encrypt'] }), key('is_default', 'bool', 'For clients that name no host.', { default: false }),
    ] },
    { name: 'storage', table: 'storages', keys: [
      key('category', 'enum', 'What it is.', { enum: ['config', 'secret'], required: true }), key('value', 'string', 'The text.', { secret: true }), key('secret', 'string', 'The key it is encrypted with.', { secret: true }), key('remark', 'string', 'A note for people.'),
    ] },
  ],
  plugins: [
    { category: 'limit', summary: 'limits requests by rate or number', steps: ['request', 'proxy_upstream'], example: '[plugins.limit]\ncategory = "limit"\ntag = "ip"\nmax = 10\n',
      keys: [key('type', 'enum', 'What is limited.', { enum: ['rate', 'inflight'], default: 'rate' }), key('tag', 'enum', 'By what requests are told apart.', { enum: ['ip', 'header', 'cookie', 'query'], required: true }), key('key', 'string', 'Name of header, cookie or query.'), key('max', 'int', 'How many.', { required: true, min: 1 }), key('interval', 'duration', 'In which time.', { default: '10s' })] },
    { category: 'compression', summary: 'compresses answers', steps: ['early_request'], example: '[plugins.compression]\ncategory = "compression"\n', keys: [key('gzip_level', 'int', 'Level of gzip; 0 is off.', { default: 6, min: 0, max: 9 }), key('br_level', 'int', 'Level of brotli.', { default: 6, min: 0, max: 11 }), key('zstd_level', 'int', 'Level of zstd.', { default: 5, min: 0, max: 22 })] },
    { category: 'key_auth', summary: 'asks for a key', steps: ['request'], example: '', keys: [key('header', 'string', 'Header with the key.'), key('query', 'string', 'Query with the key.'), key('keys', 'list', 'Keys that are right.', { secret: true, required: true })] },
    { category: 'cache', summary: 'keeps answers', steps: ['request'], example: '', keys: [key('max_ttl', 'duration', 'Longest time to keep.'), key('eviction', 'bool', 'Make room by removing what is used least.', { default: false })] },
    { category: 'request_id', summary: 'gives requests an id', steps: ['request', 'proxy_upstream'], example: '', keys: [key('algorithm', 'enum', 'How it is made.', { enum: ['uuid', 'nanoid'], default: 'uuid' }), key('size', 'int', 'Letters of a nanoid.', { default: 8 })] },
    { category: 'stats', summary: 'shows figures', steps: ['request'], example: '', keys: [key('path', 'string', 'Where.', { required: true })] },
    { category: 'admin', summary: 'serves this panel', steps: ['request'], example: '', keys: [key('path', 'string', 'Below which path.', { default: '/' }), key('authorizations', 'list', 'Who may.', { secret: true })] },
  ],
};
