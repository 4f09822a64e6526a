import { useEffect, useState } from 'preact/hooks';
import { DraftStore, type Draft, type Store } from './draft';

/** draft is what this tab has edited and not applied. */
export const draft = new DraftStore(tabStore());

function tabStore(): Store | undefined {
  try {
    return sessionStorage;
  } catch {
    return undefined; // forbidden by the browser's settings
  }
}

/** useDraft renders anew when the draft changes. */
export function useDraft(): Draft {
  const [value, set] = useState(draft.value);
  useEffect(() => {
    set(draft.value);
    return draft.subscribe(() => set(draft.value));
  }, []);
  return value;
}
