import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { store, useStore } from '../app/store';
import { ApiError, get } from './client';

export type Resource<T> = { data?: T; etag: string; error?: ApiError; loading: boolean; reload: () => Promise<void>; put: (data: T) => void };

// The last answers, so that a page that is shown again shows them until new ones are there. Bounded: the oldest goes.
const kept = new Map<string, { data: unknown; etag: string }>();
const keep = 60;

function remember(path: string, data: unknown, etag: string) {
  kept.delete(path);
  kept.set(path, { data, etag });
  if (kept.size > keep) kept.delete(kept.keys().next().value!);
}

// changes counts what was changed here: everything that is shown is read anew then.
const changes = store(0);

/** forget drops what is kept: after a change, and after a logout. What is shown is read anew. */
export function forget(): void {
  kept.clear();
  changes.set(changes.get() + 1);
}

/** useResource reads a path of the API, again every so many milliseconds if it is told to and the page is visible. null reads nothing. */
export function useResource<T>(path: string | null, every = 0): Resource<T> {
  const known = path === null ? undefined : kept.get(path);
  const [state, set] = useState<{ path: string | null; data?: T; etag: string; error?: ApiError }>({ path, data: known?.data as T, etag: known?.etag ?? '' });
  const live = useRef<string | null>(path);
  live.current = path;
  const reload = useCallback(async () => {
    if (path === null) return;
    try {
      const { data, etag } = await get<T>(path);
      remember(path, data, etag);
      if (live.current === path) set({ path, data, etag });
    } catch (e) {
      if (live.current !== path) return;
      const error = e instanceof ApiError ? e : new ApiError(0, String(e));
      set((s) => ({ path, data: s.path === path ? s.data : undefined, etag: s.etag, error }));
    }
  }, [path]);
  const changed = useStore(changes);
  useEffect(() => {
    void reload();
    if (!every) return;
    const id = setInterval(() => document.visibilityState === 'visible' && void reload(), every);
    return () => clearInterval(id);
  }, [reload, every, changed]);
  const data = state.path === path ? state.data : (known?.data as T | undefined);
  const put = useCallback((d: T) => set((s) => ({ ...s, path, data: d })), [path]);
  return { data, etag: state.etag, error: state.path === path ? state.error : undefined, loading: data === undefined && !state.error, reload, put };
}
