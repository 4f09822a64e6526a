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
