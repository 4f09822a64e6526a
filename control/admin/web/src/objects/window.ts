import { useLayoutEffect, useRef, useState } from 'preact/hooks';

/** Rows that are drawn beyond what is seen, so that scrolling shows no gaps. */
const spare = 12;

/** visibleRows says which of count rows a window shows, of which the list begins at top. */
export function visibleRows(top: number, windowHeight: number, rowHeight: number, count: number): { from: number; to: number } {
  const from = Math.max(0, Math.floor(-top / rowHeight) - spare);
  const to = Math.min(count, Math.ceil((windowHeight - top) / rowHeight) + spare);
  return { from: Math.min(from, count), to: Math.max(to, Math.min(from, count)) };
}

/** useWindowed keeps a long list fast: only rows near the window are drawn. ref goes to the element that is as high as all rows. */
export function useWindowed(count: number, rowHeight: number) {
  const ref = useRef<HTMLDivElement>(null);
  const [rows, set] = useState({ from: 0, to: Math.min(count, 40) });
  useLayoutEffect(() => {
    let asked = 0;
    const look = () => {
      asked = 0;
      if (!ref.current) return;
      const next = visibleRows(ref.current.getBoundingClientRect().top, innerHeight, rowHeight, count);
      set((old) => (old.from === next.from && old.to === next.to ? old : next));
    };
    const soon = () => {
      asked ||= requestAnimationFrame(look);
    };
    look();
    addEventListener('scroll', soon, { passive: true });
    addEventListener('resize', soon);
    return () => {
      cancelAnimationFrame(asked);
      removeEventListener('scroll', soon);
      removeEventListener('resize', soon);
    };
  }, [count, rowHeight]);
  return { ref, from: Math.min(rows.from, count), to: Math.min(rows.to, count) };
}
