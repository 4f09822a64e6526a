import { useLayoutEffect, useState } from 'preact/hooks';

/** useNarrow says whether the window is narrow: rows of tables are cards then. */
export function useNarrow(query = '(max-width: 760px)'): boolean {
  const [narrow, set] = useState(() => matchMedia(query).matches);
  useLayoutEffect(() => {
    const media = matchMedia(query);
    const changed = () => set(media.matches);
    media.addEventListener('change', changed);
    return () => media.removeEventListener('change', changed);
  }, [query]);
  return narrow;
}
