import { link } from '../app/router';

const pages: Record<string, string> = {
  basic: '/basic',
  server: '/servers',
  location: '/locations',
  upstream: '/upstreams',
  plugin: '/plugins',
  certificate: '/certificates',
  storage: '/storages',
};

/** listOf is the page with all objects of a category. */
export function listOf(category: string): string {
  return link(pages[category] ?? '/');
}

/** pathOf is the page of one object. */
export function pathOf(category: string, name: string): string {
  return category === 'basic' ? link('/basic') : link(pages[category] ?? '/', { name });
}

/** refOf is the page of what the API writes as upstream:api. */
export function refOf(reference: string): { category: string; name: string; href: string } {
  const at = reference.indexOf(':');
  const category = at < 0 ? reference : reference.slice(0, at);
  const name = at < 0 ? '' : reference.slice(at + 1);
  return { category, name, href: pathOf(category, name) };
}
