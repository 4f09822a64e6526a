import { store, useStore } from '../app/store';
import type en from './en';

/** Key is every text there is; the English dictionary is the list. */
export type Key = keyof typeof en;
type Dictionary = Record<Key, string>;
export type Language = 'en' | 'zh';

const place = 'pingap-language';
let words = {} as Dictionary;
const chosen = store<Language>('en');

/** language is the one that is shown, as a tag for numbers and dates. */
export function language(): Language {
  return chosen.get();
}

export function useLanguage(): Language {
  return useStore(chosen);
}

/** startLanguage loads the dictionary that was chosen before, or that the browser asks for. */
export function startLanguage(): Promise<void> {
  const kept = localStorage.getItem(place);
  const wanted = kept === 'en' || kept === 'zh' ? kept : navigator.languages.some((l) => l.startsWith('zh')) && !navigator.language.startsWith('en') ? 'zh' : 'en';
  return load(wanted);
}

export async function setLanguage(to: Language): Promise<void> {
  localStorage.setItem(place, to);
  await load(to);
}

async function load(to: Language) {
  words = to === 'zh' ? (await import('./zh')).default : (await import('./en')).default;
  document.documentElement.lang = to === 'zh' ? 'zh-CN' : 'en';
  chosen.set(to);
}

/** t is the text for a key with {names} filled in. "a || b" is the form for n = 1, and for all others. */
export function t(key: Key, vars?: Record<string, string | number>): string {
  let text = words[key] ?? key;
  if (!vars) return text;
  const forms = text.split(' || ');
  if (forms.length === 2) text = forms[vars.n === 1 ? 0 : 1];
  return text.replace(/\{(\w+)\}/g, (all, name: string) => (name in vars ? String(vars[name]) : all));
}
