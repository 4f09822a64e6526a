import { language } from '../i18n';

// To make a format costs a browser some hundred times what it costs to use one, and tables of figures use thousands each second.
const numbers = new Map<string, Intl.NumberFormat>();
const dates = new Map<string, Intl.DateTimeFormat>();

function made<F>(kept: Map<string, F>, key: string, make: () => F): F {
  const known = kept.get(key);
  if (known) return known;
  const fresh = make();
  kept.set(key, fresh);
  return fresh;
}

function number(n: number, digits: number): string {
  return made(numbers, `${language()} ${digits}`, () => new Intl.NumberFormat(language(), { maximumFractionDigits: digits })).format(n);
}

/** dateTime prints an exact time. */
export function dateTime(at: Date): string {
  return made(dates, language(), () => new Intl.DateTimeFormat(language(), { dateStyle: 'medium', timeStyle: 'medium' })).format(at);
}

/** clock prints the time of a day, for axes. */
export function clock(at: Date): string {
  return made(dates, 'clock', () => new Intl.DateTimeFormat([], { hour: '2-digit', minute: '2-digit', hour12: false })).format(at);
}

/** count prints a number so that it fits a tile: 950, 1.2k, 34M. */
export function count(n: number | null | undefined, digits = 1): string {
  if (n === null || n === undefined || !Number.isFinite(n)) return '–';
  const units = ['', 'k', 'M', 'G', 'T'];
  let i = 0;
  while (Math.abs(n) >= 10_000 && i < units.length - 1) {
    n /= 1000;
    i++;
  }
  const whole = i === 0 && (Number.isInteger(n) || Math.abs(n) >= 100);
  return number(n, whole ? 0 : digits) + units[i];
}

/** bytes prints a size in units of 1024. */
export function bytes(n: number | null | undefined): string {
  if (n === null || n === undefined || !Number.isFinite(n)) return '–';
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let i = 0;
  while (Math.abs(n) >= 1024 && i < units.length - 1) {
    n /= 1024;
    i++;
  }
  return `${number(n, n < 10 && i > 0 ? 1 : 0)} ${units[i]}`;
}

/** millis prints a time that a request took. */
export function millis(ms: number | null | undefined): string {
  if (ms === null || ms === undefined || !Number.isFinite(ms)) return '–';
  if (ms === 0) return '0 ms';
  if (ms < 1) return `${Math.round(ms * 1000)} µs`;
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  return `${(ms / 1000).toFixed(2)} s`;
}

/** span prints how long something lasts, in its two largest units. */
export function span(ms: number): string {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 60) return `${s}s`;
  const m = Math.floor(s / 60);
  if (m < 60) return `${m}m ${s % 60}s`;
  const h = Math.floor(m / 60);
  if (h < 48) return `${h}h ${m % 60}m`;
  return `${Math.floor(h / 24)}d ${h % 24}h`;
}

export function percent(n: number | null | undefined): string {
  return n === null || n === undefined ? '–' : `${n > 0 && n < 10 ? n.toFixed(1) : Math.round(n)} %`;
}
