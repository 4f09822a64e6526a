import { t, type Key } from '../i18n';

const plural: Record<string, Key> = {
  basic: 'nav.basic',
  server: 'nav.servers',
  location: 'nav.locations',
  upstream: 'nav.upstreams',
  plugin: 'nav.plugins',
  certificate: 'nav.certificates',
  storage: 'nav.storages',
};

/** categoryTitle is what a category is called as a page. */
export function categoryTitle(category: string): string {
  return plural[category] ? t(plural[category]) : category;
}

/** categoryWord is one object of a category. */
export function categoryWord(category: string): string {
  return t(`objects.one.${category}` as Key);
}

/** costText says what a change of a class costs. */
export function costText(cls: string): string {
  const word = `class.${cls}.cost` as Key;
  const text = t(word);
  return text === word ? '' : text;
}

/** className is the word for a class. */
export function className(cls: string): string {
  const word = `class.${cls}` as Key;
  const text = t(word);
  return text === word ? cls : text;
}

/** classTone is its colour. */
export function classTone(cls: string): 'ok' | 'info' | 'warn' | 'mute' {
  return cls === 'hot' ? 'ok' : cls === 'listeners' ? 'info' : cls === 'roll' ? 'warn' : 'mute';
}
