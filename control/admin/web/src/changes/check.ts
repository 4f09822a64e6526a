import { useEffect, useState } from 'preact/hooks';
import { ApiError, post } from '../api/client';
import type { Preview } from '../api/types';
import type { Changes } from './draft';

/** Check is what the server says of changes that are not made yet. */
export type Check = { preview?: Preview; error?: ApiError; busy: boolean };

/** useCheck asks the server for a preview once nothing was edited for a moment. null asks nothing. */
export function useCheck(changes: Changes | null, delay = 500, ifMatch?: string): Check & { again: () => void } {
  const [check, set] = useState<Check>({ busy: changes !== null });
  const [round, setRound] = useState(0);
  const body = changes === null ? null : JSON.stringify(changes);
  useEffect(() => {
    if (body === null) {
      set({ busy: false });
      return;
    }
    const stop = new AbortController();
    set((c) => ({ ...c, busy: true }));
    const timer = setTimeout(() => void ask(JSON.parse(body) as Changes, ifMatch, stop.signal).then((c) => stop.signal.aborted || set(c)), delay);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [body, round, ifMatch]);
  return { ...check, again: () => setRound((n) => n + 1) };
}

async function ask(body: Changes, ifMatch: string | undefined, signal: AbortSignal): Promise<Check> {
  try {
    const { data } = await post<Preview>('/changes', { body, dryRun: true, ifMatch, signal });
    return { preview: data, busy: false };
  } catch (err) {
    if (signal.aborted) return { busy: true };
    return { error: err instanceof ApiError ? err : new ApiError(0, String(err)), busy: false };
  }
}
