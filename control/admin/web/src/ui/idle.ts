import { useEffect, useState } from 'preact/hooks';

const patience = 600; // milliseconds: a page that is never idle is told all the same

/** whenIdle does something once the browser has time for it; what it returns calls that off. */
export function whenIdle(f: () => void): () => void {
  if (typeof requestIdleCallback === 'undefined') {
    const timer = setTimeout(f, 50); // Safari
    return () => clearTimeout(timer);
  }
  const asked = requestIdleCallback(f, { timeout: patience });
  return () => cancelIdleCallback(asked);
}

/** useIdle follows a value when the browser has time, so that much that is shown of it does not keep the page from answering. */
export function useIdle<T>(value: T): T {
  const [late, set] = useState(value);
  useEffect(() => whenIdle(() => set(() => value)), [value]);
  return late;
}
