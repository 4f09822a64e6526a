// Shapes of the API, as openapi.json describes them. Times are RFC 3339 unless they end in _ms or are called "at" of a Live.

export type ChangeClass = 'none' | 'hot' | 'listeners' | 'roll';
export type Change = { object: string; op?: 'added' | 'changed' | 'removed'; class: ChangeClass | 'same'; keys?: KeyChange[] };
export type KeyChange = { key: string; from?: unknown; to?: unknown; class: ChangeClass };
export type Preview = { class: ChangeClass; changes: Change[]; text: string; warnings: string[]; base: string };
export type Applied = { version: number; sha: string; class: ChangeClass; changes: Change[]; took_ms: number; workers: { pid: number; slot: number; generation: number; version: number }[]; warnings: string[] };

export type SchemaKey = {
  name: string; type: 'string' | 'int' | 'bool' | 'duration' | 'size' | 'list' | 'map' | 'enum' | 'table' | 'float';
  unit?: string; default?: unknown; enum?: string[]; min?: number; max?: number; help?: string; class?: ChangeClass;
  secret?: boolean; required?: boolean; group?: string; refers?: '' | 'upstream' | 'location' | 'plugin' | 'storage' | 'certificate';
};
export type SchemaCategory = { name: string; table: string; keys: SchemaKey[] };
export type SchemaPlugin = { category: string; summary: string; steps: string[]; keys: SchemaKey[]; example: string };
export type Schema = { categories: SchemaCategory[]; plugins: SchemaPlugin[] };

export type ObjectLine = { category: string; name: string; remark?: string; used_by: string[]; uses: string[]; summary: string; file?: string; line?: number };
/** Instance is what holds for all objects. writable is empty, or why the source cannot be written. */
export type Instance = { instance: string; panel_only: boolean; writable: string };
export type ObjectList = Instance & { version: string; source: 'file' | 'etcd' | 'memory'; objects: ObjectLine[] };
export type ObjectOne = { category: string; name: string; version: number; value: Record<string, unknown>; toml: string; used_by: string[]; uses: string[]; file?: string; line?: number };

export type Version = { version: number; at: string; by: string; sha: string; size: number; changes: Change[] | null; rollback_of?: number };
export type Versions = { live: number; versions: Version[] };

export type Process = {
  kind: string; pid: number; slot: number; generation: number; state: string; uptime: number; connections: number; requests: number; memory: number;
  restarts: number; last_exit?: string; build?: string; sha?: string; log_dropped: number;
};
export type Status = {
  state: string; degraded: string[]; notes: string[]; build: string; settled: boolean; epoch: number; hurried: number;
  config: {
    version: number; sha: string; source: { location: string; watch: string; differs: boolean; error?: string; refused?: string; rollback_to?: number; loaded: string; by?: string } | null;
    last_apply: { at: string; sha: string; requested_by: string; error?: string } | null;
    versions: { version: number; sha: string; at: string; by: string; changes: Change[] }[];
  };
  processes: Process[]; listeners: { id: string; network: string; address: string; server: string }[]; logs: string[];
};

/** Figure is null where it is not known: before the first sample, or without requests. */
export type Figure = number | null;
export type Rates = { rps: Figure; errors_per_s: Figure; p50_ms: Figure; p90_ms: Figure; p99_ms: Figure };
export type LiveTotals = Rates & { processing: number; bytes_in_per_s: Figure; bytes_out_per_s: Figure; connections: number; accepted: number; status: Record<'2xx' | '3xx' | '4xx' | '5xx', Figure> };
export type LiveLocation = Rates & { name: string; processing: number; bytes_out_per_s?: Figure };
export type LiveBackend = { addr: string; healthy: boolean; state: 'up' | 'drain' | 'down' | 'open' | 'half-open' | 'ejected' | 'absent'; since?: string | null; last_error?: string; in_flight?: number | null };
export type LiveUpstream = Rates & { name: string; connections: number; healthy: number; total: number; backends: LiveBackend[] };
export type LiveProcess = { pid: number; kind: string; slot: number; generation: number; state: string; cpu_percent: Figure; memory: number; connections: number; requests: number; uptime_ms: number };
export type Live = { at: number; interval_ms: number; totals: LiveTotals; locations: LiveLocation[]; upstreams: LiveUpstream[]; processes: LiveProcess[]; more_locations?: number; more_upstreams?: number };
export type Series = { from: number; step_ms: number; series: Record<string, (number | null)[]> };

export type Explanation = {
  server: string; listener: string; certificate?: string; request: { method: string; host: string; path: string; normalized: string; protocol: string; call?: string; tunnel?: boolean };
  locations: { name: string; weight: number; matched: boolean; why: string }[]; more?: number; location: string; rewrite: { from: string; to: string } | null;
  headers: { op: string; name: string; value: string }[] | null;
  plugins: { name: string; category: string; step: string; verdict: 'passes' | 'answers' | 'changes' | 'unknown' | 'off'; status?: number; why: string }[] | null;
  upstream: { name: string; algorithm: string; protocol: string; backends: { addr: string; weight: number; healthy: boolean; state: string; chosen: boolean; why: string }[] | null; chosen: string } | null;
  answer: { status: number; grpc_status?: number; grpc_name?: string; why: string } | null; notes: string[] | null; also?: Explanation[];
};
export type RouteMap = { server: string; locations: { name: string; order: number; host: string[] | null; path: string; kind: 'exact' | 'prefix' | 'regex' | 'any'; weight: number; plugins: { name: string; category: string; step: string }[] | null; upstream: string; healthy: number; total: number }[] };
export type AuditEntry = { at: string; user: string; addr: string; how: string; method: string; path: string; what: string; result: string; version?: number };

export type Backend = {
  address: string; weight: number; backup: boolean; from: string; health: 'healthy' | 'unhealthy' | 'unchecked' | 'absent'; reason: string; checked?: string; admin: 'up' | 'drain' | 'down'; by?: string; at?: string; absent?: string;
  in_flight: number; breaker: '' | 'open' | 'half-open' | 'closed'; open_for: number; probes: number; successes: number; ejected_for: number; ejected_times: number; requests: number; failures: number;
};
export type UpstreamList = { upstreams: { name: string; problems: string[]; backends: Backend[] }[] };
/** LedgerRecord is an operation, and what became of the connections. Durations are nanoseconds. */
export type LedgerRecord = {
  id: number; kind: string; by?: string; reason?: string; at: string; took: number; result: string; from?: number; to: number; workers: number; draining: number; requests: number; connections: number;
  after_answer: number; idle: number; moved: number; cut: number; cut_why?: Record<string, number>; refused: number; longest_wait: number; ended?: string;
};
export type Ledger = { records: LedgerRecord[] | null };
export type Certificate = {
  name: string; domains: string[]; source: 'file' | 'inline' | 'acme' | 'none'; path?: string; ca?: boolean; issuer?: string; key_type?: string; not_after?: string; days_left: number;
  last_error?: string; next_attempt?: string; busy?: boolean; needs?: { name: string; value: string }[];
};
export type Inventory = { problem?: string; certificates: Certificate[] };
export type LogLine = Record<string, string | number | boolean | null>;
