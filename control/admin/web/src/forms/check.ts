import { widgetOf, type Key } from './schema';
import type { Value } from './toml/scan';

// What a form can tell before the server is asked. The server judges all of it again.

/** A mistake: a word of the dictionary (check.WORD) and what goes into it. */
export interface Problem {
  word: 'required' | 'taken' | 'number' | 'whole' | 'least' | 'most' | 'duration' | 'size' | 'share' | 'one_of' | 'name';
  with?: string;
}

const durationUnits =
  'nanos|nsec|ns|usec|us|millis|msec|ms|seconds|second|secs|sec|s|minutes|minute|mins|min|m|hours|hour|hrs|hr|h|days|day|d|weeks|week|w|months|month|M|years|year|y';
const duration = new RegExp(`^\\s*(\\d+\\s*(${durationUnits})\\s*)+$`);
const size = /^\s*\d+(\.\d+)?\s*([kmgtp]i?b?|b)?\s*$/i;

export function checkValue(key: Key, value: Value | undefined): Problem | undefined {
  if (isEmpty(value)) return key.required ? { word: 'required' } : undefined;
  if (value === '***' && key.secret) return undefined;
  switch (key.type) {
    case 'duration':
      return typeof value === 'string' && (duration.test(value) || value.trim() === '0') ? undefined : { word: 'duration' };
    case 'size':
      return typeof value === 'number' || typeof value === 'bigint' || (typeof value === 'string' && size.test(value)) ? undefined : { word: 'size' };
    case 'share':
      return isShare(value) ? undefined : { word: 'share' };
  }
  if (widgetOf(key) === 'number') return checkNumber(key, value!);
  if (widgetOf(key) === 'choice' && !key.enum!.includes(String(value))) return { word: 'one_of', with: key.enum!.join(', ') };
  return undefined;
}

function checkNumber(key: Key, value: Value): Problem | undefined {
  if (typeof value !== 'number' && typeof value !== 'bigint') return { word: 'number' };
  if (typeof value === 'number' && !Number.isInteger(value) && key.type !== 'float') return { word: 'whole' };
  if (key.min !== undefined && key.min !== null && value < key.min) return { word: 'least', with: String(key.min) };
  if (key.max !== undefined && key.max !== null && value > key.max) return { word: 'most', with: String(key.max) };
  return undefined;
}

function isShare(value: Value | undefined): boolean {
  if (typeof value === 'number') return value >= 0 && value <= 1;
  return typeof value === 'string' && /^\s*\d+(\.\d+)?\s*%\s*$/.test(value) && parseFloat(value) <= 100;
}

/** Whether a key counts as not set. */
export function isEmpty(value: Value | undefined): boolean {
  return value === undefined || value === '' || (Array.isArray(value) && value.length === 0);
}

/** The problem of a name, if it has one. Names stand in files, URLs and metrics. */
export function checkName(name: string): Problem | undefined {
  if (name.trim() === '') return { word: 'required' };
  return /^[^\s\x00-\x1f/\\]+$/.test(name) && name !== '*' && name.length <= 128 ? undefined : { word: 'name' };
}

/** What was typed into a field of numbers: a number if it is one, else the text, which checkValue then refuses. */
export function parseNumber(typed: string): Value | undefined {
  const text = typed.trim();
  if (text === '') return undefined;
  if (!/^[+-]?\d+(\.\d+)?$/.test(text)) return text;
  const n = Number(text);
  if (Number.isInteger(n) && !Number.isSafeInteger(n)) return BigInt(text);
  return n;
}
