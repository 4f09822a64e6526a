import { store } from '../app/store';

export type Place = { file?: string; line?: number; key?: string; object?: string; expected?: string; message: string };
export type Session = { user: string; role: 'read' | 'write' | 'none'; csrf: string; expires: string; how: 'session' | 'token' | 'socket' };

/** ApiError is an answer that says why something was not done. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly errors: Place[] = [],
    readonly usedBy: string[] = [],
    readonly retryAfter = 0,
  ) {
    super(message);
  }
}

/** Answer is what came back, with the version it is of. */
export type Answer<T> = { data: T; etag: string; status: number };

export type Options = { body?: unknown; text?: string; ifMatch?: string; dryRun?: boolean; signal?: AbortSignal; query?: Record<string, string | number | boolean | undefined> };

/** session is who is logged in: undefined until it is known, null for nobody. */
export const session = store<Session | null | undefined>(undefined);

/** mayWrite says whether changes are offered; the server decides again. */
export function mayWrite(): boolean {
  return session.get()?.role === 'write';
}

/** apiURL is an address below <prefix>/api; the page itself stands at <prefix>/, so a relative one does. */
export function apiURL(path: string, query: Options['query'] = {}): string {
  const url = new URL(`api${path}`, document.baseURI.replace(/[?#].*$/, ''));
  for (const [k, v] of Object.entries(query)) if (v !== undefined && v !== '' && v !== false) url.searchParams.set(k, v === true ? '' : String(v));
  return url.toString().replace(/=(?=&|$)/g, '');
}

/** request asks the API. It throws an ApiError for every answer that is not 2xx, and for none at all with status 0. */
export async function request<T>(method: string, path: string, o: Options = {}): Promise<Answer<T>> {
  const headers: Record<string, string> = { Accept: 'application/json' };
  const csrf = session.get()?.csrf;
  if (method !== 'GET' && csrf) headers['X-CSRF-Token'] = csrf;
  if (o.ifMatch) headers['If-Match'] = o.ifMatch;
  if (o.body !== undefined) headers['Content-Type'] = 'application/json';
  if (o.text !== undefined) headers['Content-Type'] = 'application/toml';
  const init: RequestInit = { method, headers, credentials: 'same-origin', cache: 'no-store', signal: o.signal, body: o.body !== undefined ? JSON.stringify(o.body) : o.text };
  let answer: Response;
  try {
    answer = await fetch(apiURL(path, { ...o.query, dry_run: o.dryRun }), init);
  } catch (e) {
    if ((e as Error).name === 'AbortError') throw e;
    throw new ApiError(0, 'no answer: the connection failed');
  }
  const text = await answer.text();
  if (!answer.ok) throw asError(answer, text, path);
  return { data: (text ? parseJSON(text) : undefined) as T, etag: answer.headers.get('ETag') ?? '', status: answer.status };
}

function asError(answer: Response, text: string, path: string): ApiError {
  const said = (parseJSON(text) ?? {}) as { message?: string; errors?: Place[]; used_by?: string[] };
  if (answer.status === 401 && path !== '/login') session.set(null);
  const message = said.message ?? (typeof said === 'string' ? said : `${answer.status} ${answer.statusText}`);
  return new ApiError(answer.status, message, said.errors ?? [], said.used_by ?? [], Number(answer.headers.get('Retry-After') ?? 0));
}

function parseJSON(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text || undefined;
  }
}

export const get = <T>(path: string, o?: Options) => request<T>('GET', path, o);
export const post = <T>(path: string, o?: Options) => request<T>('POST', path, o);
export const remove = <T>(path: string, o?: Options) => request<T>('DELETE', path, o);

/** findSession asks who we are: the unix socket needs no login. Nobody is an answer too, as browsers log what is an error. */
export async function findSession(): Promise<void> {
  try {
    const { data } = await get<Session>('/session', { query: { optional: true } });
    session.set(data.role === 'none' ? null : data);
  } catch (e) {
    if (e instanceof ApiError && e.status !== 401) throw e;
    session.set(null);
  }
}

export async function login(user: string, password: string): Promise<void> {
  session.set((await post<Session>('/login', { body: { user, password } })).data);
}

export async function logout(): Promise<void> {
  await post('/logout').catch(() => undefined);
  session.set(null);
}
