import type { ComponentType } from 'preact';
import type { Key } from '../i18n';
import type { IconName } from '../ui/icons';

export type PageProps = { name?: string };
export type PageDef = { path: string; title: Key; icon: IconName; group: 'observe' | 'configure' | 'change' | 'hidden'; keys?: string; load: () => Promise<{ default: ComponentType<any> }>; props?: Record<string, unknown> };

const objects = () => import('../objects/page');
const category = (name: string, path: string, title: Key, icon: IconName, keys?: string): PageDef => ({ path, title, icon, group: 'configure', keys, load: objects, props: { category: name } });

/** pages is every page there is, in the order of the sidebar. keys is pressed after "g". */
export const pages: PageDef[] = [
  { path: '/', title: 'nav.dashboard', icon: 'gauge', group: 'observe', keys: 'd', load: () => import('../dashboard/page') },
  { path: '/backends', title: 'nav.backends', icon: 'pulse', group: 'observe', keys: 'b', load: () => import('../workers/backends') },
  { path: '/workers', title: 'nav.workers', icon: 'cpu', group: 'observe', keys: 'w', load: () => import('../workers/page') },
  { path: '/validity', title: 'nav.validity', icon: 'shield', group: 'observe', load: () => import('../certs/page') },
  { path: '/logs', title: 'nav.logs', icon: 'list', group: 'observe', keys: 'l', load: () => import('../logs/page') },
  { path: '/explain', title: 'nav.explain', icon: 'compass', group: 'observe', keys: 'e', load: () => import('../explain/page') },
  { path: '/routes', title: 'nav.routes', icon: 'map', group: 'configure', keys: 'r', load: () => import('../routes/page') },
  category('server', '/servers', 'nav.servers', 'server', 's'),
  category('location', '/locations', 'nav.locations', 'branch', 'o'),
  category('upstream', '/upstreams', 'nav.upstreams', 'layers', 'u'),
  category('plugin', '/plugins', 'nav.plugins', 'plug', 'p'),
  category('certificate', '/certificates', 'nav.certificates', 'key', 'c'),
  category('storage', '/storages', 'nav.storages', 'box'),
  category('basic', '/basic', 'nav.basic', 'sliders'),
  { path: '/config', title: 'nav.config', icon: 'arrows', group: 'configure', load: () => import('../objects/config') },
  { path: '/changes', title: 'nav.changes', icon: 'edit', group: 'change', keys: 'x', load: () => import('../changes/page') },
  { path: '/history', title: 'nav.history', icon: 'clock', group: 'change', keys: 'h', load: () => import('../history/page') },
  { path: '/ledger', title: 'nav.ledger', icon: 'book', group: 'change', load: () => import('../history/ledger') },
  { path: '/audit', title: 'nav.audit', icon: 'user', group: 'change', load: () => import('../history/audit') },
];
