import type { Key } from './schema';

// How the keys of a form are put together. A key that is named nowhere here is shown all the same, in the group that the server gives, else in the last
// one. The first group of each category is open, the others are folded unless something in them is set.

/** A part of a form. Its name is a word of the dictionary: group.NAME. */
export interface Group {
  name: string;
  keys: Key[];
}

type Plan = [name: string, keys: string[]][];

const plans: Record<string, Plan> = {
  basic: [
    ['general', ['name', 'workers', 'threads', 'trusted_proxies', 'error_template']],
    [
      'log',
      [
        'log_level',
        'log_format_json',
        'log_buffered_size',
        'log_redact_headers',
        'log_redact_query',
        'log_compress_algorithm',
        'log_compress_level',
        'log_compress_days_ago',
        'log_compress_time_point_hour',
        'error_log',
      ],
    ],
    [
      'webhook',
      ['webhook', 'webhook_type', 'webhook_notifications', 'webhook_secret', 'webhook_timeout', 'webhook_retries', 'webhook_retry_time', 'webhook_queue', 'webhook_parallel'],
    ],
    [
      'drain',
      ['grace_period', 'graceful_shutdown_timeout', 'drain_idle_grace', 'drain_spread', 'drain_long_timeout', 'max_draining_generations', 'max_draining_memory', 'orphan_grace'],
    ],
    ['process', ['user', 'group', 'allow_root', 'pid_file', 'max_connections', 'upstream_keepalive_pool_size', 'config_history']],
  ],
  server: [
    ['general', ['addr', 'locations', 'enabled_h2', 'modules', 'remark']],
    ['tls', ['global_certificates', 'tls_min_version', 'tls_max_version', 'tls_cipher_list', 'tls_ciphersuites', 'tls_handshake_timeout', 'client_auth', 'client_auth_ca']],
    ['log', ['access_log', 'access_log_sample', 'access_log_status', 'access_log_min_time']],
    ['observe', ['prometheus_metrics', 'otlp_exporter', 'enable_server_timing']],
    [
      'limits',
      [
        'header_max_size',
        'header_max_fields',
        'target_max_length',
        'header_timeout',
        'keepalive_timeout',
        'keepalive_requests',
        'downstream_read_timeout',
        'downstream_write_timeout',
        'h2_max_streams',
        'h2_window',
        'path_matching',
      ],
    ],
    ['tcp', ['tcp_idle', 'tcp_interval', 'tcp_user_timeout', 'tcp_probe_count', 'tcp_fastopen', 'reuse_port', 'proxy_protocol', 'proxy_protocol_trusted']],
  ],
  location: [
    ['general', ['host', 'path', 'upstream', 'plugins', 'weight', 'remark']],
    ['match', ['match_headers', 'match_query', 'match_cookies']],
    ['rewrite', ['rewrite', 'proxy_set_headers', 'proxy_add_headers', 'enable_reverse_proxy_headers']],
    ['limits', ['client_max_body_size', 'max_processing', 'max_retries', 'max_retry_window', 'tunnel_idle_timeout', 'drain_timeout']],
    ['mirror', ['mirror', 'mirror_percent', 'mirror_max_body']],
  ],
  upstream: [
    ['general', ['addrs', 'algo', 'discovery', 'sticky', 'remark']],
    ['health', ['health_check', 'health_initial', 'fail_open', 'slow_start']],
    ['tls', ['sni', 'verify_cert', 'ca', 'client_cert', 'client_key', 'alpn', 'max_h2_streams', 'proxy_protocol']],
    ['timeouts', ['connection_timeout', 'total_connection_timeout', 'read_timeout', 'write_timeout', 'idle_timeout', 'max_idle_connections']],
    ['retry', ['retry_status', 'retry_non_idempotent', 'retry_budget', 'max_requests_per_backend', 'queue_size', 'queue_timeout']],
    ['eject', ['eject_consecutive_failures', 'eject_status', 'eject_duration', 'eject_max_percent']],
    [
      'breaker',
      [
        'enable_backend_stats',
        'backend_stats_interval',
        'backend_failure_status_code',
        'circuit_break_max_consecutive_failures',
        'circuit_break_max_failure_percent',
        'circuit_break_min_requests_threshold',
        'circuit_break_half_open_consecutive_success_threshold',
        'circuit_break_open_duration',
      ],
    ],
    ['dns', ['update_frequency', 'dns_server', 'dns_domain', 'dns_search', 'ipv4_only']],
    ['tcp', ['tcp_idle', 'tcp_interval', 'tcp_user_timeout', 'tcp_probe_count', 'tcp_recv_buf', 'tcp_fast_open']],
  ],
  certificate: [
    ['general', ['domains', 'tls_cert', 'tls_key', 'is_default', 'remark']],
    ['acme', ['acme', 'acme_email', 'challenge', 'dns_provider', 'dns_service_url', 'dns_challenge', 'acme_eab_kid', 'acme_eab_hmac', 'acme_ca_file']],
  ],
  storage: [['general', ['category', 'value', 'secret', 'remark']]],
};

/** Keys of one thing that belong together at the top of a plugin's form. */
const pluginGeneral = ['category', 'step'];

/** Puts the keys of a form into groups, each key once. */
export function groupKeys(category: string, keys: Key[]): Group[] {
  if (category === 'plugin') return pluginGroups(keys);
  const left = new Map(keys.map((k) => [k.name, k]));
  const take = (name: string): Key[] => {
    const key = left.get(name);
    left.delete(name);
    return key ? [key] : [];
  };
  const groups = (plans[category] ?? []).map(([name, names]) => ({ name, keys: names.flatMap(take) }));
  for (const key of left.values()) groupNamed(groups, key.group || 'advanced').keys.push(key);
  return groups.filter((g) => g.keys.length > 0);
}

function pluginGroups(keys: Key[]): Group[] {
  const general = keys.filter((k) => pluginGeneral.includes(k.name));
  const remark = keys.filter((k) => k.name === 'remark');
  const own = keys.filter((k) => !general.includes(k) && !remark.includes(k));
  return [
    { name: 'general', keys: [...general, ...remark] },
    { name: 'parameters', keys: own },
  ].filter((g) => g.keys.length > 0);
}

function groupNamed(groups: Group[], name: string): Group {
  const found = groups.find((g) => g.name === name);
  if (found) return found;
  const fresh = { name, keys: [] };
  groups.push(fresh);
  return fresh;
}
