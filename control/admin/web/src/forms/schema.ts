// What GET /schema answers, and what of it a form needs.

/** One key of a table, or one parameter of a plugin. */
export interface Key {
  name: string;
  type: string;
  unit?: string;
  default?: unknown;
  enum?: string[];
  min?: number;
  max?: number;
  help?: string;
  class?: string;
  secret?: boolean;
  required?: boolean;
  group?: string;
  refers?: string;
  keys?: Key[]; // of each table, where the type is table
}

export interface Category {
  name: string; // "upstream"
  table: string; // "upstreams"
  keys: Key[];
}

export interface PluginKind {
  category: string;
  summary: string;
  steps: string[] | null;
  keys: Key[] | null;
  example?: string;
}

export interface Schema {
  categories: Category[];
  plugins: PluginKind[];
}

/** How a key is edited. */
export type Widget = 'text' | 'long' | 'number' | 'flag' | 'choice' | 'pick' | 'list' | 'picks' | 'map' | 'tables' | 'secret' | 'secrets';

/** Keys whose texts have lines of their own. */
const longKeys = new Set([
  'tls_cert',
  'tls_key',
  'tls_chain',
  'ca',
  'client_cert',
  'client_key',
  'client_auth_ca',
  'acme_ca_file',
  'error_template',
  'value',
  'data',
  'public_key',
]);

export function widgetOf(key: Key): Widget {
  if (key.refers) return isList(key) ? 'picks' : 'pick';
  if (isList(key)) return key.secret ? 'secrets' : 'list';
  if (key.type === 'table') return 'tables';
  if (key.type === 'map') return 'map';
  if (key.secret) return 'secret';
  if (key.enum && key.enum.length > 0) return 'choice';
  if (key.type === 'bool' || key.type === 'boolean') return 'flag';
  if (key.type === 'int' || key.type === 'integer' || key.type === 'float' || key.type === 'share') return 'number';
  return longKeys.has(key.name) ? 'long' : 'text';
}

export function isLong(key: Key): boolean {
  return longKeys.has(key.name);
}

function isList(key: Key): boolean {
  return key.type === 'list';
}

/** What stands in an empty field: the default, as somebody would write it. */
export function defaultText(key: Key): string {
  const d = key.default;
  if (d === undefined || d === null || d === '' || (Array.isArray(d) && d.length === 0)) return '';
  return Array.isArray(d) ? d.join(', ') : String(d);
}

/** Whether a flag without value is on. */
export function defaultFlag(key: Key): boolean {
  return key.default === true || key.default === 'true';
}

/** The keys of an object: those of its table, for a plugin with the parameters of its kind. */
export function keysOf(schema: Schema, category: string, plugin?: string): Key[] {
  const own = schema.categories.find((c) => c.name === category)?.keys ?? [];
  if (category !== 'plugin') return own;
  const kind = schema.plugins.find((p) => p.category === plugin);
  const steps = kind?.steps ?? [];
  const keys = own.map((k) => {
    if (k.name === 'category') return { ...k, type: 'enum', enum: schema.plugins.map((p) => p.category) };
    if (k.name === 'step' && steps.length > 0) return { ...k, type: 'enum', enum: steps, default: steps[0] };
    return k;
  });
  const fixed = steps.length === 1;
  const shared = keys.filter((k) => k.name !== 'step' || !fixed);
  const remark = shared.filter((k) => k.name === 'remark');
  return [...shared.filter((k) => k.name !== 'remark'), ...(kind?.keys ?? []), ...remark];
}

/** The name of a category's table. */
export function tableOf(schema: Schema, category: string): string {
  return schema.categories.find((c) => c.name === category)?.table ?? (category === 'basic' ? 'basic' : `${category}s`);
}
