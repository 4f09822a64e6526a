import { useEffect, useRef, useState } from 'preact/hooks';
import { apiURL, findSession, type Options } from './client';

export type StreamState = 'connecting' | 'open' | 'lost' | 'off';

/** wait before the n-th attempt, in milliseconds: doubled up to half a minute, spread so that many panels do not come back at once. */
export function wait(attempt: number, random = Math.random): number {
  return Math.min(30_000, 1000 * 2 ** Math.min(attempt, 5)) * (0.75 + random() / 2);
}

type Handlers = Record<string, (data: unknown) => void>;

/** useStream listens to server-sent events while it is rendered and the page is visible. It reconnects by itself. path null listens to nothing. */
export function useStream(path: string | null, on: Handlers, query?: Options['query']): StreamState {
  const [state, set] = useState<StreamState>(path ? 'connecting' : 'off');
  const handlers = useRef(on);
  handlers.current = on;
  const url = path && apiURL(path, query);
  const names = Object.keys(on).join(',');
  useEffect(() => {
    if (!url) {
      set('off');
      return;
    }
    return follow(url, names.split(','), (name, data) => handlers.current[name]?.(data), set);
  }, [url, names]);
  return state;
}

// follow keeps one EventSource open until it is told to stop. The browser's own reconnecting gives up after an answer that is no
// stream (a session that ended, a server that is busy), so that every end is answered by a fresh one, later and later.
function follow(url: string, names: string[], hear: (name: string, data: unknown) => void, say: (s: StreamState) => void): () => void {
  let source: EventSource | null = null;
  let timer = 0;
  let attempt = 0;
  const open = () => {
    if (document.visibilityState === 'hidden' || source) return;
    source = new EventSource(url);
    source.onopen = () => {
      attempt = 0;
      say('open');
    };
    source.onerror = () => {
      close();
      say('lost');
      if (attempt === 1) findSession().catch(() => undefined);
      timer = window.setTimeout(open, wait(attempt++));
    };
    for (const name of names) source.addEventListener(name, (e) => hear(name, JSON.parse((e as MessageEvent<string>).data)));
  };
  const close = () => {
    clearTimeout(timer);
    source?.close();
    source = null;
  };
  const seen = () => (document.visibilityState === 'hidden' ? close() : open());
  document.addEventListener('visibilitychange', seen);
  say('connecting');
  open();
  return () => {
    document.removeEventListener('visibilitychange', seen);
    close();
  };
}
