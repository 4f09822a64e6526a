import { readObject, tryObject, type Place } from './object';
import { Scanner, TomlError, type Value } from './scan';

const lineWidth = 100;

/** The header of an object's table. */
export function header(table: string, name: string): string {
  return table === 'basic' ? '[basic]' : `[${table}.${keyText(name)}]`;
}

/** A key as TOML wants it: bare where it can be. */
export function keyText(key: string): string {
  return /^[A-Za-z0-9_-]+$/.test(key) ? key : quoted(key);
}

/** A value as TOML. */
export function valueText(value: Value): string {
  if (typeof value === 'string') return stringText(value);
  if (typeof value === 'number') return numberText(value);
  if (typeof value !== 'object') return String(value);
  if (Array.isArray(value)) return listText(value);
  const pairs = Object.entries(value).map(([k, v]) => `${keyText(k)} = ${valueText(v)}`);
  return pairs.length === 0 ? '{}' : `{ ${pairs.join(', ')} }`;
}

function numberText(n: number): string {
  if (Number.isNaN(n)) return 'nan';
  if (!Number.isFinite(n)) return n < 0 ? '-inf' : 'inf';
  return String(n);
}

function listText(list: Value[]): string {
  const items = list.map(valueText);
  const short = `[${items.join(', ')}]`;
  if (short.length <= lineWidth && !short.includes('\n')) return short;
  return `[\n${items.map((i) => `  ${i},\n`).join('')}]`;
}

function stringText(text: string): string {
  if (!text.includes('\n')) return /["\\]/.test(text) && !/['\x00-\x08\x0a-\x1f\x7f]/.test(text) ? `'${text}'` : quoted(text);
  // A text of several lines stays readable, such as a certificate.
  if (!text.includes("'''") && !text.endsWith("'") && !/[\x00-\x08\x0b-\x1f\x7f]/.test(text)) return `'''\n${text}'''`;
  return quoted(text);
}

function quoted(text: string): string {
  return `"${text.replace(/["\\\x00-\x1f\x7f]/g, escaped)}"`;
}

function escaped(c: string): string {
  const short: Record<string, string> = { '"': '\\"', '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' };
  return short[c] ?? `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/**
 * The text with one key changed, or removed where the value is undefined. All else stays as it is: comments, order, blanks.
 * A new key goes behind the last one of the object's own table, before sub-tables.
 */
export function setKey(text: string, key: string, value: Value | undefined): string {
  const object = readObject(text);
  const places = object.places.filter((p) => p.key === key);
  const [first] = places;
  if (value === undefined) return places.reduceRight((t, p) => cut(t, p), text);
  if (places.length === 1 && first!.valueFrom >= 0) {
    return text.slice(0, first!.valueFrom) + valueText(value) + text.slice(first!.valueTo);
  }
  const without = places.reduceRight((t, p) => cut(t, p), text);
  const line = `${keyText(key)} = ${valueText(value)}\n`;
  const at = endOfOwnKeys(without);
  const before = without.slice(0, at);
  return before + (before.endsWith('\n') || before === '' ? '' : '\n') + line + without.slice(at);
}

function cut(text: string, place: Place): string {
  return text.slice(0, place.from) + text.slice(place.to);
}

function endOfOwnKeys(text: string): number {
  const own = readObject(text).places.filter((p) => text[p.from] !== '[');
  if (own.length > 0) return Math.max(...own.map((p) => p.to));
  const headerEnd = text.indexOf('\n', text.search(/^[ \t]*\[/m));
  return headerEnd < 0 ? text.length : headerEnd + 1;
}

/** The text with another name in its headers. */
export function rename(text: string, name: string): string {
  const object = readObject(text);
  if (object.table === 'basic' || object.name === name) return text;
  return object.heads.reduceRight((t, at) => t.slice(0, at) + renamedHead(t.slice(at), name), text);
}

function renamedHead(text: string, name: string): string {
  const s = new Scanner(text);
  s.take(s.peek(2) === '[[' ? '[[' : '[');
  s.blanks();
  s.key(1);
  s.blanks();
  s.take('.');
  s.blanks();
  const from = s.at;
  s.key(1);
  return text.slice(0, from) + keyText(name) + text.slice(s.at);
}

/** A text for an object that has none. Keys without a value are left out. */
export function objectText(table: string, name: string, values: { [key: string]: unknown }): string {
  const lines = Object.entries(values)
    .filter(([, v]) => v !== null && v !== undefined)
    .map(([k, v]) => `${keyText(k)} = ${valueText(v as Value)}\n`);
  return `${header(table, name)}\n${lines.join('')}`;
}

/** tidy takes empty entries of lists away, which a form leaves when somebody added one too many. */
export function tidy(text: string): string {
  const read = tryObject(text);
  if (read instanceof TomlError) return text;
  let next = text;
  for (const [key, value] of Object.entries(read.values)) {
    if (!Array.isArray(value) || !value.includes('')) continue;
    const full = value.filter((v) => v !== '');
    next = setKey(next, key, full.length === 0 ? undefined : full);
  }
  return next;
}
