import { useEffect, useState } from 'preact/hooks';

export type Store<T> = { get(): T; set(value: T): void; subscribe(f: (value: T) => void): () => void };

/** store is one value that components watch. */
export function store<T>(initial: T): Store<T> {
  let value = initial;
  const watchers = new Set<(value: T) => void>();
  return {
    get: () => value,
    set(next) {
      if (Object.is(next, value)) return;
      value = next;
      for (const f of [...watchers]) f(value);
    },
    subscribe(f) {
      watchers.add(f);
      return () => void watchers.delete(f);
    },
  };
}

/** useStore renders anew when the value changes. */
export function useStore<T>(s: Store<T>): T {
  const [value, set] = useState<T>(() => s.get());
  useEffect(() => {
    set(() => s.get());
    return s.subscribe((v) => set(() => v));
  }, [s]);
  return value;
}
