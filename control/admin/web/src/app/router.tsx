import { store, useStore } from './store';

/** Route is what stands behind "#": "#/upstreams?name=x" is path "/upstreams" with a query. */
export type Route = { path: string; parts: string[]; query: URLSearchParams };

/** parse reads a hash; anything that is none is the start page. */
export function parse(hash: string): Route {
  const text = hash.replace(/^#/, '') || '/';
  const at = text.indexOf('?');
  const raw = at < 0 ? text : text.slice(0, at);
  const path = '/' + raw.split('/').filter(Boolean).join('/');
  return { path, parts: path.split('/').filter(Boolean).map(safeDecode), query: new URLSearchParams(at < 0 ? '' : text.slice(at + 1)) };
}

function safeDecode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** link makes the hash of a page: link('/upstreams', {name: 'x'}). */
export function link(path: string, query: Record<string, string | number | undefined> = {}): string {
  const q = new URLSearchParams();
  for (const [k, v] of Object.entries(query)) if (v !== undefined && v !== '') q.set(k, String(v));
  const text = q.toString();
  return `#${path}${text ? `?${text}` : ''}`;
}

const current = store<Route>(parse(location.hash));
let shown = location.hash;
let guard: (() => boolean | Promise<boolean>) | null = null;

/** guardLeaving asks f before another page is shown, and the browser before it closes the tab. What it returns takes the guard away. */
export function guardLeaving(f: () => boolean | Promise<boolean>): () => void {
  guard = f;
  const unload = (e: BeforeUnloadEvent) => e.preventDefault();
  addEventListener('beforeunload', unload);
  return () => {
    if (guard === f) guard = null;
    removeEventListener('beforeunload', unload);
  };
}

export function navigate(to: string, replace = false): void {
  if (replace) location.replace(to);
  else location.hash = to.replace(/^#/, '');
}

async function changed() {
  const wanted = location.hash;
  if (wanted === shown) return;
  if (guard && parse(wanted).path !== '/login') {
    const asked = guard;
    history.replaceState(null, '', shown || '#/');
    if (!(await asked())) return;
    if (guard === asked) guard = null;
    history.pushState(null, '', wanted);
  }
  shown = wanted;
  const before = current.get();
  current.set(parse(wanted));
  if (before.path !== current.get().path) scrollTo(0, 0);
}

addEventListener('hashchange', () => void changed());

export function useRoute(): Route {
  return useStore(current);
}

/** route is the page that is shown, for what is no component. */
export function route(): Route {
  return current.get();
}
